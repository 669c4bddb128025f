/* bulk serve ADDRESS PORT                         sends bytes on every connection, without end
   bulk fetch ADDRESS PORT SECONDS STREAMS         reads them on STREAMS connections, prints one line of JSON
   Every 8 bytes hold their own position in the stream, of which the reader checks one in each read.
   The first half second warms up and is not counted. */
#define _GNU_SOURCE
#include "load.h"

enum { BLOCK = 256 * 1024 };
static const double WARM_UP = 0.5;

struct stream {
  uint64_t at; /* bytes sent or read */
};

static struct stream *streams;
static int epoll;
static unsigned char *block;

/* The block repeats every BLOCK bytes, so a position is known modulo BLOCK. */
static void fill_block(void) {
  block = malloc(2 * BLOCK);
  for (uint64_t at = 0; at < 2 * BLOCK; at += 8) {
    uint64_t position = at % BLOCK;
    memcpy(block + at, &position, 8);
  }
}

/* Not for ever: the other streams want their turn. */
static void send_some(int fd) {
  struct stream *stream = &streams[fd];
  ssize_t sent = send(fd, block + stream->at % BLOCK, BLOCK, MSG_NOSIGNAL);
  if (sent > 0) stream->at += sent;
  else if (errno != EAGAIN) close(fd);
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
      if (fd != welcome) {
        send_some(fd);
        continue;
      }
      int stream = accept4(welcome, NULL, NULL, SOCK_NONBLOCK);
      if (stream < 0) continue;
      struct epoll_event writable = {.events = EPOLLOUT, .data.fd = stream};
      streams[stream].at = 0;
      epoll_ctl(epoll, EPOLL_CTL_ADD, stream, &writable);
    }
  }
}

/* The first whole word of what was read must hold its own position. */
static void check(const struct stream *stream, const unsigned char *bytes, ssize_t length) {
  uint64_t skip = (8 - stream->at % 8) % 8, word;
  if (length < (ssize_t)skip + 8) return;
  memcpy(&word, bytes + skip, 8);
  if (word != (stream->at + skip) % BLOCK) {
    fprintf(stderr, "wrong bytes at %llu\n", (unsigned long long)stream->at);
    exit(1);
  }
}

static ssize_t read_some(int fd, unsigned char *bytes) {
  ssize_t got = recv(fd, bytes, BLOCK, 0);
  if (got < 0 && errno == EAGAIN) return 0;
  if (got <= 0) {
    fprintf(stderr, "the stream ended: %s\n", got < 0 ? strerror(errno) : "closed");
    exit(1);
  }
  check(&streams[fd], bytes, got);
  streams[fd].at += got;
  return got;
}

static void fetch(struct sockaddr_in from, double seconds, int wanted) {
  unsigned char *bytes = malloc(BLOCK);
  for (int i = 0; i < wanted; i++) {
    int fd = connect_from(0, &from);
    if (fd < 0) die("connect");
    watch(epoll, fd);
  }
  double start = now(), counting = 0, time, total = 0;
  while ((time = now()) - start < WARM_UP + seconds) {
    if (counting == 0 && time - start >= WARM_UP) counting = time, total = 0;
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(epoll, events, EVENTS, 100);
    for (int i = 0; i < ready; i++) total += read_some(events[i].data.fd, bytes);
  }
  printf("{\"gigabits\":%.3f,\"bytes\":%.0f}\n", total * 8e-9 / (time - counting), total);
}

int main(int count, char **arguments) {
  streams = calloc(raise_descriptor_limit(), sizeof *streams);
  epoll = epoll_create1(0);
  fill_block();
  if (count == 4 && strcmp(arguments[1], "serve") == 0) serve(endpoint(arguments[2], atoi(arguments[3])));
  if (count != 6 || strcmp(arguments[1], "fetch") != 0) {
    fprintf(stderr, "usage: bulk serve ADDRESS PORT | bulk fetch ADDRESS PORT SECONDS STREAMS\n");
    return 2;
  }
  fetch(endpoint(arguments[2], atoi(arguments[3])), atof(arguments[4]), atoi(arguments[5]));
  return 0;
}
