/** Where clients come in: a listener on every port of every service. */
import { roleOf } from "../../core/service.ts";
import type { Endpoint, Ms, Port, Transport } from "../../core/units.ts";
import { endpointText } from "../../core/units.ts";
import type { ServicePlan } from "../config/services.ts";
import type { DatagramOwner } from "./datagram-owner.ts";
import { DatagramListener } from "./datagrams.ts";
import { RequestListener } from "./requests.ts";
import type { Backend, Listener, Reason, Stream } from "./transport.ts";
import { listenOn, reasonOf, socketFor } from "./udp.ts";

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

  /** null: the reason says it all. */
  get remedy(): string | null {
    const { address } = this.at;
    switch (this.code) {
      case "EACCES":
        return "ports below 1024 need root or CAP_NET_BIND_SERVICE (setcap, or AmbientCapabilities= in the unit)";
      case "EADDRINUSE":
        return "another program listens there: `ss -ltnp` shows which";
      case "EADDRNOTAVAIL":
        return `the VIP must be an address of this host: \`ip address add ${address}/${address.family === 4 ? 32 : 128} dev lo\`, or is to come later (\`sysctl -w net.ipv4.ip_nonlocal_bind=1\`)`;
      case "EMFILE":
        return "it may open too few files: `ulimit -n`, or LimitNOFILE= in the unit";
      case "ENFILE":
        return "this host has too many files open: `sysctl fs.file-max`";
      default:
        return null;
    }
  }
}

export interface ListenersOptions {
  readonly backend: Backend;
  readonly accepted: (plan: ServicePlan, stream: Stream, at: Endpoint) => void;
  /** Whom the datagrams that come to a port concern; `plan`: whose it is at the moment. */
  readonly datagrams: (plan: () => ServicePlan) => DatagramOwner;
  /** Accepting failed, not for one client but for the director (EMFILE). */
  readonly failed: (plan: ServicePlan, reason: Reason) => void;
}

/** What `prepare` opened: nobody is served there yet. */
export interface Prepared {
  /** From now on these ports are served, and no others. */
  commit(): void;
  /** Closes again what was opened. */
  abandon(): void;
}

/** One port that is listened on. */
interface Door {
  /** From now on it is `plan`'s. */
  serve(plan: ServicePlan): void;
  sweep(at: Ms): void;
  close(): void;
}

type DatagramDoor = Door & { readonly datagrams: DatagramListener | RequestListener | null };

const BACKLOG = 4096;

