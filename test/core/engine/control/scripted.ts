/**
 * A control connection whose segments are written down one by one. Numbers are offsets: 0 is the byte behind the SYN.
 *
 *     const talk = new Scripted().open();
 *     talk.client("NOOP\r\n")    ->  ['> 0 ack 0 "NOOP\\r\\n"']      to the server
 *     talk.server(6, "")         ->  ["< 0 ack 6"]                   to the client
 */
import { ControlFlow } from "../../../../core/engine/control/flow.ts";
import { lengthOf, writeSegment } from "../../../../core/engine/control/segment.ts";
import type { RelatedEntry } from "../../../../core/flow/related.ts";
import type { Helper } from "../../../../core/helper/api.ts";
import type { OnFailure } from "../../../../core/helper/run.ts";
import type { Direction, Endpoint, Ms } from "../../../../core/units.ts";
import { viewOf } from "../../../../core/wire/bytes.ts";
import { helpers } from "../../../../helpers/index.ts";
import { endpoint } from "../../../addresses.ts";
import { asLvsNat, CLIENT, ftpService, makeBalancer, VIP } from "../../../conversation.ts";
import { ACK, decode, encode, FIN, type Header, PSH, RST, SYN, URG } from "./wire.ts";

export interface ScriptedOptions {
  readonly helper?: Helper;
  readonly late?: boolean;
  readonly isn?: Readonly<Record<Direction, number>>;
  readonly syn?: Partial<Header>;
  readonly synAck?: Partial<Header>;
  readonly onFailure?: OnFailure;
  readonly vip?: string;
}

/** What a segment is, beyond what it says; offsets, where the header has numbers. */
export interface Said extends Partial<Omit<Header, "sack">> {
  /** Where it begins. Else: behind what was said last. */
  readonly at?: number;
  readonly ack?: number;
  readonly sack?: readonly (readonly [number, number])[];
}

const ftp = helpers.find(({ name }) => name === "ftp")!;

export class Scripted {
  readonly flow: ControlFlow;
  readonly asked: RelatedEntry[] = [];
  readonly rejected: string[] = [];
  readonly emitted: (Header & { readonly direction: Direction })[] = [];
  now = 0;
  readonly #isn: Readonly<Record<Direction, number>>;
  readonly #options: ScriptedOptions;
  /** What each side has said, and what it has heard without a hole. */
  readonly said = { original: 0, reply: 0 };
  readonly heard = { original: 0, reply: 0 };
  /** What each side's segments say of its window, where the test does not. */
  readonly window: Readonly<Record<Direction, number>>;

  constructor(options: ScriptedOptions = {}) {
    this.#options = options;
    this.#isn = options.isn ?? { original: 1000, reply: 5000 };
    this.window = { original: options.syn?.window ?? 65535, reply: options.synAck?.window ?? 65535 };
    const virtual = options.vip === undefined ? VIP : endpoint(options.vip, 21);
    const balancer = makeBalancer([ftpService({ address: virtual.address })]);
    const entry = balancer.admit("tcp", CLIENT, virtual, 0 as Ms);
    if (typeof entry === "string") throw new Error(entry);
    const prepare = (related: RelatedEntry) => {
      this.asked.push(related);
      if (!options.late) this.flow.prepared(related, asLvsNat(related, virtual), this.now as Ms);
    };
    const { helper = ftp, onFailure = "open" } = options;
    const settings = { strict: false, hold: helper.limits.hold };
    const host = { prepare, explain: () => {} };
    this.flow = new ControlFlow(
      { helper, settings, entry, balancer, host, onRefuse: "refuse", onFailure },
      {
        emit: (direction, segment) => {
          const bytes = new Uint8Array(lengthOf(segment));
          writeSegment(segment, (40000 << 16) | 21, 0, viewOf(bytes), 0);
          const header = { ...decode(bytes), direction };
          this.emitted.push(header);
          this.#note(header);
        },
        reject: (_direction, reason) => this.rejected.push(reason),
      },
    );
  }

  /** The handshake. */
  open(): this {
    const { syn = {}, synAck = {} } = this.#options;
    this.segment("original", { flags: SYN, at: -1, ...syn });
    this.segment("reply", { flags: SYN | ACK, at: -1, ack: 0, ...synAck });
    this.segment("original", {});
    this.emitted.length = 0;
    return this;
  }

