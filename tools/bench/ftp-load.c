/* ftp-load ADDRESS PORT SECONDS CONCURRENCY SOURCES [FIRST [RATE]]: whole FTP sessions, one after the other on each of
   CONCURRENCY lanes: connect, 220, USER, PASS, PASV, RETR of 1 KB, 226, QUIT, 221. Sessions come from FIRST (127.0.0.2)
   and so on, SOURCES addresses, so that ports do not run out. With RATE, so many begin a second, whether or not those
   before them are over, CONCURRENCY at most; a session's time then runs from when it was due, so that one that had to wait
   for its turn has waited. A session counts when each byte of its file was right. Of those that failed, turnedAway were
   never greeted, closed by the other side or given up: nothing of them was begun.
   Prints one line of JSON. The first half second warms up and is not counted. */
#define _GNU_SOURCE
#include "load.h"

static const double WARM_UP = 0.5, PATIENCE = 5;

enum kind { NONE, CONTROL, DATA };

struct connection {
  enum kind kind;
  int other;              /* CONTROL: its data connection or -1; DATA: its control connection */
  uint32_t number, source;
  double begun;
  int greeted;            /* CONTROL: 220 was said */
  int complete;           /* CONTROL: 226 was said */
  int got;                /* CONTROL, after the data connection's end; DATA: bytes so far */
  struct lines lines;
  unsigned char bytes[PAYLOAD + 1];
};

static struct connection *connections;
static int epoll, active, descriptors;
static struct sockaddr_in server;
static uint32_t first = INADDR_LOOPBACK + 1, sources, sessions;
static long done, failed, turned_away;
static float *durations;
static long measured, room;
/* Paced: sessions a second (0: as many as there are lanes), and when the next is due. */
static double rate, due;

static int open_connection(uint32_t source, const struct sockaddr_in *to, enum kind kind, int other) {
  int fd = connect_from(source, to);
  if (fd < 0) return -1;
  struct connection *connection = &connections[fd];
  connection->kind = kind;
  connection->other = other;
  connection->source = source;
  connection->greeted = connection->complete = connection->got = connection->lines.used = 0;
  watch(epoll, fd);
  return fd;
}

static void close_connection(int fd) {
  connections[fd].kind = NONE;
  close(fd);
}

static int begin_session(double begun) {
  uint32_t number = sessions++;
  int fd = open_connection(first + number % sources, &server, CONTROL, -1);
  if (fd < 0) return 0;
  connections[fd].number = number;
  connections[fd].begun = begun;
  active++;
  return 1;
}

static void begin_those_due(double time, int concurrency) {
  for (; due <= time && active < concurrency; due += 1 / rate) failed += !begin_session(due);
}

static void end_session(int fd, int good) {
  struct connection *session = &connections[fd];
  if (session->other >= 0) close_connection(session->other);
  if (good) {
    done++;
    if (measured < room) durations[measured++] = now() - session->begun;
  } else {
    failed++;
    turned_away += !session->greeted;
  }
  close_connection(fd);
  active--;
}

/* The address is taken as announced: a proxy that names the wrong one fails here. */
static int fetch(int fd, const char *reply) {
  unsigned h[6];
  char command[LINE];
  const char *open = strchr(reply, '(');
  if (open == NULL || sscanf(open, "(%u,%u,%u,%u,%u,%u)", h, h + 1, h + 2, h + 3, h + 4, h + 5) != 6) return 0;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(h[4] << 8 | h[5])};
  to.sin_addr.s_addr = htonl(h[0] << 24 | h[1] << 16 | h[2] << 8 | h[3]);
  int data = open_connection(connections[fd].source, &to, DATA, fd);
  if (data < 0) return 0;
  connections[fd].other = data;
  snprintf(command, sizeof command, "RETR %u\r\n", connections[fd].number);
  say(fd, command);
  return 1;
}

static void quit_when_complete(int fd) {
  if (connections[fd].complete && connections[fd].other < 0) say(fd, "QUIT\r\n");
}

