/** The calls of libc that the event loop makes. Nothing here knows what a stream is. */
import { constants } from "node:os";
import { loadLibc, type Memory } from "../../libc.ts";
import type { Reason } from "../../transport.ts";

export { type Memory, reasonOf } from "../../libc.ts";

/** As the manual pages say; -1: `errno`. */
export interface Calls {
  accept4(fd: number, address: number, length: number, flags: number): number;
  bind(fd: number, address: number, length: number): number;
  close(fd: number): number;
  connect(fd: number, address: number, length: number): number;
  epoll_create1(flags: number): number;
  epoll_ctl(epoll: number, operation: number, fd: number, event: number): number;
  epoll_wait(epoll: number, events: number, most: number, timeout: number): number;
  getsockname(fd: number, address: number, length: number): number;
  getsockopt(fd: number, level: number, option: number, value: number, length: number): number;
  listen(fd: number, backlog: number): number;
  recv(fd: number, to: number, length: number, flags: number): number;
  send(fd: number, from: number, length: number, flags: number): number;
  setsockopt(fd: number, level: number, option: number, value: number, length: number): number;
  shutdown(fd: number, how: number): number;
  socket(family: number, type: number, protocol: number): number;
  /** `send`, of bytes that lie anywhere. */
  sendBytes(fd: number, bytes: Uint8Array, length: number, flags: number): number;
  /** Of the last call that failed; asked for at once, before anything else has run. */
  errno(): number;
  memory(size: number): Memory;
  /** Calls `ready` whenever `fd` is readable, as long as it is; until what it returns is called. */
  poll(fd: number, ready: () => void): () => void;
}

const SIGNATURES = {
  accept4: "int accept4(int, size_t, size_t, int)",
  bind: "int bind(int, size_t, uint32_t)",
  close: "int close(int)",
  connect: "int connect(int, size_t, uint32_t)",
  epoll_create1: "int epoll_create1(int)",
  epoll_ctl: "int epoll_ctl(int, int, int, size_t)",
  epoll_wait: "int epoll_wait(int, size_t, int, int)",
  getsockname: "int getsockname(int, size_t, size_t)",
  getsockopt: "int getsockopt(int, int, int, size_t, size_t)",
  listen: "int listen(int, int)",
  recv: "intptr_t recv(int, size_t, size_t, int)",
  send: "intptr_t send(int, size_t, size_t, int)",
  setsockopt: "int setsockopt(int, int, int, size_t, uint32_t)",
  shutdown: "int shutdown(int, int)",
  socket: "int socket(int, int, int)",
} as const;

/** The calls, or why they cannot be had. */
export async function loadCalls(): Promise<Calls | Reason> {
  const libc = await loadLibc("epoll");
  if (typeof libc === "string") return libc;
  return {
    ...(libc.functions(SIGNATURES) as Pick<Calls, keyof typeof SIGNATURES>),
    sendBytes: libc.function("intptr_t send(int, const void *, size_t, int)") as Calls["sendBytes"],
    errno: libc.errno,
    memory: libc.memory,
    poll: libc.poll,
  };
}

export const { EAGAIN, EINPROGRESS, EINTR, EMFILE, ENFILE, ECONNABORTED } = constants.errno;
