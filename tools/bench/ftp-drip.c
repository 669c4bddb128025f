/* ftp-drip ADDRESS PORT COUNT SOURCES FIRST EVERY: COUNT FTP control connections that say a byte every EVERY seconds, each
   at a time of its own. Every other one has logged in before, as fast as it could; the rest log in byte by byte. They come
   from FIRST and so on, SOURCES addresses. Who is cut off comes back.
   Prints "dripping" when all of them do; at the end of its input one line of JSON, and ends. */
#define _GNU_SOURCE
#include "load.h"

/* Connections that are being greeted and logged in at the same time. */
enum { AT_ONCE = 64 };

#define LOGIN "USER anonymous\r\nPASS slow@\r\n"
static const char SLOW[] = LOGIN "NOOP\r\n";
/* Where that begins in SLOW which is said again and again. */
static const int AFTER_LOGIN = sizeof LOGIN - 1;

enum state { CONNECTING, LOGGING_IN, DRIPPING };

struct drip {
  int fd;
  enum state state;
  int said;        /* bytes of SLOW */
  double next;     /* when the next byte is due */
  struct lines lines;
};

static struct drip *drips;
static int count, epoll, beginning, dripping;
static long cut, bytes;
static struct sockaddr_in server;
static uint32_t first, sources;
static double every;

static void begin(int i) {
  struct drip *drip = &drips[i];
  drip->fd = connect_from(first + i % sources, &server);
  if (drip->fd < 0) die("connect");
  drip->state = CONNECTING;
  drip->said = drip->lines.used = 0;
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, drip->fd, &event) < 0) die("epoll_ctl");
  beginning++;
}

static void settle(int i, int said) {
  struct drip *drip = &drips[i];
  drip->state = DRIPPING;
  drip->said = said;
  drip->next = now() + every * (i % 1000) / 1000;
  beginning--, dripping++;
}

static void lose(int i) {
  struct drip *drip = &drips[i];
  close(drip->fd);
  drip->fd = -1;
  if (drip->state == DRIPPING) dripping--;
  else beginning--;
  cut++;
}

static void on_reply(int i, const char *line) {
  struct drip *drip = &drips[i];
  if (drip->state == DRIPPING) return;
  switch (atoi(line)) {
    case 220:
      if (i % 2 == 0) settle(i, 0);
      else drip->state = LOGGING_IN, say(drip->fd, "USER anonymous\r\n");
      return;
    case 331: say(drip->fd, "PASS slow@\r\n"); return;
    case 230: settle(i, AFTER_LOGIN); return;
  }
}

static void on_bytes(int i) {
  struct drip *drip = &drips[i];
  char line[LINE];
  int read = lines_read(&drip->lines, drip->fd);
  while (lines_next(&drip->lines, line)) on_reply(i, line);
  if (read < 0) lose(i);
}

static void drip_those_due(double time) {
  for (int i = 0; i < count; i++) {
    struct drip *drip = &drips[i];
    if (drip->fd < 0 || drip->state != DRIPPING || drip->next > time) continue;
    if (SLOW[drip->said] == 0) drip->said = AFTER_LOGIN;
    if (send(drip->fd, SLOW + drip->said++, 1, MSG_NOSIGNAL) == 1) bytes++;
    drip->next += every;
  }
}

static void wait_for_events(int timeout) {
  struct epoll_event events[EVENTS];
  int ready = epoll_wait(epoll, events, EVENTS, timeout);
  for (int i = 0; i < ready; i++) {
    if (events[i].data.u32 == UINT32_MAX) {
      printf("{\"open\":%d,\"cut\":%ld,\"bytes\":%ld}\n", dripping, cut, bytes);
      exit(0);
    }
    on_bytes(events[i].data.u32);
  }
}

int main(int argc, char **arguments) {
  if (argc != 7) {
    fprintf(stderr, "usage: ftp-drip ADDRESS PORT COUNT SOURCES FIRST EVERY\n");
    return 2;
  }
  raise_descriptor_limit();
  server = endpoint(arguments[1], atoi(arguments[2]));
  count = atoi(arguments[3]);
  sources = atoi(arguments[4]);
  first = ntohl(inet_addr(arguments[5]));
  every = atof(arguments[6]);
  drips = calloc(count, sizeof *drips);
  for (int i = 0; i < count; i++) drips[i].fd = -1;
  epoll = epoll_create1(0);
  struct epoll_event input = {.events = EPOLLIN, .data.u32 = UINT32_MAX};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &input) < 0) die("epoll_ctl");

  for (int told = 0;;) {
    for (int i = 0; i < count && beginning < AT_ONCE; i++) {
      if (drips[i].fd < 0) begin(i);
    }
    wait_for_events(5);
    drip_those_due(now());
    if (!told && dripping == count) told = puts("dripping") >= 0, fflush(stdout);
  }
}
