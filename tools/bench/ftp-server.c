/* ftp-server ADDRESS PORT: an FTP server with nothing in it but the protocol, so that a benchmark measures what stands
   before it (a server that forks for each session would hide that). USER, PASS, PASV, RETR NUMBER, QUIT. */
#define _GNU_SOURCE
#include "load.h"

/* Below the range from which the kernel takes ports for outgoing connections. */
enum { FIRST_PASSIVE = 10000, LAST_PASSIVE = 29999 };

enum kind { NONE, WELCOME, CONTROL, PASSIVE };

struct connection {
  enum kind kind;
  int control;           /* PASSIVE: whose */
  int passive, data;     /* CONTROL: its listener, its data connection, -1 without */
  int wanted;            /* CONTROL: a RETR waits for its data connection */
  uint32_t number;       /* CONTROL: the file asked for */
  struct lines lines;
};

static struct connection *connections;
static int epoll;
static struct in_addr own;

static void open_connection(int fd, enum kind kind) {
  memset(&connections[fd], 0, sizeof *connections);
  connections[fd].kind = kind;
  connections[fd].passive = connections[fd].data = -1;
  watch(epoll, fd);
}

static void close_connection(int fd) {
  connections[fd].kind = NONE;
  close(fd);
}

static void end_session(int fd) {
  struct connection *session = &connections[fd];
  if (session->passive >= 0) close_connection(session->passive);
  if (session->data >= 0) close(session->data);
  close_connection(fd);
}

/* One port after the other: a fresh one is found without a search. */
static int open_passive(int *port) {
  static int next = FIRST_PASSIVE;
  for (int tries = FIRST_PASSIVE; tries <= LAST_PASSIVE; tries++) {
    *port = next;
    next = next == LAST_PASSIVE ? FIRST_PASSIVE : next + 1;
    int fd = listen_at((struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(*port), .sin_addr = own}, 1);
    if (fd >= 0) return fd;
  }
  return -1;
}

static void announce_passive(int fd) {
  struct connection *session = &connections[fd];
  char reply[LINE];
  int port, listener = open_passive(&port);
  if (listener < 0) {
    say(fd, "425 No port.\r\n");
    return;
  }
  if (session->passive >= 0) close_connection(session->passive);
  open_connection(listener, PASSIVE);
  connections[listener].control = fd;
  session->passive = listener;
  uint32_t host = ntohl(own.s_addr);
  snprintf(reply, sizeof reply, "227 Entering Passive Mode (%u,%u,%u,%u,%d,%d).\r\n", host >> 24, host >> 16 & 255,
           host >> 8 & 255, host & 255, port >> 8, port & 255);
  say(fd, reply);
}

static void send_file(int fd) {
  struct connection *session = &connections[fd];
  if (!session->wanted || session->data < 0) return;
  unsigned char bytes[PAYLOAD];
  payload(session->number, bytes);
  send(session->data, bytes, sizeof bytes, MSG_NOSIGNAL);
  close(session->data);
  session->data = -1;
  session->wanted = 0;
  say(fd, "226 Transfer complete.\r\n");
}

/* 0: the session is over. */
static int obey(int fd, const char *command) {
  struct connection *session = &connections[fd];
  if (strncmp(command, "USER ", 5) == 0) say(fd, "331 Password, please.\r\n");
  else if (strncmp(command, "PASS ", 5) == 0) say(fd, "230 Logged in.\r\n");
  else if (strcmp(command, "PASV") == 0) announce_passive(fd);
  else if (strncmp(command, "RETR ", 5) == 0) {
    session->wanted = 1;
    session->number = strtoul(command + 5, NULL, 10);
    say(fd, "150 Here it comes.\r\n");
    send_file(fd);
  } else if (strcmp(command, "QUIT") == 0) {
    say(fd, "221 Goodbye.\r\n");
    return 0;
  } else say(fd, "500 What?\r\n");
  return 1;
}

static void on_control(int fd) {
  char line[LINE];
  if (lines_read(&connections[fd].lines, fd) < 0) {
    end_session(fd);
    return;
  }
  while (lines_next(&connections[fd].lines, line)) {
    if (!obey(fd, line)) {
      end_session(fd);
      return;
    }
  }
}

static void on_passive(int fd) {
  int control = connections[fd].control;
  int data = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
  if (data < 0) return;
  close_connection(fd);
  connections[control].passive = -1;
  if (connections[control].data >= 0) close(connections[control].data);
  connections[control].data = data;
  send_file(control);
}

static void on_welcome(int fd) {
  int one = 1, session;
  while ((session = accept4(fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    setsockopt(session, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    open_connection(session, CONTROL);
    say(session, "220 Ready.\r\n");
  }
}

int main(int count, char **arguments) {
  if (count != 3) {
    fprintf(stderr, "usage: ftp-server ADDRESS PORT\n");
    return 2;
  }
  connections = calloc(raise_descriptor_limit(), sizeof *connections);
  epoll = epoll_create1(0);
  struct sockaddr_in at = endpoint(arguments[1], atoi(arguments[2]));
  own = at.sin_addr;
  int welcome = listen_at(at, 4096);
  if (welcome < 0) die("listen");
  open_connection(welcome, WELCOME);

  for (;;) {
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      /* An earlier event of this batch may have closed it. */
      if (connections[fd].kind == WELCOME) on_welcome(fd);
      else if (connections[fd].kind == CONTROL) on_control(fd);
      else if (connections[fd].kind == PASSIVE) on_passive(fd);
    }
  }
}
