/**
 * A stream on a socket that the event loop watches, edge-triggered. All streams read into one buffer, and what is pumped
 * is sent from there. What the kernel does not take at once is copied, or keeps the buffer while the others get another.
 */
import type { Endpoint, Ms } from "../../../../core/units.ts";
import type { PumpEvents, ReadEvents, Reason, Stream, StreamEvents } from "../../transport.ts";
import type { Buffers } from "./buffers.ts";
import { EAGAIN, EINTR, reasonOf } from "./calls.ts";
import {
  EPOLLERR,
  EPOLLET,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
  MSG_NOSIGNAL,
  SHUT_WR,
} from "./constants.ts";
import { Leftover } from "./leftover.ts";
import type { Job, Loop, Registration, Watcher } from "./loop.ts";
import type { Sockets } from "./sockets.ts";
import type { Spare } from "./spare.ts";

export const STREAM_EVENTS = (EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET) >>> 0;

const READABLE = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
/** Behind these more may come than a short read shows: an end, an error, what follows an urgent byte. */
const MORE_THAN_BYTES = EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
/** Bytes that one stream may read before the others have their turn. */
const TURN = 1024 * 1024;

/** What all streams of a backend have in common. */
export interface Shared {
  readonly sockets: Sockets;
  readonly loop: Loop;
  readonly buffers: Buffers;
  readonly spare: Spare;
  readonly open: Set<EpollStream>;
}

export class EpollStream implements Stream, Watcher, Job {
  readonly remote: Endpoint | null;
  bytesRead = 0;
  ending = false;
  gone = false;
  readonly #fd: number;
  readonly #registration: Registration;
  readonly #shared: Shared;
  #reader: ReadEvents | null = null;
  #pumper: PumpEvents | null = null;
  #events: StreamEvents | null = null;
  /** Where what is read goes, and from whom what is written comes, when it is pumped. */
  #to: EpollStream | null = null;
  #from: EpollStream | null = null;
  #paused = false;
  #readable = false;
  /** A short read does not show that all was read. */
  #mayHoldMore = false;
  /** The other side's FIN came; ours is on its way. */
  #ended = false;
  #finished = false;
  #leftover: Leftover | null = null;
  #failure: Reason | null = null;
  #due = false;

  constructor(fd: number, registration: Registration, remote: Endpoint | null, shared: Shared) {
    this.#fd = fd;
    this.#registration = registration;
    this.remote = remote;
    this.#shared = shared;
    shared.loop.hand(registration, this);
    shared.open.add(this);
  }

  get local(): Endpoint | null {
    return this.gone ? null : this.#shared.sockets.local(this.#fd);
  }

  get congested(): boolean {
    return this.#leftover !== null;
  }

  read(events: ReadEvents): void {
    this.#reader = events;
    this.#start(events);
  }

  pump(to: EpollStream, events: PumpEvents): void {
    this.#pumper = events;
    this.#to = to;
    to.#from = this;
    this.#start(events);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    if (this.#readable) this.#soon();
  }

