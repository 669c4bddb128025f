/**
 * A model of a TCP end, as plain as it can be and as particular as an end may be: what comes to it must be a segment
 * that a correct connection could have brought. It knows nothing of what stands between it and its peer.
 *
 * Offsets count from the byte behind the SYN.
 */
import { ACK, decode, encode, FIN, type Header, PSH, RST, SYN } from "./wire.ts";

export interface PeerOptions {
  /** Initial sequence number. */
  readonly isn: number;
  readonly nagle: boolean;
  readonly delayedAck: boolean;
  readonly sack: boolean;
  readonly timestamps: boolean;
  readonly scale: number | null;
  /** What it will receive in one segment. */
  readonly mss: number;
  /** What it sends in one segment at most. */
  readonly segment: number;
  /** Receive buffer. */
  readonly buffer: number;
  /** Milliseconds until it has read what has come; null: it reads at once. */
  readonly slow: number | null;
}

export interface World {
  readonly now: number;
  at(delay: number, then: () => void): void;
  random(): number;
}

const FIRST_TIMEOUT = 400;
const MOST_TIMEOUT = 3000;
const DELAYED_ACK = 100;
/** Segments; instead of congestion control. */
const MOST_IN_FLIGHT = 32;

type State = "closed" | "listen" | "syn-sent" | "syn-received" | "established";

export class Peer {
  readonly name: string;
  readonly options: PeerOptions;
  readonly #world: World;
  readonly #send: (segment: Uint8Array) => void;
  readonly #changed: () => void;
  state: State = "closed";

  // What it sends.
  #written: number[] = [];
  #closing = false;
  #peerFirst = 0;
  una = 0;
  nxt = 0;
  #maximum = 0;
  #window = 0;
  #windowAt = -1;
  #limit = 536;
  #timeout = FIRST_TIMEOUT;
  #timer = 0;
  #duplicates = 0;
  #recover = 0;
  #sacked: (readonly [number, number])[] = [];
  #peerScale = 0;
  #scale = 0;
  #sack = false;
  #timestamps = false;

  // What it receives.
  readonly received: number[] = [];
  /** Everything that ever came, by offset, to see that it never comes differently. */
  readonly #seen: number[] = [];
  readonly #pieces = new Set<number>();
  #have = 0;
  #unread = 0;
  #edge = 0;
  #unacknowledged = 0;
  #ackTimer = 0;
  #recent = 0;
  peerFin: number | null = null;
  finReceived = false;

  constructor(
    name: string,
    options: PeerOptions,
    world: World,
    send: (segment: Uint8Array) => void,
    changed: () => void,
  ) {
    this.name = name;
    this.options = options;
    this.#world = world;
    this.#send = send;
    this.#changed = changed;
  }

