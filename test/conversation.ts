/**
 * A control connection through a real Balancer, said line by line: what each side says, what the other hears, what was
 * decided. The host's part, putting an entry in place, is in the test's hand.
 */
import { Balancer, type ConnectionEntry } from "../core/balancer.ts";
import type { GoneReason, RelatedEntry, RelatedLimits } from "../core/flow/related.ts";
import type { Direction, Helper, PortPair } from "../core/helper/api.ts";
import type { OnFailure } from "../core/helper/run.ts";
import { type ControlHost, ControlStream, type Decision } from "../core/inspect/control.ts";
import type { RealserverSpec, ServiceSpec } from "../core/service.ts";
import { type Endpoint, endpointText, type Ms, ms, type PortRange, port, seconds } from "../core/units.ts";
import { helpers } from "../helpers/index.ts";
import { address, endpoint } from "./addresses.ts";

export const CLIENT = endpoint("10.0.0.5", 40000);
export const VIP = endpoint("1.2.3.4", 21);
export const REAL = "192.168.0.2";

export const ports = (first: number, last = first): PortRange => ({
  transport: "tcp",
  first: port(first),
  last: port(last),
});

export const realserver = (text: string, rest: Partial<RealserverSpec> = {}): RealserverSpec => ({
  address: address(text),
  port: null,
  weight: 1,
  announces: [],
  passivePorts: null,
  ...rest,
});

const ftp = helpers.find(({ name }) => name === "ftp")!;

export const ftpService = (rest: Partial<ServiceSpec> = {}): ServiceSpec => ({
  name: "ftp",
  address: VIP.address,
  ports: [ports(21)],
  helper: ftp,
  controlPorts: [port(21)],
  scheduler: "rr",
  persistence: ms(0),
  persistencePrefix: null,
  realservers: [realserver(REAL)],
  ...rest,
});

/** A service on the ports of `helper`. */
export const serviceFor = (helper: Helper, rest: Partial<ServiceSpec> = {}): ServiceSpec =>
  ftpService({
    name: helper.name,
    ports: helper.ports.map((port) => ({
      transport: helper.transport === "udp" ? "udp" : "tcp",
      first: port,
      last: port,
    })),
    helper,
    controlPorts: helper.ports,
    ...rest,
  });

export const LIMITS: RelatedLimits = { perClient: 100, total: 1000 };

export const makeBalancer = (
  services: readonly ServiceSpec[] = [ftpService()],
  limits: RelatedLimits = LIMITS,
  gone: (entry: RelatedEntry, reason: GoneReason) => void = () => {},
): Balancer => new Balancer(services, { limits, seed: 1, gone });

/** `now`: at once; `late`: when the test calls `answer`. */
export type Answers = "now" | "late";

export interface ConversationOptions {
  readonly balancer?: Balancer;
  readonly client?: Endpoint;
  readonly virtual?: Endpoint;
  readonly helper?: Helper;
  readonly strict?: boolean;
  readonly hold?: number;
  readonly answers?: Answers;
  readonly onRefuse?: "refuse" | "forward";
  readonly onFailure?: OnFailure;
  /** What the opener is told to connect to; null: nothing can be had. */
  /** Other connections between the same hosts, as the receiver of a direction knows them. */
  readonly translate?: ControlHost["translate"];
  readonly seen?: (entry: RelatedEntry, virtual: Endpoint) => Endpoint | null;
}

/** As LVS-NAT: a passive port keeps its number at the VIP, an active one the client's address. */
export const asLvsNat = (entry: RelatedEntry, { address }: Endpoint): Endpoint =>
  entry.opener === "original" ? { address, port: entry.target.port } : entry.target;

/** A conversation of `helper`'s protocol, on its own port. */
export const conversationOf = (helper: Helper, options: ConversationOptions = {}): Conversation =>
  new Conversation({
    helper,
    balancer: makeBalancer([serviceFor(helper)]),
    virtual: { address: VIP.address, port: helper.ports[0]! },
    ...options,
  });

