/** Where clients come in: a listener on every port of every service. */
import { roleOf, type ServiceSpec } from "../../core/service.ts";
import type { Endpoint, Ms, Port, Transport } from "../../core/units.ts";
import { endpointText } from "../../core/units.ts";
import type { DatagramOwner } from "./datagram-owner.ts";
import { DatagramListener } from "./datagrams.ts";
import { RequestListener } from "./requests.ts";
import type { Backend, Listener, Reason, Stream } from "./transport.ts";

/** A service whose port could not be listened on. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  readonly code: Reason;
  readonly at: Endpoint;
  constructor(at: Endpoint, service: string, code: Reason) {
    super(`service ${service}: cannot listen on ${endpointText(at)}: ${code}`);
    this.code = code;
    this.at = at;
  }
}

export interface ListenersOptions<S extends ServiceSpec> {
  readonly backend: Backend;
  readonly accepted: (service: S, stream: Stream, at: Endpoint) => void;
  /** Whom the datagrams of a service concern. */
  readonly datagrams: (service: S) => DatagramOwner;
  /** Accepting failed, not for one client but for the director (EMFILE). */
  readonly failed: (service: S, reason: Reason) => void;
}

const BACKLOG = 4096;

export class ServiceListeners<S extends ServiceSpec> {
  readonly #options: ListenersOptions<S>;
  readonly #listeners: Listener[] = [];
  readonly #datagrams: (DatagramListener | RequestListener)[] = [];

  constructor(options: ListenersOptions<S>) {
    this.#options = options;
  }

  /** Throws a ListenError. */
  async listen(service: S): Promise<void> {
    for (const at of listenedPorts(service, "tcp")) await this.#listen(service, at);
    for (const at of listenedPorts(service, "udp")) {
      const listener = datagramListener(service, at, this.#options.datagrams(service));
      await listener.listen().catch((error: NodeJS.ErrnoException) => {
        throw new ListenError(at, service.name, error.code ?? error.message);
      });
      this.#datagrams.push(listener);
    }
  }

  /** Ends what was idle too long. */
  sweep(at: Ms): void {
    for (const listener of this.#datagrams) listener.sweep(at);
  }

  /** Takes no further clients. Datagrams know no end that could be waited for: theirs ends now. */
  close(): void {
    for (const listener of this.#listeners) listener.close();
    for (const listener of this.#datagrams.splice(0)) listener.close();
  }

  async #listen(service: S, at: Endpoint): Promise<void> {
    const { backend, accepted, failed } = this.#options;
    const listener = await backend.listen({
      at,
      backlog: BACKLOG,
      accepted: (stream) => accepted(service, stream, at),
      failed: (reason) => failed(service, reason),
    });
    if (typeof listener === "string") throw new ListenError(at, service.name, listener);
    this.#listeners.push(listener);
  }
}

/** By the helper's requests where it has such; else by the client's socket. */
function datagramListener(
  service: ServiceSpec,
  at: Endpoint,
  owner: DatagramOwner,
): DatagramListener | RequestListener {
  const helper = roleOf(service, at.port) === "control" ? service.helper : null;
  const requests = helper?.requests;
  return requests === undefined
    ? new DatagramListener(at, { ...owner, helper })
    : new RequestListener(at, owner, requests);
}

function* listenedPorts({ address, ports }: ServiceSpec, wanted: Transport): Generator<Endpoint> {
  for (const { transport, first, last } of ports) {
    if (transport !== wanted) continue;
    for (let port: number = first; port <= last; port++) yield { address, port: port as Port };
  }
}
