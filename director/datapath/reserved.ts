/**
 * Reserved ports (rcmd(3)): only root may have one, and peers of rsh take it for a proof that root runs whoever comes from
 * there. So a connection leaves from one only where the one that it is made for came from one.
 */
import type { PartialEndpoint, Port } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import type { Backend, ConnectOptions, Reason, Stream } from "./transport.ts";

/** Those that bindresvport(3) takes: below, services listen. */
export const RESERVED = { first: 600 as Port, last: 1023 as Port };
/** rshd(8) takes no other of a client. */
const LOWEST = 512;
/** Ports that are tried for a connection. */
const TRIES = 64;
/** Another connection to that end has it, or had it a moment ago; or somebody listens there. */
const IN_USE: ReadonlySet<Reason> = new Set(["EADDRINUSE", "EADDRNOTAVAIL"]);

export const isReserved = (port: number): boolean => port >= LOWEST && port <= RESERVED.last;

/** The director may have none: it is neither root nor has CAP_NET_BIND_SERVICE. */
export const notAllowed = (reason: Reason): boolean => reason === "EACCES" || reason === "EPERM";

type Options = Omit<ConnectOptions, "from"> & { readonly from: { readonly address: Address } };

export class ReservedPorts {
  /** From the top down, so that a port just used is the last to be used again. */
  #next: number = RESERVED.last;

  /** Connects from `first`, or from another reserved port when that is in use. */
  connect(
    backend: Backend,
    options: Options,
    first: Port,
    done: (stream: Stream | null, reason: Reason) => void,
    tries = TRIES,
  ): void {
    const from: PartialEndpoint & Options["from"] = { address: options.from.address, port: first };
    backend.connect({ ...options, from }, (stream, reason) => {
      if (stream !== null || !IN_USE.has(reason) || tries === 1) return done(stream, reason);
      this.connect(backend, options, this.#step(), done, tries - 1);
    });
  }

  #step(): Port {
    const port = this.#next;
    this.#next = port > RESERVED.first ? port - 1 : RESERVED.last;
    return port as Port;
  }
}
