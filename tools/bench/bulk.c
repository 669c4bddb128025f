/* bulk serve ADDRESS PORT                         the other end of both
   bulk get ADDRESS PORT SECONDS STREAMS           reads on STREAMS connections what the server sends without end
   bulk put ADDRESS PORT SECONDS STREAMS           sends on them without end what the server reads
   The client's first byte says which. It prints one line of JSON. Every 8 bytes hold their own position in the stream,
   of which the reader checks one in each read. Before the SECONDS that count it warms up: for a quarter of them, and for
   half a second at most. */
#define _GNU_SOURCE
#include "load.h"
#include <poll.h>

enum { BLOCK = 256 * 1024 };
enum { GET = 'g', PUT = 'p' };
enum role { UNKNOWN, SENDS, READS };
static const double MOST_WARM_UP = 0.5;

struct stream {
  uint64_t at; /* bytes sent or read */
  enum role role;
};

static struct stream *streams;
static int epoll;
static unsigned char *block, *received;

/* The block repeats every BLOCK bytes, so a position is known modulo BLOCK. */
static void fill_block(void) {
  received = malloc(BLOCK);
  block = malloc(2 * BLOCK);
  for (uint64_t at = 0; at < 2 * BLOCK; at += 8) {
    uint64_t position = at % BLOCK;
    memcpy(block + at, &position, 8);
  }
}

static void die_of(const char *what) {
  fprintf(stderr, "%s\n", what);
  exit(1);
}

static void begin(int fd, enum role role) {
  struct epoll_event event = {.events = role == SENDS ? EPOLLOUT : EPOLLIN, .data.fd = fd};
  streams[fd] = (struct stream){.role = role};
  if (epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) < 0) die("epoll_ctl");
}

/* Not for ever: the other streams want their turn. -1: the stream ended. */
static ssize_t send_some(int fd) {
  struct stream *stream = &streams[fd];
  ssize_t sent = send(fd, block + stream->at % BLOCK, BLOCK, MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN ? 0 : -1;
  stream->at += sent;
  return sent;
}

/* The first whole word of what was read must hold its own position. */
static void check(const struct stream *stream, ssize_t length) {
  uint64_t skip = (8 - stream->at % 8) % 8, word;
  if (length < (ssize_t)skip + 8) return;
  memcpy(&word, received + skip, 8);
  if (word != (stream->at + skip) % BLOCK) die_of("wrong bytes");
}

static ssize_t read_some(int fd) {
  ssize_t got = recv(fd, received, BLOCK, 0);
  if (got <= 0) return got < 0 && errno == EAGAIN ? 0 : -1;
  check(&streams[fd], got);
  streams[fd].at += got;
  return got;
}

static ssize_t move(int fd) {
  return streams[fd].role == SENDS ? send_some(fd) : read_some(fd);
}

/* The client's first byte: -1, it is none. */
static ssize_t choose(int fd) {
  char verb;
  if (recv(fd, &verb, 1, 0) != 1 || (verb != GET && verb != PUT)) return -1;
  begin(fd, verb == GET ? SENDS : READS);
  return 0;
}

static void serve(struct sockaddr_in at) {
  int welcome = listen_at(at, 64);
  if (welcome < 0) die("listen");
  watch(epoll, welcome);
  for (;;) {
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (fd == welcome) {
        int stream = accept4(welcome, NULL, NULL, SOCK_NONBLOCK);
        if (stream < 0) continue;
        streams[stream].role = UNKNOWN;
        watch(epoll, stream);
      } else if ((streams[fd].role == UNKNOWN ? choose(fd) : move(fd)) < 0) close(fd);
    }
  }
}

static void ask(const struct sockaddr_in *server, char verb) {
  int fd = connect_from(0, server);
  if (fd < 0) die("connect");
  struct pollfd writable = {.fd = fd, .events = POLLOUT};
  if (poll(&writable, 1, 5000) != 1 || send(fd, &verb, 1, MSG_NOSIGNAL) != 1) die_of("no answer");
  watch(epoll, fd);
  begin(fd, verb == GET ? READS : SENDS);
}

static void measure(struct sockaddr_in server, char verb, double seconds, int wanted) {
  for (int i = 0; i < wanted; i++) ask(&server, verb);
  double warm_up = seconds / 4 < MOST_WARM_UP ? seconds / 4 : MOST_WARM_UP;
  double start = now(), counting = 0, time, total = 0;
  while ((time = now()) - start < warm_up + seconds) {
    if (counting == 0 && time - start >= warm_up) counting = time, total = 0;
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(epoll, events, EVENTS, 100);
    for (int i = 0; i < ready; i++) {
      ssize_t moved = move(events[i].data.fd);
      if (moved < 0) die_of("the stream ended");
      total += moved;
    }
  }
  printf("{\"gigabits\":%.3f,\"bytes\":%.0f}\n", total * 8e-9 / (time - counting), total);
}

int main(int count, char **arguments) {
  streams = calloc(raise_descriptor_limit(), sizeof *streams);
  epoll = epoll_create1(0);
  fill_block();
  if (count == 4 && strcmp(arguments[1], "serve") == 0) serve(endpoint(arguments[2], atoi(arguments[3])));
  int put = count == 6 && strcmp(arguments[1], "put") == 0;
  if (!put && (count != 6 || strcmp(arguments[1], "get") != 0)) {
    fprintf(stderr, "usage: bulk serve ADDRESS PORT | bulk get|put ADDRESS PORT SECONDS STREAMS\n");
    return 2;
  }
  measure(endpoint(arguments[2], atoi(arguments[3])), put ? PUT : GET, atof(arguments[4]), atoi(arguments[5]));
  return 0;
}