  write(bytes: Uint8Array): boolean {
    if (this.ending || bytes.length === 0) return true;
    if (this.#leftover !== null) {
      this.#leftover = this.#leftover.append(bytes);
      return false;
    }
    const { buffers, sockets } = this.#shared;
    const { current } = buffers;
    const sent =
      bytes.buffer === current.bytes.buffer
        ? sockets.calls.send(this.#fd, current.at + bytes.byteOffset, bytes.length, MSG_NOSIGNAL)
        : sockets.calls.sendBytes(this.#fd, bytes, bytes.length, MSG_NOSIGNAL);
    if (sent === bytes.length) return true;
    if (sent < 0 && this.#broken()) return true;
    this.#leftover = Leftover.copyOf(sent > 0 ? bytes.subarray(sent) : bytes);
    return false;
  }

  end(): void {
    if (this.ending) return;
    this.ending = true;
    if (this.#leftover === null) this.#finish();
  }

  reset(): void {
    if (this.gone) return;
    this.#shared.sockets.reset(this.#fd);
    this.#leave();
  }

  keepAlive(after: Ms): void {
    if (!this.gone) this.#shared.sockets.keepAlive(this.#fd, Math.ceil(after / 1000));
  }

  ready(events: number): void {
    if ((events & READABLE) !== 0) {
      this.#readable = true;
      if ((events & MORE_THAN_BYTES) !== 0) this.#mayHoldMore = true;
    }
    if ((events & EPOLLOUT) !== 0 && this.#leftover !== null) this.#flush();
    // Nobody reads, and nothing that comes can be whole any more.
    if ((events & EPOLLERR) !== 0 && this.#standsStill()) this.#fail(reasonOf(this.#shared.sockets.error(this.#fd)));
    else this.#read();
  }

  run(): void {
    this.#due = false;
    if (this.gone) this.#tellClosed();
    else if (this.#failure !== null) this.#fail(this.#failure);
    else this.#read();
  }

  #tellClosed(): void {
    const events = this.#events;
    this.#events = null;
    events?.closed();
  }

  #start(events: StreamEvents): void {
    this.#events = events;
    if (this.#readable || this.#failure !== null || this.gone) this.#soon();
  }

  #soon(): void {
    if (this.#due) return;
    this.#due = true;
    this.#shared.loop.soon(this);
  }

  #standsStill(): boolean {
    return this.#events !== null && !this.gone && (this.#paused || this.#to?.congested === true);
  }

  #read(): void {
    let left = TURN;
    while (this.#readable && this.#events !== null && !this.gone && !this.#paused && this.#to?.congested !== true) {
      if (left <= 0) return this.#soon();
      left -= this.#readOnce();
    }
  }

  /** How many bytes came. */
  #readOnce(): number {
    const { buffers, sockets } = this.#shared;
    const { at, bytes } = buffers.current;
    const { length } = bytes;
    const got = sockets.calls.recv(this.#fd, at, length, 0);
    if (got > 0) {
      this.bytesRead += got;
      if (got < length && !this.#mayHoldMore) this.#readable = false;
      this.#take(got);
      return got;
    }
    if (got === 0) this.#end();
    else {
      const errno = sockets.calls.errno();
      if (errno === EAGAIN) this.#readable = this.#mayHoldMore = false;
      else if (errno !== EINTR) this.#fail(reasonOf(errno));
    }
    return 0;
  }

  /** The first `length` bytes of the buffer are ours. */
  #take(length: number): void {
    if (this.#to !== null) {
      this.#to.#pass(length);
      return this.#pumper!.moved();
    }
    const { bytes } = this.#shared.buffers.current;
    this.#reader!.data(new Uint8Array(bytes.buffer, bytes.byteOffset, length));
  }

  /** Writes the first `length` bytes of the buffer, which are ours now. */
  #pass(length: number): void {
    if (this.ending) return;
    const { buffers, sockets } = this.#shared;
    const sent = sockets.calls.send(this.#fd, buffers.current.at, length, MSG_NOSIGNAL);
    if (sent === length || (sent < 0 && this.#broken())) return;
    this.#leftover = Leftover.of(buffers, Math.max(sent, 0), length);
  }

  #end(): void {
    this.#readable = false;
    if (this.#ended) return;
    this.#ended = true;
    this.#events!.ended();
    if (this.#finished) this.#close();
  }

  /** All that was written is out: so is the FIN, then. */
  #finish(): void {
    this.#finished = true;
    if (this.#ended) this.#close();
    else if (!this.gone) this.#shared.sockets.calls.shutdown(this.#fd, SHUT_WR);
  }

  #flush(): void {
    const { calls } = this.#shared.sockets;
    const { bytes } = this.#leftover!;
    const sent = calls.sendBytes(this.#fd, bytes, bytes.length, MSG_NOSIGNAL);
    if (sent < 0) return void this.#broken();
    if (sent < bytes.length) return this.#leftover!.drop(sent);
    this.#dropLeftover();
    if (this.ending) return this.#finish();
    if (this.#from === null) return this.#reader?.drained();
    this.#from.#pumper!.moved();
    this.#from.#soon();
  }

  #dropLeftover(): void {
    this.#leftover?.free();
    this.#leftover = null;
  }

  /** After a call that sends failed. False: it has only to be repeated. */
  #broken(): boolean {
    const errno = this.#shared.sockets.calls.errno();
    if (errno === EAGAIN || errno === EINTR) return false;
    this.ending = true;
    this.#dropLeftover();
    this.#failure ??= reasonOf(errno);
    this.#soon();
    return true;
  }

  #fail(reason: Reason): void {
    if (this.gone) return;
    this.#events?.failed(reason);
    this.reset();
  }

  #close(): void {
    if (this.gone) return;
    this.#shared.sockets.calls.close(this.#fd);
    this.#leave();
  }

  #leave(): void {
    this.gone = this.ending = true;
    this.#dropLeftover();
    this.#shared.open.delete(this);
    this.#shared.loop.forget(this.#registration);
    this.#soon();
  }
}
