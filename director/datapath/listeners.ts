/** Where clients connect: a listener on every TCP port of every service. */
import { createServer, type Server, type Socket } from "node:net";
import type { ServiceSpec } from "../../core/service.ts";
import type { Endpoint, Port } from "../../core/units.ts";
import { endpointText } from "../../core/units.ts";
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
  /** Accepting failed, not for one client but for the director (EMFILE). */
  readonly failed: (service: S, reason: string) => void;
}

const BACKLOG = 4096;

export class ServiceListeners<S extends ServiceSpec> {
  readonly #options: ListenersOptions<S>;
  readonly #servers: Server[] = [];

  constructor(options: ListenersOptions<S>) {
    this.#options = options;
  }

  /** Throws a ListenError. */
  async listen(service: S): Promise<void> {
    for (const at of listenedPorts(service)) await this.#listen(service, at);
  }

  /** Takes no further connections. */
  close(): void {
    for (const server of this.#servers) server.close();
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

function* listenedPorts({ address, ports }: ServiceSpec): Generator<Endpoint> {
  for (const { transport, first, last } of ports) {
    if (transport !== "tcp") continue;
    for (let port: number = first; port <= last; port++) yield { address, port: port as Port };
  }
}