/* 1: go on, 0: the session is over. */
static int on_reply(int fd, const char *reply) {
  struct connection *session = &connections[fd];
  switch (atoi(reply)) {
    case 220:
      session->greeted = 1;
      say(fd, "USER anonymous\r\n");
      return 1;
    case 331: say(fd, "PASS load@\r\n"); return 1;
    case 230: say(fd, "PASV\r\n"); return 1;
    case 125:
    case 150: return 1;
    case 227:
      if (fetch(fd, reply)) return 1;
      break;
    case 226:
      session->complete = 1;
      quit_when_complete(fd);
      return 1;
    case 221: end_session(fd, session->got == PAYLOAD); return 0;
  }
  end_session(fd, 0);
  return 0;
}

static void on_control(int fd) {
  char line[LINE];
  int read = lines_read(&connections[fd].lines, fd);
  while (lines_next(&connections[fd].lines, line)) {
    if (!on_reply(fd, line)) return;
  }
  if (read < 0) end_session(fd, 0);
}

static void on_data(int fd) {
  struct connection *data = &connections[fd], *session = &connections[data->other];
  ssize_t got;
  while ((got = recv(fd, data->bytes + data->got, sizeof data->bytes - data->got, 0)) > 0) data->got += got;
  if (got < 0 && errno == EAGAIN) return;
  unsigned char expected[PAYLOAD];
  payload(session->number, expected);
  session->got = memcmp(data->bytes, expected, PAYLOAD) == 0 ? data->got : -1;
  session->other = -1;
  int control = data->other;
  close_connection(fd);
  quit_when_complete(control);
}

static void end_stalled(double time) {
  for (int fd = 0; fd < descriptors; fd++) {
    if (connections[fd].kind == CONTROL && time - connections[fd].begun > PATIENCE) end_session(fd, 0);
  }
}

static int ascending(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

static double percentile(double part) {
  return measured > 0 ? durations[(long)(part * (measured - 1))] * 1e3 : 0;
}

static void turn(int concurrency) {
  struct epoll_event events[EVENTS];
  double time = now();
  if (rate > 0) begin_those_due(time, concurrency);
  else while (active < concurrency && begin_session(time)) continue;
  int ready = epoll_wait(epoll, events, EVENTS, rate > 0 ? 1 : 50);
  for (int i = 0; i < ready; i++) {
    int fd = events[i].data.fd;
    if (connections[fd].kind == CONTROL) on_control(fd);
    else if (connections[fd].kind == DATA) on_data(fd);
  }
}

int main(int count, char **arguments) {
  if (count < 6 || count > 8) {
    fprintf(stderr, "usage: ftp-load ADDRESS PORT SECONDS CONCURRENCY SOURCES [FIRST [RATE]]\n");
    return 2;
  }
  descriptors = raise_descriptor_limit();
  connections = calloc(descriptors, sizeof *connections);
  durations = malloc(sizeof *durations * (room = 4000000));
  epoll = epoll_create1(0);
  server = endpoint(arguments[1], atoi(arguments[2]));
  double seconds = atof(arguments[3]);
  int concurrency = atoi(arguments[4]);
  sources = atoi(arguments[5]);
  if (count > 6) first = ntohl(inet_addr(arguments[6]));
  if (count > 7) rate = atof(arguments[7]);

  double start = now(), looked = start, counting = 0, time;
  due = start;
  while ((time = now()) - start < WARM_UP + seconds) {
    if (counting == 0 && time - start >= WARM_UP) counting = time, done = measured = 0;
    if (time - looked > 1) end_stalled(looked = time);
    turn(concurrency);
  }
  qsort(durations, measured, sizeof *durations, ascending);
  printf("{\"perSecond\":%.1f,\"done\":%ld,\"failed\":%ld,\"turnedAway\":%ld,", done / (time - counting), done, failed,
         turned_away);
  printf("\"medianMs\":%.2f,\"p90Ms\":%.2f,\"p99Ms\":%.2f,\"p999Ms\":%.2f,\"maxMs\":%.2f}\n", percentile(0.5),
         percentile(0.9), percentile(0.99), percentile(0.999), percentile(1));
  return 0;
}