export class ServiceListeners {
  readonly #options: ListenersOptions;
  readonly #streams = new Map<string, Door>();
  readonly #datagrams = new Map<string, DatagramDoor>();

  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  /** What listens for datagrams. */
  *datagrams(): Generator<DatagramListener | RequestListener> {
    for (const { datagrams } of this.#datagrams.values()) if (datagrams !== null) yield datagrams;
  }

  /** Opens what `plans` need and is not open yet. Throws a ListenError; then nothing is left of it. */
  async prepare(plans: readonly ServicePlan[]): Promise<Prepared> {
    const opened = { tcp: new Map<string, Door>(), udp: new Map<string, DatagramDoor>() };
    const abandon = (): void => {
      for (const doors of Object.values(opened)) for (const door of doors.values()) door.close();
    };
    try {
      for (const plan of plans) {
        for (const at of listenedPorts(plan, "tcp")) {
          const key = endpointText(at);
          if (!this.#streams.has(key)) opened.tcp.set(key, await openStreams(plan, at, this.#options));
        }
        for (const at of listenedPorts(plan, "udp")) {
          const key = endpointText(at);
          if (!this.#datagrams.has(key)) opened.udp.set(key, await openDatagrams(plan, at, this.#options));
        }
      }
    } catch (error) {
      abandon();
      throw error;
    }
    return {
      abandon,
      commit: () => {
        replace(this.#streams, opened.tcp, plans, "tcp");
        replace(this.#datagrams, opened.udp, plans, "udp");
      },
    };
  }

  /** Ends what was idle too long. */
  sweep(at: Ms): void {
    for (const door of this.#datagrams.values()) door.sweep(at);
  }

  /** Takes no further clients. What datagrams have announced, and is in use, goes on. */
  drain(): void {
    for (const door of this.#streams.values()) door.close();
    this.#streams.clear();
    for (const { datagrams } of this.#datagrams.values()) datagrams?.drain();
  }

  /** Takes no further clients, and ends all that datagrams have begun. */
  close(): void {
    for (const doors of [this.#streams, this.#datagrams]) {
      for (const door of doors.values()) door.close();
      doors.clear();
    }
  }
}

/** `doors` with those `opened` become those of `plans`; the others are closed. */
function replace<D extends Door>(
  doors: Map<string, D>,
  opened: ReadonlyMap<string, D>,
  plans: readonly ServicePlan[],
  transport: Transport,
): void {
  const unwanted = new Set(doors.keys());
  for (const [key, door] of opened) doors.set(key, door);
  for (const plan of plans) {
    for (const at of listenedPorts(plan, transport)) {
      const key = endpointText(at);
      unwanted.delete(key);
      doors.get(key)!.serve(plan);
    }
  }
  for (const key of unwanted) {
    doors.get(key)!.close();
    doors.delete(key);
  }
}

/** Who comes before it is anybody's waits. */
async function openStreams(first: ServicePlan, at: Endpoint, options: ListenersOptions): Promise<Door> {
  const { backend, accepted, failed } = options;
  let plan: ServicePlan | null = null;
  const waiting: Stream[] = [];
  const listener: Listener | Reason = await backend.listen({
    at,
    backlog: BACKLOG,
    accepted: (stream) => {
      if (plan === null) waiting.push(stream);
      else accepted(plan, stream, at);
    },
    failed: (reason) => failed(plan ?? first, reason),
  });
  if (typeof listener === "string") throw new ListenError(at, first.name, listener);
  return {
    serve(now) {
      plan = now;
      for (const stream of waiting.splice(0)) accepted(now, stream, at);
    },
    sweep() {},
    close() {
      for (const stream of waiting.splice(0)) stream.reset();
      listener.close();
    },
  };
}

/** What comes before it is anybody's is lost, as datagrams may be. */
async function openDatagrams(first: ServicePlan, at: Endpoint, options: ListenersOptions): Promise<DatagramDoor> {
  const socket = socketFor(at.address);
  let plan = first;
  await listenOn(socket, at, (error) => options.failed(plan, reasonOf(error))).catch((error: NodeJS.ErrnoException) => {
    socket.close();
    throw new ListenError(at, first.name, reasonOf(error));
  });
  const owner = options.datagrams(() => plan);
  let kind = "";
  let datagrams: DatagramListener | RequestListener | null = null;
  return {
    get datagrams() {
      return datagrams;
    },
    serve(now) {
      plan = now;
      if (kind === kindOf(now, at)) return;
      // What the helper before it knew of the port means nothing to this one.
      datagrams?.end();
      kind = kindOf(now, at);
      const requests = helperAt(now, at)?.requests;
      datagrams =
        requests === undefined
          ? new DatagramListener(at, () => helperAt(plan, at), owner, socket)
          : new RequestListener(at, owner, requests, socket);
    },
    sweep: (time) => datagrams?.sweep(time),
    close() {
      datagrams?.end();
      datagrams = null;
      socket.close();
    },
  };
}

/** Of a helper that reads connections the same port may have datagrams too, which it does not read (WMS). */
const helperAt = (plan: ServicePlan, { port }: Endpoint): ServicePlan["helper"] =>
  roleOf(plan, port) === "control" && plan.helper?.transport !== "tcp" ? plan.helper : null;

/** Scheduled by the helper's requests where it has such; else by the client's socket. */
const kindOf = (plan: ServicePlan, at: Endpoint): string => {
  const helper = helperAt(plan, at);
  return helper?.requests === undefined ? "sockets" : `requests ${helper.name}`;
};

function* listenedPorts({ address, ports }: ServicePlan, wanted: Transport): Generator<Endpoint> {
  for (const { transport, first, last } of ports) {
    if (transport !== wanted) continue;
    for (let port: number = first; port <= last; port++) yield { address, port: port as Port };
  }
}