export class Conversation implements ControlHost {
  readonly balancer: Balancer;
  readonly control: ConnectionEntry;
  readonly stream: ControlStream;
  readonly decisions: Decision[] = [];
  /** Entries that the host was asked to put in place and has not answered for. */
  readonly waiting: RelatedEntry[] = [];
  readonly announced: RelatedEntry[] = [];
  /** Of each of `announced`, the flow that it is the other end of. */
  readonly answered: (RelatedEntry | null)[] = [];
  aborted: string | null = null;
  now: Ms = seconds(1000);
  readonly #heard: Record<Direction, Buffer[]> = { original: [], reply: [] };
  readonly #options: ConversationOptions;

  constructor(options: ConversationOptions = {}) {
    const { balancer = makeBalancer(), client = CLIENT, virtual = VIP, helper = ftp } = options;
    this.#options = options;
    this.balancer = balancer;
    const control = balancer.admit(helper.transport === "udp" ? "udp" : "tcp", client, virtual, this.now);
    if (typeof control === "string") throw new Error(control);
    this.control = control;
    const { strict = false, hold = helper.limits.hold, onRefuse = "refuse", onFailure = "open" } = options;
    const settings = { strict, hold };
    this.stream = new ControlStream({ helper, settings, entry: control, balancer, host: this, onRefuse, onFailure });
  }

  /** `original`: the client says it. Returns what the other side hears at once. */
  say(direction: Direction, said: string | Uint8Array): string {
    const before = this.#heard[direction].length;
    this.stream.feed(direction, typeof said === "string" ? Buffer.from(said, "latin1") : said, this.now);
    return Buffer.concat(this.#heard[direction].slice(before)).toString("latin1");
  }

  client(said: string | Uint8Array): string {
    return this.say("original", said);
  }

  server(said: string | Uint8Array): string {
    return this.say("reply", said);
  }

  /** The greeting and a login, so that what follows is in the middle of a session. */
  login(): this {
    this.server("220 ready\r\n");
    this.client("USER anonymous\r\n");
    this.server("230 Logged in.\r\n");
    return this;
  }

  /** All that the receiver of `direction` has heard. */
  heard(direction: Direction): string {
    return Buffer.concat(this.#heard[direction]).toString("latin1");
  }

  /** The host's answer for the entry that waits longest: the end it was given, or null. */
  answer(seen?: Endpoint | null): void {
    const entry = this.waiting.shift();
    if (entry === undefined) throw new Error("nothing waits for an answer");
    this.stream.prepared(entry, seen === undefined ? this.#seen(entry) : seen, this.now);
  }

  wait(ms: number): void {
    this.now = (this.now + ms) as Ms;
    this.stream.advance(this.now);
    this.balancer.advance(this.now);
  }

  close(): void {
    this.balancer.close(this.control, this.now);
  }

  /** Reasons of the decisions with `outcome`. */
  reasons(outcome: Decision["outcome"]): string[] {
    return this.decisions.filter((decision) => decision.outcome === outcome).map(({ reason }) => reason);
  }

  /** The entries that can be met now, as `kind from -> seen => target`. */
  get pending(): string[] {
    const mine = [...this.balancer.related].filter(
      ({ state, master }) => state === "pending" && master === this.control.handle,
    );
    return mine.map(describe);
  }

  // --- ControlHost ------------------------------------------------------------------------------------------------

  forward(direction: Direction, bytes: Uint8Array): void {
    this.#heard[direction].push(Buffer.from(bytes));
  }

  prepare(entry: RelatedEntry, answered: RelatedEntry | null = null): void {
    this.announced.push(entry);
    this.answered.push(answered);
    if (this.#options.answers === "late") this.waiting.push(entry);
    else this.stream.prepared(entry, this.#seen(entry), this.now);
  }

  translate(direction: Direction, pair: PortPair): PortPair | null {
    return this.#options.translate?.(direction, pair) ?? null;
  }

  explain(decision: Decision): void {
    this.decisions.push(decision);
  }

  abort(reason: string): void {
    this.aborted = reason;
  }

  #seen(entry: RelatedEntry): Endpoint | null {
    return (this.#options.seen ?? asLvsNat)(entry, this.control.virtual);
  }
}

export const describe = ({ kind, from, seen, target }: RelatedEntry): string =>
  `${kind} ${from.address}:${from.port ?? "any"} -> ${seen === null ? "?" : endpointText(seen)} => ${endpointText(target)}`;
