/*
 * The packet engine's work in C: what engine-run.ts measures, by the shortest way that C knows. One 64-byte row and two
 * 8-byte slots an entry, HalfSipHash-1-3, batches of 16 with prefetch; for each packet its headers are checked, the flow
 * is found, the TCP state looked up, deadline and counters written, addresses, ports, TTL and checksums rewritten. What
 * it lacks: IPv6, UDP, ICMP, fragments, sides, reasons, services, growth, a wheel with half-open queues (it has a ring:
 * so many connections are in TIME_WAIT, and another one ends the oldest).
 *
 *   engine-loop packets FLOWS         million packets a second
 *   engine-loop connections WAITING   million connections set up and torn down a second
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STAGE = 16, STRIDE = 64, LENGTH = 60, REALSERVERS = 4, BATCH = 256 };
enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };
enum { NONE, ESTABLISHED, SYN_SENT, SYN_RECV, FIN_WAIT, TIME_WAIT, CLOSED, CLOSE_WAIT, STATES };

struct row {
  uint32_t client, virtual, real;
  uint16_t client_port, virtual_port, real_port, destination;
  uint32_t kind, generation, deadline, previous, next;
  uint32_t packets[2];
  uint64_t bytes[2];
} __attribute__((aligned(64)));
struct slot {
  uint32_t hash, id;
};

static struct row *rows;
static struct slot *slots;
static uint32_t mask, *freed, free_count, tick;
static uint8_t transitions[2][32][16];
static const uint32_t VIP = 0xcb00710a, K0 = 0x1234567, K1 = 0x7654321;
static uint32_t reals[REALSERVERS];
static uint64_t passed, opened, closed;

static double cpu(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

#define ROTATE(x, by) ((x) << (by) | (x) >> (32 - (by)))
#define ROUND                                                                          \
  v0 += v1, v1 = ROTATE(v1, 5) ^ v0, v0 = ROTATE(v0, 16), v2 += v3, v3 = ROTATE(v3, 8) ^ v2, \
  v0 += v3, v3 = ROTATE(v3, 7) ^ v0, v2 += v1, v1 = ROTATE(v1, 13) ^ v2, v2 = ROTATE(v2, 16)

static inline uint32_t hash(uint32_t source, uint32_t destination, uint32_t ports) {
  uint32_t v0 = K0, v1 = K1, v2 = 0x6c796765 ^ K0, v3 = 0x74656462 ^ K1;
  const uint32_t words[4] = {source, destination, ports, 6};
  for (int i = 0; i < 4; i++) {
    v3 ^= words[i];
    ROUND;
    v0 ^= words[i];
  }
  v2 ^= 0xff;
  ROUND;
  ROUND;
  ROUND;
  return v1 ^ v3;
}

static inline uint16_t u16(const uint8_t *p) { return p[0] << 8 | p[1]; }
static inline uint32_t u32(const uint8_t *p) {
  uint32_t n;
  memcpy(&n, p, 4);
  return ntohl(n);
}
static inline void put16(uint8_t *p, uint16_t n) { p[0] = n >> 8, p[1] = n; }
static inline void put32(uint8_t *p, uint32_t n) {
  n = htonl(n);
  memcpy(p, &n, 4);
}
static inline uint32_t fold(uint32_t sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  return (sum & 0xffff) + (sum >> 16);
}
static inline void adjust(uint8_t *p, uint32_t difference) { put16(p, ~fold((uint16_t)~u16(p) + difference)); }
static inline uint32_t difference32(uint32_t from, uint32_t to) {
  return (~from & 0xffff) + (~from >> 16) + (to & 0xffff) + (to >> 16);
}

static void insert(uint32_t h, uint32_t id) {
  uint32_t s = h & mask;
  while (slots[s].id) s = (s + 1) & mask;
  slots[s] = (struct slot){h, id};
}

static void withdraw(uint32_t h, uint32_t id) {
  uint32_t hole = h & mask;
  while (slots[hole].id != id || slots[hole].hash != h) hole = (hole + 1) & mask;
  for (uint32_t next = (hole + 1) & mask; slots[next].id; next = (next + 1) & mask) {
    if (((next - slots[next].hash) & mask) < ((next - hole) & mask)) continue;
    slots[hole] = slots[next];
    hole = next;
  }
  slots[hole].id = 0;
}

/* id << 1 | direction, 0: none. */
static inline uint32_t find(uint32_t h, uint32_t source, uint32_t destination, uint32_t ports) {
  for (uint32_t s = h & mask; slots[s].id; s = (s + 1) & mask) {
    if (slots[s].hash != h) continue;
    const struct row *r = &rows[slots[s].id];
    if (r->client == source && r->virtual == destination && ports == ((uint32_t)r->client_port << 16 | r->virtual_port))
      return slots[s].id << 1;
    if (r->real == source && r->client == destination && ports == ((uint32_t)r->real_port << 16 | r->client_port))
      return slots[s].id << 1 | 1;
  }
  return 0;
}

