/** Connections that the director makes. */
import type { ConnectOptions, Reason, Stream } from "../../transport.ts";
import { EINPROGRESS, reasonOf } from "./calls.ts";
import {
  EPOLLERR,
  EPOLLHUP,
  EPOLLOUT,
  IP_BIND_ADDRESS_NO_PORT,
  IPPROTO_IP,
  SO_REUSEADDR,
  SOL_SOCKET,
} from "./constants.ts";
import { type Job, NOBODY, type Registration, type Watcher } from "./loop.ts";
import { EpollStream, type Shared, STREAM_EVENTS } from "./stream.ts";

type Done = (stream: Stream | null, reason: Reason) => void;

export function connect(options: ConnectOptions, shared: Shared, done: Done): void {
  const { sockets, loop } = shared;
  const fd = sockets.open(options.to.address.family);
  if (fd < 0) return loop.soon(new Failed(reasonOf(sockets.calls.errno()), done));
  const errno = begin(fd, options, shared);
  const registration = errno === 0 ? loop.watch(fd, STREAM_EVENTS, NOBODY) : null;
  if (registration === null) {
    const reason = reasonOf(errno !== 0 ? errno : sockets.calls.errno());
    sockets.calls.close(fd);
    return loop.soon(new Failed(reason, done));
  }
  loop.hand(registration, new Connecting(fd, registration, options, shared, done));
}

/** 0: it is under way. */
function begin(fd: number, { to, from }: ConnectOptions, { sockets }: Shared): number {
  if (from !== undefined) {
    // Other connections to other ends may use the same port.
    sockets.set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (from.port === null) sockets.set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    const errno = sockets.bind(fd, from.address, from.port ?? 0);
    if (errno !== 0) return errno;
  }
  const errno = sockets.connect(fd, to);
  return errno === EINPROGRESS ? 0 : errno;
}

class Failed implements Job {
  readonly #reason: Reason;
  readonly #done: Done;

  constructor(reason: Reason, done: Done) {
    this.#reason = reason;
    this.#done = done;
  }

  run(): void {
    this.#done(null, this.#reason);
  }
}

class Connecting implements Watcher {
  readonly #fd: number;
  readonly #registration: Registration;
  readonly #options: ConnectOptions;
  readonly #shared: Shared;
  readonly #done: Done;
  readonly #timer: NodeJS.Timeout;

  constructor(fd: number, registration: Registration, options: ConnectOptions, shared: Shared, done: Done) {
    this.#fd = fd;
    this.#registration = registration;
    this.#options = options;
    this.#shared = shared;
    this.#done = done;
    this.#timer = setTimeout(() => this.#fail("connect-timeout"), options.timeout);
  }

  ready(events: number): void {
    const { sockets } = this.#shared;
    const errno = (events & (EPOLLERR | EPOLLHUP)) === 0 ? 0 : sockets.error(this.#fd);
    if (errno !== 0) return this.#fail(reasonOf(errno));
    if ((events & EPOLLOUT) === 0) return;
    clearTimeout(this.#timer);
    const stream = new EpollStream(this.#fd, this.#registration, this.#options.to, this.#shared);
    this.#done(stream, "");
    stream.ready(events);
  }

  #fail(reason: Reason): void {
    const { sockets, loop } = this.#shared;
    clearTimeout(this.#timer);
    loop.forget(this.#registration);
    sockets.calls.close(this.#fd);
    this.#done(null, reason);
  }
}
