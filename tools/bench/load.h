/* What the load programs share: sockets, epoll, a clock, and a payload that can be checked. */
#ifndef LOAD_H
#define LOAD_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PAYLOAD = 1024, LINE = 512, EVENTS = 256 };

static inline void die(const char *what) {
  perror(what);
  exit(2);
}

static inline double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static inline struct sockaddr_in endpoint(const char *address, int port) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (inet_pton(AF_INET, address, &at.sin_addr) != 1) {
    fprintf(stderr, "not an IPv4 address: %s\n", address);
    exit(2);
  }
  return at;
}

/* Each session fetches a file of its own, so that crossed data connections show as wrong bytes (xorshift32). */
static inline void payload(uint32_t number, unsigned char bytes[PAYLOAD]) {
  uint32_t x = number * 2654435761u + 1;
  for (int at = 0; at < PAYLOAD; at += 4) {
    x ^= x << 13, x ^= x >> 17, x ^= x << 5;
    memcpy(bytes + at, &x, 4);
  }
}

static inline int stream_socket(void) {
  int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

static inline int listen_at(struct sockaddr_in at, int backlog) {
  int fd = stream_socket();
  if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, backlog) < 0) {
    close(fd);
    return -1;
  }
  return fd;
}

/* From `source` (0: the kernel's choice); the kernel picks the port when it knows both ends, so none runs out early. */
static inline int connect_from(uint32_t source, const struct sockaddr_in *to) {
  int one = 1, fd = stream_socket();
  struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(source)};
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  if (source != 0 && bind(fd, (struct sockaddr *)&from, sizeof from) < 0) die("bind to a source address");
  if (connect(fd, (const struct sockaddr *)to, sizeof *to) < 0 && errno != EINPROGRESS) {
    close(fd);
    return -1;
  }
  return fd;
}

static inline void watch(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
}

/* As many descriptors as we may have; returns the number. */
static inline int raise_descriptor_limit(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur > 65536 ? 65536 : (int)limit.rlim_cur;
}

/* Control lines of one connection. */
struct lines {
  int used;
  char text[LINE];
};

/* Reads what has come. 1: something did, 0: nothing yet, -1: the connection ended. */
static inline int lines_read(struct lines *lines, int fd) {
  ssize_t got = recv(fd, lines->text + lines->used, LINE - lines->used, 0);
  if (got > 0) return lines->used += got, 1;
  return got < 0 && errno == EAGAIN ? 0 : -1;
}

/* The next whole line into `line`, without its end; 0 if there is none. */
static inline int lines_next(struct lines *lines, char line[LINE]) {
  char *end = memchr(lines->text, '\n', lines->used);
  if (end == NULL) return 0;
  int length = end - lines->text;
  memcpy(line, lines->text, length);
  line[length > 0 && line[length - 1] == '\r' ? length - 1 : length] = 0;
  lines->used -= length + 1;
  memmove(lines->text, end + 1, lines->used);
  return 1;
}

static inline void say(int fd, const char *text) {
  send(fd, text, strlen(text), MSG_NOSIGNAL);
}

#endif
