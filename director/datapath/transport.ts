/**
 * What the socket path needs of TCP, and no more: the seam between it and the system. Two things stand behind it:
 * Node's `net`, everywhere (`transport/net/`), and an event loop of our own on Linux (`transport/epoll/`).
 *
 * One rule holds for both: nothing is ever told from within a call. Whoever writes, ends or resets a stream need not
 * fear that its events arrive before the call returns.
 */
import type { Endpoint, Ms, PartialEndpoint } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";

/** An errno name (`ECONNRESET`), or in kebab-case what has no errno. */
export type Reason = string;

/** What becomes of a stream. `closed` comes once and last, whoever closed it. */
export interface StreamEvents {
  /** The other side's FIN: no more bytes come. */
  ended(): void;
  /** It broke, a reset included; `closed` follows. */
  failed(reason: Reason): void;
  closed(): void;
}

export interface ReadEvents extends StreamEvents {
  /** The next bytes. They are lent: whoever keeps them, copies them. */
  data(bytes: Uint8Array): void;
  /** What was written is on its way; more may be. */
  drained(): void;
}

export interface PumpEvents extends StreamEvents {
  /** Bytes moved on. */
  moved(): void;
}

export interface Stream {
  /** The other end; null when it was gone before it could be asked. */
  readonly remote: Endpoint | null;
  /** Its own end; null once it is gone. */
  readonly local: Endpoint | null;
  readonly bytesRead: number;
  /** Nothing can be written any more: `end` or `reset` was called, or it broke. */
  readonly ending: boolean;
  /** It was reset, or is over. */
  readonly gone: boolean;
  /** What was written waits for the other side to read. */
  readonly congested: boolean;
  /** Reads from now on. */
  read(events: ReadEvents): void;
  /** Reads from now on, into `to`, no faster than that takes it. */
  pump(to: this, events: PumpEvents): void;
  pause(): void;
  resume(): void;
  /**
   * False: `drained` will tell when there is room again. `bytes` are those that `data` lends, or do not change any more.
   * What is written after `end` goes nowhere.
   */
  write(bytes: Uint8Array): boolean;
  /** FIN behind all that was written. */
  end(): void;
  /** RST, now: nobody may take what was cut for whole. */
  reset(): void;
  /** Asks the other side for a sign of life after so long. */
  keepAlive(after: Ms): void;
}

export interface Listener {
  readonly at: Endpoint;
  /** Takes no further connections. */
  close(): void;
}

export interface ListenOptions {
  /** Port 0: the kernel chooses. */
  readonly at: { readonly address: Address; readonly port: number };
  readonly backlog: number;
  readonly accepted: (stream: Stream) => void;
  /** Accepting failed, not for one client but for the director (EMFILE). */
  readonly failed: (reason: Reason) => void;
}

export interface ConnectOptions {
  readonly to: Endpoint;
  /** Address and port to connect from. */
  readonly from?: PartialEndpoint & { readonly address: Address };
  readonly timeout: Ms;
  /** The stream will be pumped: bytes may come in bulk. */
  readonly bulk: boolean;
}

export interface Backend {
  readonly name: "net" | "epoll";
  /** The listener, or why there is none. */
  listen(options: ListenOptions): Promise<Listener | Reason>;
  /** `done` gets the stream, or the reason: an errno name, or `connect-timeout`. */
  connect(options: ConnectOptions, done: (stream: Stream | null, reason: Reason) => void): void;
  /** Resets every stream that is still open. */
  abort(): void;
}
