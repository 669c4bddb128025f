/* packet-load answer PORT                                            64 bytes asked, 64 answered, and the server closes
   packet-load connect ADDRESS PORT SECONDS CONCURRENCY FIRST SOURCES  such connections, from SOURCES addresses, FIRST on
   packet-load sink PORT                                              a UDP socket that nobody reads
   packet-load flood ADDRESS PORT SECONDS                             datagrams in frames of 64 bytes, as fast as they go
   packet-load noop ADDRESS PORT SECONDS                              NOOP and its reply on one FTP session
   The clients print one line of JSON. The first half second of connect and noop warms up and is not counted. */
#define _GNU_SOURCE
#include "load.h"

enum { ASKED = 64, MOST = 65536, SAMPLES = 4000000, BATCH = 32, DATAGRAM = 22 };
static const double WARM_UP = 0.5, PATIENCE = 5;

static int by_value(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return x < y ? -1 : x > y;
}

static void answer(int port) {
  int epoll = epoll_create1(0), listener = listen_at(endpoint("0.0.0.0", port), MOST);
  struct epoll_event events[EVENTS];
  char bytes[ASKED];
  if (listener < 0) die("listen");
  for (watch(epoll, listener);;) {
    int count = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) watch(epoll, fd);
        continue;
      }
      ssize_t got = recv(fd, bytes, sizeof bytes, 0);
      if (got > 0) send(fd, bytes, got, MSG_NOSIGNAL);
      close(fd);
    }
  }
}

static double begun[MOST];
static int open_now[MOST];

static void connect_load(struct sockaddr_in to, double seconds, int concurrency, uint32_t first, uint32_t sources) {
  int epoll = epoll_create1(0), active = 0;
  long done = 0, failed = 0, warm = 0;
  uint32_t number = 0;
  double start = now(), from = 0, swept = start, at;
  struct epoll_event events[EVENTS];
  char bytes[ASKED] = {0};
  while ((at = now()) - start < seconds + WARM_UP) {
    if (from == 0 && at - start > WARM_UP) from = at, warm = done;
    for (; active < concurrency; active++) {
      int fd = connect_from(first + number++ % sources, &to);
      if (fd < 0 || fd >= MOST) die("connect");
      struct epoll_event event = {.events = EPOLLOUT, .data.fd = fd};
      epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
      begun[fd] = at, open_now[fd] = 1;
    }
    for (int fd = 0; at - swept > 1 && fd < MOST; fd++)
      if (open_now[fd] && at - begun[fd] > PATIENCE) close(fd), open_now[fd] = 0, failed++, active--;
    if (at - swept > 1) swept = at;
    int count = epoll_wait(epoll, events, EVENTS, 100);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd, over = 1;
      if (events[i].events & EPOLLERR) failed++;
      else if (events[i].events & EPOLLOUT) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        send(fd, bytes, sizeof bytes, MSG_NOSIGNAL);
        epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
        over = 0;
      } else {
        ssize_t got;
        while ((got = recv(fd, bytes, sizeof bytes, 0)) > 0);
        if (got == 0) done++;
        else if (errno == EAGAIN) over = 0;
        else failed++;
      }
      if (over) close(fd), open_now[fd] = 0, active--;
    }
  }
  printf("{\"perSecond\":%.1f,\"failed\":%ld}\n", (done - warm) / (now() - from), failed);
}

static int datagram_socket(struct sockaddr_in at, int listens) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0 || (listens ? bind : connect)(fd, (struct sockaddr *)&at, sizeof at) < 0) die("UDP socket");
  return fd;
}

static void flood(struct sockaddr_in to, double seconds) {
  int fd = datagram_socket(to, 0);
  long sent = 0;
  static char bytes[DATAGRAM];
  struct iovec vector = {bytes, sizeof bytes};
  struct mmsghdr messages[BATCH] = {0};
  for (int i = 0; i < BATCH; i++) messages[i].msg_hdr.msg_iov = &vector, messages[i].msg_hdr.msg_iovlen = 1;
  double start = now(), at;
  while ((at = now()) - start < seconds) {
    int count = sendmmsg(fd, messages, BATCH, 0);
    if (count > 0) sent += count;
  }
  printf("{\"perSecond\":%.1f}\n", sent / (at - start));
}

static void noop(struct sockaddr_in to, double seconds) {
  int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
  char reply[LINE];
  float *taken = malloc(SAMPLES * sizeof *taken);
  long count = 0;
  if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) die("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  const char *login[] = {"USER anonymous\r\n", "PASS load@\r\n"};
  for (int i = 0; recv(fd, reply, sizeof reply, 0) > 0 && i < 2; i++) say(fd, login[i]);
  for (double start = now(), at = start; at - start < seconds + WARM_UP && count < SAMPLES;) {
    double sent = now();
    say(fd, "NOOP\r\n");
    if (recv(fd, reply, sizeof reply, 0) <= 0) die("NOOP");
    at = now();
    if (at - start > WARM_UP) taken[count++] = at - sent;
  }
  qsort(taken, count, sizeof *taken, by_value);
  printf("{\"median\":%.2f,\"p99\":%.2f}\n", taken[count / 2] * 1e6, taken[count * 99 / 100] * 1e6);
}

int main(int count, char **arguments) {
  const char *verb = count > 2 ? arguments[1] : "";
  raise_descriptor_limit();
  if (!strcmp(verb, "answer")) answer(atoi(arguments[2]));
  if (!strcmp(verb, "sink")) {
    datagram_socket(endpoint("0.0.0.0", atoi(arguments[2])), 1);
    for (;;) pause();
  }
  if (count < 5) return fprintf(stderr, "see the first lines of packet-load.c\n"), 2;
  struct sockaddr_in to = endpoint(arguments[2], atoi(arguments[3]));
  double seconds = atof(arguments[4]);
  if (!strcmp(verb, "connect") && count > 7)
    connect_load(to, seconds, atoi(arguments[5]), ntohl(inet_addr(arguments[6])), atoi(arguments[7]));
  if (!strcmp(verb, "flood")) flood(to, seconds);
  if (!strcmp(verb, "noop")) noop(to, seconds);
  return 0;
}
