/**
 * The calls of libc that the event loop makes, through koffi. Memory is named by its address, a number: that is the
 * cheapest for koffi, and user addresses fit (47 bits). Nothing here knows what a stream is.
 */
import { arch, constants, platform } from "node:os";
import { getSystemErrorName } from "node:util";
import type { Reason } from "../../transport.ts";

/** Memory that stays where it is. */
export interface Memory {
  readonly bytes: Buffer;
  readonly at: number;
}

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

/** The structs and constants of this folder are those of these. */
const KNOWN_ARCHITECTURES: readonly string[] = ["x64", "arm64"];

/** The calls, or why they cannot be had. */
export async function loadCalls(): Promise<Calls | Reason> {
  if (platform() !== "linux") return `epoll is Linux's, this is ${platform()}`;
  if (!KNOWN_ARCHITECTURES.includes(arch())) return `epoll is known on x64 and arm64, this is ${arch()}`;
  try {
    const { default: koffi } = await import("koffi");
    const libc = koffi.load(null);
    const functions = Object.entries(SIGNATURES).map(([name, signature]) => [name, libc.func(signature)]);
    return {
      ...(Object.fromEntries(functions) as Pick<Calls, keyof typeof SIGNATURES>),
      sendBytes: libc.func("intptr_t send(int, const void *, size_t, int)") as Calls["sendBytes"],
      errno: koffi.errno,
      memory: (size) => {
        const bytes = Buffer.allocUnsafeSlow(size);
        return { bytes, at: Number(koffi.address(bytes)) };
      },
      poll: (fd, ready) => {
        const handle = koffi.node.poll(fd, { readable: true }, ready);
        return () => handle.close();
      },
    };
  } catch (error) {
    return `koffi cannot be loaded: ${firstLine(error)}`;
  }
}

const firstLine = (error: unknown): string => String(error instanceof Error ? error.message : error).split("\n")[0]!;

export const reasonOf = (errno: number): Reason => getSystemErrorName(-errno);

export const { EAGAIN, EINPROGRESS, EINTR, EMFILE, ENFILE, ECONNABORTED } = constants.errno;