  get #first(): number {
    return (this.options.isn + 1) >>> 0;
  }

  /** All that it has to say is acknowledged. */
  get delivered(): boolean {
    return this.una === this.#written.length + (this.#closing ? 1 : 0);
  }

  connect(): void {
    this.state = "syn-sent";
    this.#sendSyn();
  }

  listen(): void {
    this.state = "listen";
  }

  write(bytes: Uint8Array): void {
    for (const byte of bytes) this.#written.push(byte);
    this.#transmit();
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#transmit();
  }

  receive(bytes: Uint8Array): void {
    const header = decode(bytes);
    if ((header.flags & RST) !== 0) this.#fail("got a RST");
    if ((header.flags & SYN) !== 0) this.#handshake(header);
    else if (this.state === "syn-received" || this.state === "established") this.#segment(header);
    this.#changed();
  }

  // --- the handshake --------------------------------------------------------------------------------------------------

  #sendSyn(): void {
    const { isn, mss, sack, timestamps, scale } = this.options;
    const answer = this.state === "syn-received";
    this.#edge = Math.min(65535, this.options.buffer);
    this.#send(
      encode({
        sequence: isn,
        acknowledgment: answer ? this.#peerFirst : 0,
        flags: answer ? SYN | ACK : SYN,
        window: this.#edge,
        mss,
        sackPermitted: answer ? this.#sack : sack,
        timestamps: (answer ? this.#timestamps : timestamps) ? [this.#clock(), this.#recent] : null,
        scale: answer && this.#peerScale < 0 ? null : scale,
      }),
    );
    const { state } = this;
    this.#world.at(this.#timeout, () => {
      if (this.state === state) this.#sendSyn();
    });
  }

  #handshake(header: Header): void {
    if (header.payload.length > 0) this.#fail("got a SYN with payload");
    const answer = (header.flags & ACK) !== 0;
    if (this.state === "established") this.#acknowledge();
    if (this.state === "syn-received" && !answer) this.#sendSyn();
    if (this.state !== (answer ? "syn-sent" : "listen")) return;
    this.#agree(header);
    if (this.state === "listen") {
      this.state = "syn-received";
      this.#sendSyn();
    } else {
      if (header.acknowledgment !== this.#first) this.#fail("its SYN is acknowledged wrongly");
      this.state = "established";
      this.#acknowledge();
      this.#transmit();
    }
  }

  #agree(header: Header): void {
    const { scale, sack, timestamps } = this.options;
    this.#peerFirst = (header.sequence + 1) >>> 0;
    this.#limit = Math.min(header.mss ?? 536, this.options.segment);
    this.#peerScale = header.scale !== null && scale !== null ? header.scale : -1;
    this.#scale = this.#peerScale < 0 ? 0 : scale!;
    this.#sack = sack && header.sackPermitted;
    this.#timestamps = timestamps && header.timestamps !== null;
    this.#recent = header.timestamps?.[0] ?? 0;
    this.#window = header.window;
  }

  // --- segments -------------------------------------------------------------------------------------------------------

  #segment(header: Header): void {
    const start = this.#have + ((header.sequence - this.#peerFirst - this.#have) | 0);
    const length = header.payload.length + (header.flags & FIN);
    if (header.payload.length > this.options.mss) this.#fail(`got ${length} bytes, and takes ${this.options.mss}`);
    this.#compare(header, start);
    if (this.#timestamps && !this.#isFresh(header)) {
      if (length > 0) this.#acknowledge();
      return;
    }
    const end = start + length;
    const old = length === 0 ? start < this.#have : end <= this.#have;
    if (old || start > this.#edge) {
      this.#acknowledge();
      if (length === 0 || old) return;
    }
    if ((header.flags & ACK) === 0) this.#fail("got a segment without ACK");
    if (this.#timestamps && start <= this.#have) this.#recent = header.timestamps![0];
    this.#hear(header, start, length === 0);
    if (length > 0) this.#take(header, start);
    this.#transmit();
  }

  /** RFC 7323 §5.3, and more: nobody but itself can have set its clock. */
  #isFresh({ timestamps }: Header): boolean {
    if (timestamps === null) this.#fail("got a segment without timestamps");
    const [value, echo] = timestamps;
    if (((echo - this.#clock()) | 0) > 0) this.#fail("its clock is echoed from the future");
    return ((value - this.#recent) | 0) >= 0;
  }

  #hear(header: Header, start: number, bare: boolean): void {
    const acknowledged = this.una + ((header.acknowledgment - this.#first - this.una) | 0);
    if (acknowledged > this.#maximum) this.#fail(`is told of ${acknowledged}, and sent ${this.#maximum}`);
    if (acknowledged < this.una) return;
    this.state = "established";
    const window = header.window * 2 ** Math.max(0, this.#peerScale);
    this.#noteSack(header);
    if (acknowledged > this.una) {
      this.una = acknowledged;
      this.nxt = Math.max(this.nxt, this.una);
      this.#window = window;
      this.#windowAt = start;
      this.#duplicates = 0;
      this.#timeout = FIRST_TIMEOUT;
      this.#sacked = this.#sacked.filter(([, right]) => right > this.una);
      this.#rearm();
      if (this.una < this.#recover) this.#retransmit();
    } else {
      const same = window === this.#window;
      if (start > this.#windowAt || (start === this.#windowAt && window > this.#window)) {
        this.#window = window;
        this.#windowAt = start;
      }
      if (bare && same && this.nxt > this.una && ++this.#duplicates === 3 && this.una >= this.#recover) {
        this.#recover = this.nxt;
        this.#retransmit();
      }
    }
  }

  #noteSack({ sack }: Header): void {
    if (sack.length > 0 && !this.#sack) this.#fail("got SACK blocks, and did not ask for any");
    for (const [left, right] of sack) {
      const from = this.una + ((left - this.#first - this.una) | 0);
      const to = this.una + ((right - this.#first - this.una) | 0);
      if (to <= from || to > this.#maximum) this.#fail(`is told of a block ${from}..${to}, and sent ${this.#maximum}`);
      if (from > this.una) this.#sacked.push([from, to]);
    }
  }

  /** Whatever came before of this must have been the same. */
  #compare({ payload, flags }: Header, start: number): void {
    for (let i = 0; i < payload.length; i++) {
      if (start + i < 0) continue;
      const before = this.#seen[start + i];
      if (before !== undefined && before !== payload[i]) this.#fail(`byte ${start + i} came twice, and differently`);
      this.#seen[start + i] = payload[i]!;
    }
    if ((flags & FIN) === 0) return;
    const fin = start + payload.length;
    if (this.peerFin !== null && this.peerFin !== fin) this.#fail("the end came twice, and differently");
    this.peerFin = fin;
  }

  #take({ payload, flags }: Header, start: number): void {
    const before = this.#have;
    for (let i = 0; i < payload.length; i++) {
      const at = start + i;
      if (at >= this.#have && at < this.#edge) this.#pieces.add(at);
    }
    if ((flags & FIN) !== 0 && start + payload.length <= this.#edge) this.#pieces.add(start + payload.length);
    while (this.#pieces.delete(this.#have)) {
      if (this.#have === this.peerFin) this.finReceived = true;
      else {
        this.received.push(this.#seen[this.#have]!);
        this.#unread++;
      }
      this.#have++;
    }
    if (this.#have > before) this.#read();
    const inOrder = start <= before && this.#have > before && this.#pieces.size === 0;
    this.#unacknowledged++;
    if (!inOrder || !this.options.delayedAck || this.#unacknowledged >= 2 || this.finReceived) this.#acknowledge();
    else {
      const timer = ++this.#ackTimer;
      this.#world.at(DELAYED_ACK, () => {
        if (timer === this.#ackTimer && this.#unacknowledged > 0) this.#acknowledge();
      });
    }
  }

  /** The application reads. */
  #read(): void {
    const { slow } = this.options;
    if (slow === null) {
      this.#unread = 0;
      return;
    }
    this.#world.at(slow, () => {
      if (this.#unread === 0) return;
      this.#unread = 0;
      if (this.#edge - this.#have < this.options.buffer / 2) this.#acknowledge();
    });
  }

  // --- what it says -----------------------------------------------------------------------------------------------------

  #clock(): number {
    return (this.options.isn + Math.floor(this.#world.now)) >>> 0;
  }

  #common(): Partial<Header> {
    this.#unacknowledged = 0;
    const free = this.options.buffer - this.#unread;
    const window = Math.min(65535, Math.max(this.#edge - this.#have, free) >>> this.#scale);
    this.#edge = Math.max(this.#edge, this.#have + window * 2 ** this.#scale);
    return {
      acknowledgment: (this.#peerFirst + this.#have) >>> 0,
      window,
      timestamps: this.#timestamps ? [this.#clock(), this.#recent] : null,
    };
  }

  #acknowledge(): void {
    if (this.state === "syn-sent") return;
    this.#send(
      encode({ sequence: (this.#first + this.nxt) >>> 0, flags: ACK, ...this.#common(), sack: this.#blocks() }),
    );
  }

  #blocks(): [number, number][] {
    if (!this.#sack) return [];
    const blocks: [number, number][] = [];
    for (const at of [...this.#pieces].sort((a, b) => a - b)) {
      const last = blocks.at(-1);
      if (last !== undefined && last[1] === at) last[1] = at + 1;
      else blocks.push([at, at + 1]);
    }
    const wire = (at: number) => (this.#peerFirst + at) >>> 0;
    return blocks.slice(0, this.#timestamps ? 3 : 4).map(([l, r]) => [wire(l), wire(r)]);
  }

  get #end(): number {
    return this.#written.length + (this.#closing ? 1 : 0);
  }

  #transmit(): void {
    if (this.state !== "established") return;
    while (this.nxt < this.#end) {
      const data = this.#written.length - this.nxt;
      const room = this.una + Math.min(this.#window, MOST_IN_FLIGHT * this.#limit) - this.nxt;
      const length = Math.max(0, Math.min(this.#limit, data, room));
      if (length === 0 && data > 0) break;
      const fin = this.#closing && length === data;
      if (this.options.nagle && !fin && length < this.#limit && this.nxt > this.una) break;
      this.#sendAt(this.nxt, length, fin);
      this.nxt += length + (fin ? 1 : 0);
      this.#maximum = Math.max(this.#maximum, this.nxt);
    }
    if (this.#timer === 0) this.#rearm();
  }

  #sendAt(at: number, length: number, fin: boolean): void {
    this.#send(
      encode({
        sequence: (this.#first + at) >>> 0,
        flags: ACK | (length > 0 ? PSH : 0) | (fin ? FIN : 0),
        payload: Uint8Array.from(this.#written.slice(at, at + length)),
        ...this.#common(),
      }),
    );
  }

  /** The first hole, in a segment of another length than before, perhaps. */
  #retransmit(): void {
    let at = this.una;
    for (let moved = true; moved; ) {
      moved = false;
      for (const [left, right] of this.#sacked) {
        if (at >= left && at < right) {
          at = right;
          moved = true;
        }
      }
    }
    if (at >= this.nxt) at = this.una;
    const data = Math.min(this.nxt, this.#written.length) - at;
    const length = Math.max(0, Math.min(data, Math.ceil(this.#world.random() * this.#limit)));
    this.#sendAt(at, length, this.#closing && this.nxt === this.#end && at + length === this.#written.length);
  }

  #rearm(): void {
    const timer = ++this.#timer;
    if (this.una === this.#end) {
      this.#timer = 0;
      return;
    }
    this.#world.at(this.#timeout, () => {
      if (timer === this.#timer) this.#fire();
    });
  }

  #fire(): void {
    this.#timeout = Math.min(this.#timeout * 2, MOST_TIMEOUT);
    this.#sacked = [];
    this.#duplicates = 0;
    if (this.nxt > this.una) {
      // Everything again from there: half of it arrived, perhaps.
      this.nxt = this.una;
      this.#recover = this.una;
      this.#transmit();
    } else if (this.#world.random() < 0.5) {
      // A probe of a closed window, as Linux sends it, or as BSD does: with a byte that may not be taken.
      this.#send(encode({ sequence: (this.#first + this.una - 1) >>> 0, ...this.#common() }));
    } else {
      this.#maximum = Math.max(this.#maximum, this.nxt + 1);
      this.#sendAt(this.nxt, Math.min(1, this.#written.length - this.nxt), false);
    }
    this.#rearm();
  }

  #fail(what: string): never {
    throw new Error(`${this.name} ${what}`);
  }
}
