/** Sockets as the director wants them: options, ends, closing. Failures are errno numbers, 0: none. */
import type { Endpoint, Port } from "../../../../core/units.ts";
import { Address } from "../../../../core/wire/address.ts";
import type { Calls, Memory } from "./calls.ts";
import {
  AF_INET,
  AF_INET6,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_V6ONLY,
  SO_ERROR,
  SO_KEEPALIVE,
  SO_LINGER,
  SO_OOBINLINE,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_NODELAY,
} from "./constants.ts";

/** sizeof(struct sockaddr_in), sizeof(struct sockaddr_in6). */
const SOCKADDR = { 4: 16, 6: 28 } as const;
/** Where things lie in the scratch memory: an address, its length, the value of an option. */
const ADDRESS = 0;
const LENGTH = 128;
const VALUE = 192;
const SCRATCH = 256;

export class Sockets {
  readonly calls: Calls;
  readonly #scratch: Memory;

  constructor(calls: Calls) {
    this.calls = calls;
    this.#scratch = calls.memory(SCRATCH);
  }

  /** A non-blocking stream socket without Nagle's delay; -1: `errno`. */
  open(family: 4 | 6): number {
    const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    const fd = this.calls.socket(family === 4 ? AF_INET : AF_INET6, type, 0);
    if (fd < 0) return fd;
    this.set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    // The byte behind a Telnet Synch (RFC 959 §4.1.3, ABOR) belongs where it was said, as all others.
    this.set(fd, SOL_SOCKET, SO_OOBINLINE, 1);
    if (family === 6) this.set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    return fd;
  }

  set(fd: number, level: number, option: number, value: number): void {
    const { bytes, at } = this.#scratch;
    bytes.writeInt32LE(value, VALUE);
    this.calls.setsockopt(fd, level, option, at + VALUE, 4);
  }

  /** As libuv does: ten probes, a second apart. */
  keepAlive(fd: number, afterSeconds: number): void {
    this.set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    this.set(fd, IPPROTO_TCP, TCP_KEEPIDLE, afterSeconds);
    this.set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
    this.set(fd, IPPROTO_TCP, TCP_KEEPCNT, 10);
  }

  /** What befell `fd`, which it then has forgotten. */
  error(fd: number): number {
    const { bytes, at } = this.#scratch;
    bytes.writeInt32LE(4, LENGTH);
    const got = this.calls.getsockopt(fd, SOL_SOCKET, SO_ERROR, at + VALUE, at + LENGTH);
    return got < 0 ? this.calls.errno() : bytes.readInt32LE(VALUE);
  }

  bind(fd: number, address: Address, port: number): number {
    this.#write(address, port);
    return this.calls.bind(fd, this.#scratch.at + ADDRESS, SOCKADDR[address.family]) < 0 ? this.calls.errno() : 0;
  }

  connect(fd: number, { address, port }: Endpoint): number {
    this.#write(address, port);
    return this.calls.connect(fd, this.#scratch.at + ADDRESS, SOCKADDR[address.family]) < 0 ? this.calls.errno() : 0;
  }

  /** The next connection to the listener `fd`, -1: `errno`. `peer()` tells of whom. */
  accept(fd: number): number {
    const { bytes, at } = this.#scratch;
    bytes.writeInt32LE(LENGTH - ADDRESS, LENGTH);
    return this.calls.accept4(fd, at + ADDRESS, at + LENGTH, SOCK_NONBLOCK | SOCK_CLOEXEC);
  }

  /** Who was accepted last. */
  peer(): Endpoint {
    const { bytes } = this.#scratch;
    const family = bytes.readUInt16LE(ADDRESS) === AF_INET ? 4 : 6;
    const address = Address.fromBytes(bytes, ADDRESS + (family === 4 ? 4 : 8), family);
    return { address, port: bytes.readUInt16BE(ADDRESS + 2) as Port };
  }

  local(fd: number): Endpoint | null {
    const { bytes, at } = this.#scratch;
    bytes.writeInt32LE(LENGTH - ADDRESS, LENGTH);
    return this.calls.getsockname(fd, at + ADDRESS, at + LENGTH) < 0 ? null : this.peer();
  }

  /** Closes with RST. */
  reset(fd: number): void {
    const { bytes, at } = this.#scratch;
    // struct linger: on, for no time.
    bytes.writeInt32LE(1, VALUE);
    bytes.writeInt32LE(0, VALUE + 4);
    this.calls.setsockopt(fd, SOL_SOCKET, SO_LINGER, at + VALUE, 8);
    this.calls.close(fd);
  }

  #write(address: Address, port: number): void {
    const { bytes } = this.#scratch;
    const { family, words } = address;
    bytes.fill(0, ADDRESS, ADDRESS + SOCKADDR[family]);
    bytes.writeUInt16LE(family === 4 ? AF_INET : AF_INET6, ADDRESS);
    bytes.writeUInt16BE(port, ADDRESS + 2);
    if (family === 4) bytes.writeUInt32BE(words[3], ADDRESS + 4);
    else for (const [i, word] of words.entries()) bytes.writeUInt32BE(word, ADDRESS + 8 + 4 * i);
  }
}