static uint32_t turn;
static uint32_t open_flow(uint32_t h, uint32_t source, uint32_t ports) {
  const uint32_t id = freed[--free_count];
  struct row *r = &rows[id];
  *r = (struct row){.client = source, .virtual = VIP, .real = reals[turn % REALSERVERS], .kind = 6,
                    .client_port = ports >> 16, .virtual_port = ports, .real_port = ports};
  turn++;
  insert(h, id);
  insert(hash(r->real, source, (uint32_t)r->real_port << 16 | r->client_port), id);
  opened++;
  return id << 1;
}

static void end_flow(uint32_t id) {
  const struct row *r = &rows[id];
  withdraw(hash(r->client, r->virtual, (uint32_t)r->client_port << 16 | r->virtual_port), id);
  withdraw(hash(r->real, r->client, (uint32_t)r->real_port << 16 | r->client_port), id);
  freed[free_count++] = id;
  closed++;
}

/* Connections in TIME_WAIT, the oldest first. */
static uint32_t *ring, waiting, waited;
static void wait_flow(uint32_t id) {
  uint32_t *place = &ring[waited++ % waiting];
  if (*place) end_flow(*place);
  *place = id;
}

static inline void translate(uint8_t *p, uint32_t found) {
  struct row *r = &rows[found >> 1];
  const int reply = found & 1, flags = p[33];
  if (p[8] <= 1) return;
  const int state = r->kind >> 12, next = transitions[reply][flags & 31][state];
  r->kind = 6 | next << 12;
  r->deadline = tick + 3600;
  r->packets[reply]++;
  r->bytes[reply] += u16(p + 2);
  uint8_t *address = p + (reply ? 12 : 16), *port = p + (reply ? 20 : 22);
  const uint32_t to = reply ? r->virtual : r->real;
  const uint16_t to_port = reply ? r->virtual_port : r->real_port;
  const uint32_t difference = difference32(u32(address), to);
  put32(address, to);
  p[8]--;
  adjust(p + 10, difference + 0xffff - 0x100);
  adjust(p + 36, difference + (uint16_t)~u16(port) + to_port);
  put16(port, to_port);
  passed++;
  if (state == TIME_WAIT && flags == ACK) wait_flow(found >> 1);
}

static void process(uint8_t *batch, int count) {
  uint32_t hashes[STAGE];
  for (int from = 0; from < count; from += STAGE) {
    const int n = count - from < STAGE ? count - from : STAGE;
    for (int k = 0; k < n; k++) {
      const uint8_t *p = batch + (from + k) * STRIDE;
      hashes[k] = hash(u32(p + 12), u32(p + 16), u32(p + 20));
      __builtin_prefetch(&slots[hashes[k] & mask]);
    }
    for (int k = 0; k < n; k++) {
      const struct slot *s = &slots[hashes[k] & mask];
      if (s->hash == hashes[k]) __builtin_prefetch(&rows[s->id], 1);
    }
    for (int k = 0; k < n; k++) {
      uint8_t *p = batch + (from + k) * STRIDE;
      if (p[0] != 0x45 || u16(p + 2) > LENGTH || (u16(p + 6) & 0x3fff) || p[9] != 6 || p[32] >> 4 < 5) continue;
      const uint32_t source = u32(p + 12), ports = u32(p + 20);
      uint32_t found = find(hashes[k], source, u32(p + 16), ports);
      if (!found && (p[33] & (SYN | ACK)) == SYN && free_count) found = open_flow(hashes[k], source, ports);
      if (found) translate(p, found);
    }
  }
}

static uint32_t sum(const uint8_t *p, int length) {
  uint32_t total = 0;
  for (int i = 0; i < length; i += 2) total += u16(p + i);
  return total;
}

/* As engine-run.ts builds them. */
static void build(uint8_t *p, uint32_t n, int reply, int flags) {
  const uint32_t client = 0x0a000000 + (n >> 4);
  const uint16_t port = 1024 + (n & 15) * 1009;
  memset(p, 0, STRIDE);
  p[0] = 0x45, p[8] = 64, p[9] = 6, p[32] = 5 << 4, p[33] = flags;
  put16(p + 2, LENGTH);
  put32(p + 12, reply ? reals[n % REALSERVERS] : client);
  put32(p + 16, reply ? client : VIP);
  put16(p + 20, reply ? 80 : port);
  put16(p + 22, reply ? port : 80);
  put16(p + 10, ~fold(sum(p, 20)));
  put16(p + 36, ~fold(sum(p + 12, LENGTH - 12) + 6 + LENGTH - 20));
}

