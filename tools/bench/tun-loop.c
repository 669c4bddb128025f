/* tun-loop DEVICE VIP REAL      the least that a path through TUN takes: for each packet a poll, a read, the addresses of
   one virtual service and its one realserver put in each other's place, checksums mended, a write. IPv4; no table of flows,
   no helper. Prints "ready" when there is the device. */
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <netinet/ip.h>
#include <poll.h>
#include <sys/ioctl.h>
#include "load.h"

enum { LARGEST = 65536 + sizeof(struct virtio_net_hdr), TCP_SUM = 16, UDP_SUM = 6 };

static uint16_t folded(uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

/* RFC 1624. `sum`: as it is added up, neither inverted nor folded. */
static uint32_t mended(uint32_t sum, uint32_t before, uint32_t after) {
  return sum + (uint16_t)~before + (uint16_t)~(before >> 16) + (after & 0xffff) + (after >> 16);
}

static void translate(struct virtio_net_hdr *header, struct iphdr *ip, uint32_t vip, uint32_t real) {
  uint32_t *address = ip->daddr == vip ? &ip->daddr : ip->saddr == real ? &ip->saddr : NULL;
  if (address == NULL) return;
  uint32_t before = *address, after = before == vip ? real : vip;
  uint8_t *behind = (uint8_t *)ip + ip->ihl * 4;
  uint16_t *sum = (uint16_t *)(behind + (ip->protocol == IPPROTO_TCP ? TCP_SUM : UDP_SUM));
  /* A partial checksum is the pseudo-header's alone, and not inverted. */
  if (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) *sum = folded(mended(*sum, before, after));
  else *sum = ~folded(mended((uint16_t)~*sum, before, after));
  ip->check = ~folded(mended((uint16_t)~ip->check, before, after));
  *address = after;
}

int main(int count, char **arguments) {
  if (count < 4) return fprintf(stderr, "see the first lines of tun-loop.c\n"), 2;
  uint32_t vip = inet_addr(arguments[2]), real = inet_addr(arguments[3]);
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
  strncpy(request.ifr_name, arguments[1], IFNAMSIZ - 1);
  int fd = open("/dev/net/tun", O_RDWR);
  if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0) die(arguments[1]);
  if (ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4) < 0) die("offload");
  puts("ready"), fflush(stdout);
  static uint8_t packet[LARGEST];
  struct pollfd polled = {.fd = fd, .events = POLLIN};
  while (poll(&polled, 1, -1) > 0) {
    ssize_t length = read(fd, packet, sizeof packet);
    if (length < (ssize_t)(sizeof(struct virtio_net_hdr) + sizeof(struct iphdr))) continue;
    translate((void *)packet, (void *)(packet + sizeof(struct virtio_net_hdr)), vip, real);
    if (write(fd, packet, length) < 0) continue;
  }
  return 0;
}
