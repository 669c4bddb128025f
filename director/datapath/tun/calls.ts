/** The calls of libc that a TUN device takes, and the constants of linux/if_tun.h, poll.h and sys/eventfd.h. */
import { loadLibc, type Memory } from "../libc.ts";
import type { Reason } from "../transport.ts";

/** As the manual pages say; -1: `errno`. */
export interface Calls {
  bind(fd: number, address: number, length: number): number;
  capset(header: number, sets: number): number;
  eventfd(initial: number, flags: number): number;
  getsockopt(fd: number, level: number, option: number, value: number, length: number): number;
  ioctl(fd: number, request: number, argument: number): number;
  pipe2(ends: number, flags: number): number;
  poll(fds: number, count: number, timeout: number): number;
  prctl(option: number, a: number, b: number, c: number, d: number): number;
  read(fd: number, to: number, length: number): number;
  socket(family: number, kind: number, protocol: number): number;
  write(fd: number, from: number, length: number): number;
  sched_yield(): number;
  writev(fd: number, vectors: number, count: number): number;
  close(fd: number): number;
  errno(): number;
  memory(size: number): Memory;
  addressOf(bytes: Uint8Array): number;
}

const SIGNATURES = {
  bind: "int bind(int, size_t, unsigned int)",
  socket: "int socket(int, int, int)",
  capset: "int capset(size_t, size_t)",
  prctl: "int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)",
  eventfd: "int eventfd(unsigned int, int)",
  getsockopt: "int getsockopt(int, int, int, size_t, size_t)",
  ioctl: "int ioctl(int, unsigned long, size_t)",
  pipe2: "int pipe2(size_t, int)",
  poll: "int poll(size_t, unsigned long, int)",
  sched_yield: "int sched_yield(void)",
  read: "intptr_t read(int, size_t, size_t)",
  write: "intptr_t write(int, size_t, size_t)",
  writev: "intptr_t writev(int, size_t, int)",
  close: "int close(int)",
} as const;

/** The calls, or why they cannot be had. */
export async function loadTunCalls(): Promise<Calls | Reason> {
  const libc = await loadLibc("the packet path");
  if (typeof libc === "string") return libc;
  const { errno, memory, addressOf } = libc;
  return { ...(libc.functions(SIGNATURES) as Pick<Calls, keyof typeof SIGNATURES>), errno, memory, addressOf };
}

export const TUNSETIFF = 0x400454ca;
export const TUNSETOFFLOAD = 0x400454d0;
export const IFF_TUN = 0x0001;
export const IFF_NO_PI = 0x1000;
export const IFF_VNET_HDR = 0x4000;
/** Partial checksums, and TCP segments of up to 64 KiB of both families. */
export const TUN_F_TCP = 0x07;
/** The same of UDP datagrams (since Linux 6.2). */
export const TUN_F_USO = 0x60;

export const EFD_NONBLOCK = 0o4000;
export const EFD_CLOEXEC = 0o2000000;
export const POLLIN = 1;
export const O_CLOEXEC = 0o2000000;

export const AF_INET = 2;
export const SOCK_DGRAM = 2;
export const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
/** Since Linux 5.14. */
export const SO_NETNS_COOKIE = 71;