static void prepare(uint32_t flows) {
  for (int i = 0; i < REALSERVERS; i++) reals[i] = 0xc6120100 + 11 + i;
  for (mask = 1; mask * 5 < flows * 16; mask *= 2)
    ;
  slots = calloc(mask, sizeof *slots);
  mask--;
  rows = aligned_alloc(64, (flows + 1) * sizeof *rows);
  memset(rows, 0, (flows + 1) * sizeof *rows);
  freed = malloc(flows * sizeof *freed);
  while (free_count < flows) freed[free_count] = flows - free_count, free_count++;
  for (int reply = 0; reply < 2; reply++)
    for (int flags = 0; flags < 32; flags++)
      for (int state = 0; state < 16; state++)
        transitions[reply][flags][state] = flags & RST ? CLOSED
                                           : flags & SYN ? SYN_RECV
                                           : flags & FIN ? (state == CLOSE_WAIT || state == FIN_WAIT ? TIME_WAIT : reply ? FIN_WAIT : CLOSE_WAIT)
                                           : state == SYN_RECV && !reply ? ESTABLISHED
                                                                         : state;
}

static uint8_t batch[BATCH * STRIDE] __attribute__((aligned(64)));

static void run(const uint8_t *image, uint32_t packets) {
  for (uint32_t done = 0; done < packets; done += BATCH) {
    const int count = packets - done < BATCH ? packets - done : BATCH;
    memcpy(batch, image + (size_t)done * STRIDE, (size_t)count * STRIDE);
    process(batch, count);
    tick++;
  }
}

static double packets(uint32_t flows) {
  enum { IMAGE = 1 << 19, TURNS = 20 };
  prepare(flows);
  uint8_t *image = malloc((size_t)IMAGE * STRIDE);
  for (uint32_t n = 0; n < flows; n++) {
    build(image, n, 0, SYN), build(image + STRIDE, n, 0, ACK);
    run(image, 2);
  }
  uint32_t state = 0x9e3779b9;
  for (uint32_t i = 0; i < IMAGE; i++) {
    state ^= state << 13, state ^= state >> 17, state ^= state << 5;
    build(image + (size_t)i * STRIDE, state % flows, i % 2, ACK);
  }
  run(image, IMAGE);
  passed = 0;
  const double begun = cpu();
  for (int i = 0; i < TURNS; i++) run(image, IMAGE);
  if (passed != (uint64_t)IMAGE * TURNS) fprintf(stderr, "%lu packets passed\n", passed), exit(1);
  return passed / (cpu() - begun) / 1e6;
}

static double connections(uint32_t most) {
  enum { GROUP = 16, SEGMENTS = 6, COUNTED = 1 << 20 };
  const uint32_t kinds = most * 2;
  static const int dialogue[SEGMENTS][2] = {{0, SYN}, {1, SYN | ACK}, {0, ACK}, {0, FIN | ACK}, {1, FIN | ACK}, {0, ACK}};
  waiting = most;
  ring = calloc(waiting, sizeof *ring);
  prepare(kinds);
  uint8_t *image = malloc((size_t)kinds * SEGMENTS * STRIDE);
  for (uint32_t i = 0; i < kinds * SEGMENTS; i++) {
    const int *segment = dialogue[i / GROUP % SEGMENTS];
    build(image + (size_t)i * STRIDE, i / (GROUP * SEGMENTS) * GROUP + i % GROUP, segment[0], segment[1]);
  }
  run(image, kinds * SEGMENTS);
  const uint64_t before = closed;
  const double begun = cpu();
  for (uint32_t i = 0; i < COUNTED / kinds; i++) run(image, kinds * SEGMENTS);
  if (closed + waiting != opened) fprintf(stderr, "%lu opened, %lu closed\n", opened, closed), exit(1);
  return (closed - before) / (cpu() - begun) / 1e6;
}

int main(int count, char **arguments) {
  if (count == 3 && !strcmp(arguments[1], "packets")) printf("{\"rate\":%f}\n", packets(atoi(arguments[2])));
  else if (count == 3 && !strcmp(arguments[1], "connections")) printf("{\"rate\":%f}\n", connections(atoi(arguments[2])));
  else return fprintf(stderr, "engine-loop packets FLOWS | engine-loop connections WAITING\n"), 2;
}
