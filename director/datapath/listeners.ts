/** Where clients come in: a listener on every port of every service. */
import { createServer, type Server, type Socket } from "node:net";
import type { ServiceSpec } from "../../core/service.ts";
import type { Endpoint, Ms, Port, Transport } from "../../core/units.ts";
import { endpointText } from "../../core/units.ts";
import { DatagramListener, type DatagramOwner } from "./datagrams.ts";
import { HIGH_WATER } from "./relay.ts";

/** A service whose port could not be listened on. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  readonly code: string | undefined;
  readonly at: Endpoint;
  constructor(at: Endpoint, service: string, cause: NodeJS.ErrnoException) {
    super(`service ${service}: cannot listen on ${endpointText(at)}: ${cause.code ?? cause.message}`, { cause });
    this.code = cause.code;
    this.at = at;
  }
}

export interface ListenersOptions<S extends ServiceSpec> {
  readonly accepted: (service: S, socket: Socket, at: Endpoint) => void;
  /** Whom the datagrams of a service concern. */
  readonly datagrams: (service: S) => DatagramOwner;
  /** Accepting failed, not for one client but for the director (EMFILE). */
  readonly failed: (service: S, reason: string) => void;
}

const BACKLOG = 4096;

export class ServiceListeners<S extends ServiceSpec> {
  readonly #options: ListenersOptions<S>;
  readonly #servers: Server[] = [];
  readonly #datagrams: DatagramListener[] = [];

  constructor(options: ListenersOptions<S>) {
    this.#options = options;
  }

  /** Throws a ListenError. */
  async listen(service: S): Promise<void> {
    for (const at of listenedPorts(service, "tcp")) await this.#listen(service, at);
    for (const at of listenedPorts(service, "udp")) {
      const listener = new DatagramListener(at, this.#options.datagrams(service));
      await listener.listen().catch((error) => {
        throw new ListenError(at, service.name, error);
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
    for (const server of this.#servers) server.close();
    for (const listener of this.#datagrams.splice(0)) listener.close();
  }

  #listen(service: S, at: Endpoint): Promise<void> {
    const { accepted, failed } = this.#options;
    const server = createServer(
      { allowHalfOpen: true, pauseOnConnect: true, noDelay: true, highWaterMark: HIGH_WATER },
      (socket) => accepted(service, socket, at),
    );
    return new Promise((resolve, reject) => {
      server.once("error", (error) => reject(new ListenError(at, service.name, error)));
      server.listen({ host: at.address.toString(), port: at.port, backlog: BACKLOG, exclusive: true }, () => {
        server.removeAllListeners("error");
        server.on("error", (error: NodeJS.ErrnoException) => failed(service, error.code ?? error.message));
        this.#servers.push(server);
        resolve();
      });
    });
  }
}

function* listenedPorts({ address, ports }: ServiceSpec, wanted: Transport): Generator<Endpoint> {
  for (const { transport, first, last } of ports) {
    if (transport !== wanted) continue;
    for (let port: number = first; port <= last; port++) yield { address, port: port as Port };
  }
}