  /** And a login, of which nothing is left to do. */
  login(): this {
    this.open();
    this.server("220 ready\r\n");
    this.client("USER x\r\n");
    this.server("230 Logged in.\r\n");
    this.client("");
    this.emitted.length = 0;
    return this;
  }

  client(text: string, said: Said = {}): string[] {
    return this.segment("original", { payload: Buffer.from(text, "latin1"), ...said });
  }

  server(text: string, said: Said = {}): string[] {
    return this.segment("reply", { payload: Buffer.from(text, "latin1"), ...said });
  }

  /** Returns what goes out because of it. */
  segment(direction: Direction, { at, ack, sack, ...header }: Said): string[] {
    const back: Direction = direction === "original" ? "reply" : "original";
    const from = at ?? this.said[direction];
    const wire = (way: Direction, offset: number) => (this.#isn[way] + 1 + offset) >>> 0;
    const length = (header.payload?.length ?? 0) + ((header.flags ?? 0) & FIN);
    if (((header.flags ?? 0) & SYN) === 0) this.said[direction] = Math.max(this.said[direction], from + length);
    const flags = header.flags ?? (length > 0 ? ACK | PSH : ACK);
    const bytes = encode({
      window: this.window[direction],
      ...header,
      flags,
      sequence: wire(direction, from),
      acknowledgment: (flags & ACK) === 0 ? 0 : wire(back, ack ?? this.heard[back]),
      sack: (sack ?? []).map(([left, right]) => [wire(back, left), wire(back, right)] as const),
    });
    return this.#doing(() => this.flow.segment(direction, bytes, 0, bytes.length, this.now as Ms));
  }

  /** Time passes, and the machine does what it asked to be woken for. */
  wait(milliseconds: number): string[] {
    const until = this.now + milliseconds;
    return this.#doing(() => {
      while (this.flow.deadline <= until) {
        this.now = Math.max(this.now, this.flow.deadline);
        this.flow.advance(this.now as Ms);
      }
      this.now = until;
    });
  }

  /** Until the machine wants to be woken. */
  tick(): string[] {
    if (this.flow.deadline === Number.POSITIVE_INFINITY) throw new Error("the machine waits for nothing");
    return this.wait(this.flow.deadline - this.now);
  }

  answer(seen: Endpoint | null): string[] {
    return this.#doing(() => this.flow.prepared(this.asked.shift()!, seen, this.now as Ms));
  }

  get last(): Header & { readonly direction: Direction } {
    return this.emitted.at(-1)!;
  }

  /** Where the window last told to the sender of `direction` ends. */
  edge(direction: Direction, scale = 0): number {
    const told = this.emitted.findLast((header) => header.direction !== direction)!;
    return ((told.acknowledgment - this.#isn[direction] - 1) | 0) + told.window * 2 ** scale;
  }

  #doing(act: () => void): string[] {
    const before = this.emitted.length;
    act();
    return this.emitted.slice(before).map((header) => this.#line(header));
  }

  #note({ direction, sequence, payload, flags }: Header & { readonly direction: Direction }): void {
    if ((flags & SYN) !== 0) return;
    const from = (sequence - this.#isn[direction] - 1) | 0;
    const end = from + payload.length + (flags & FIN);
    if (from <= this.heard[direction]) this.heard[direction] = Math.max(this.heard[direction], end);
  }

  #line({ direction, flags, sequence, acknowledgment, payload }: Header & { readonly direction: Direction }): string {
    const back: Direction = direction === "original" ? "reply" : "original";
    const offset = (way: Direction, number: number) => (number - this.#isn[way] - 1) | 0;
    const letters = [
      [SYN, " SYN"],
      [FIN, " FIN"],
      [RST, " RST"],
      [URG, " URG"],
    ] as const;
    const named = letters.map(([flag, name]) => ((flags & flag) === 0 ? "" : name)).join("");
    const acknowledged = (flags & ACK) === 0 ? "" : ` ack ${offset(back, acknowledgment)}`;
    const said = payload.length === 0 ? "" : ` ${JSON.stringify(Buffer.from(payload).toString("latin1"))}`;
    return `${direction === "original" ? ">" : "<"}${named} ${offset(direction, sequence)}${acknowledged}${said}`;
  }
}
