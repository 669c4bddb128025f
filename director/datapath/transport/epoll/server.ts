/** Listening sockets. */
import type { Endpoint } from "../../../../core/units.ts";
import type { Listener, ListenOptions, Reason } from "../../transport.ts";
import { EAGAIN, ECONNABORTED, EINTR, EMFILE, ENFILE, reasonOf } from "./calls.ts";
import { EPOLLIN, SO_REUSEADDR, SOL_SOCKET } from "./constants.ts";
import { NOBODY, type Registration, type Watcher } from "./loop.ts";
import { EpollStream, type Shared, STREAM_EVENTS } from "./stream.ts";

/** Connections taken at once before others have their turn. */
const BURST = 64;

/** Listens, and watches; or says why not. */
export function listen(options: ListenOptions, shared: Shared): Server | Reason {
  const { sockets, loop } = shared;
  const { address, port } = options.at;
  const fd = sockets.open(address.family);
  if (fd < 0) return reasonOf(sockets.calls.errno());
  const failed = (errno: number): Reason => {
    sockets.calls.close(fd);
    return reasonOf(errno);
  };
  sockets.set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  const errno = sockets.bind(fd, address, port);
  if (errno !== 0) return failed(errno);
  const at = sockets.local(fd);
  if (at === null || sockets.calls.listen(fd, options.backlog) < 0) return failed(sockets.calls.errno());
  const registration = loop.watch(fd, EPOLLIN, NOBODY);
  if (registration === null) return failed(sockets.calls.errno());
  return new Server(fd, registration, at, options, shared);
}

class Server implements Listener, Watcher {
  readonly at: Endpoint;
  #registration: Registration | null;
  readonly #fd: number;
  readonly #options: ListenOptions;
  readonly #shared: Shared;

  constructor(fd: number, registration: Registration, at: Endpoint, options: ListenOptions, shared: Shared) {
    this.#fd = fd;
    this.#registration = registration;
    this.at = at;
    this.#options = options;
    this.#shared = shared;
    shared.loop.hand(registration, this);
    shared.spare.hold();
  }

  ready(): void {
    const { sockets } = this.#shared;
    for (let left = BURST; left > 0 && this.#registration !== null; left--) {
      const fd = sockets.accept(this.#fd);
      if (fd >= 0) this.#accepted(fd);
      else if (!this.#goOn(sockets.calls.errno())) return;
    }
  }

  close(): void {
    if (this.#registration === null) return;
    this.#shared.loop.forget(this.#registration);
    this.#shared.sockets.calls.close(this.#fd);
    this.#shared.spare.release();
    this.#registration = null;
  }

  #accepted(fd: number): void {
    const { sockets, loop } = this.#shared;
    const peer = sockets.peer();
    const registration = loop.watch(fd, STREAM_EVENTS, NOBODY);
    if (registration !== null) return this.#options.accepted(new EpollStream(fd, registration, peer, this.#shared));
    const reason = reasonOf(sockets.calls.errno());
    sockets.reset(fd);
    this.#options.failed(reason);
  }

  /** Whether the next one can be accepted, after one that could not. */
  #goOn(errno: number): boolean {
    // What befell that one connection (accept(2)) is no matter of ours.
    if (errno === EINTR || errno === ECONNABORTED) return true;
    if (errno === EAGAIN) return false;
    this.#options.failed(reasonOf(errno));
    return (errno === EMFILE || errno === ENFILE) && this.#shed();
  }

  /** No descriptor is left for a connection that waits: it is told so, rather than left to wait. */
  #shed(): boolean {
    const { sockets, spare } = this.#shared;
    let fd = -1;
    const lent = spare.lend(() => {
      fd = sockets.accept(this.#fd);
      if (fd >= 0) sockets.reset(fd);
    });
    return lent && fd >= 0;
  }
}
