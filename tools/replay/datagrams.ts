import type { Helper } from "../../core/helper/api.ts";
import type { ControlObserver, ObservedAnnouncement } from "../../core/inspect/observe.ts";
import { RequestObserver } from "../../core/inspect/requests.ts";
import type { Direction } from "../../core/units.ts";
import { Control, type Place } from "./control.ts";
import type { End } from "./flows.ts";
import { isForeign, newTally, type Tally } from "./strangers.ts";

/** The flow of a datagram protocol between two ends, all through a capture: each datagram is shown to the helper whole. */
export class UdpControl extends Control {
  readonly transport = "udp";
  readonly helper: Helper;
  protected readonly observer: ControlObserver;
  /** Announcements that were looked at for an answer on this flow itself, by who would give it. */
  readonly #looked: Record<Direction, number> = { original: 0, reply: 0 };
  override readonly requests: RequestObserver | null;
  readonly #tally = newTally();
  readonly #answered = new Map<ObservedAnnouncement, number>();

  constructor(helper: Helper, place: Place) {
    super(place);
    this.helper = helper;
    this.observer = this.observe(helper);
    const { requests, limits } = helper;
    const settings = { strict: false, hold: limits.hold };
    this.requests = requests === undefined ? null : new RequestObserver(requests, this.client, settings);
  }

  override get tally(): Tally {
    return this.#tally;
  }

  get confirmed(): boolean | null {
    return this.tally.said > 0 ? !this.observer.disowned && !this.isForeign : null;
  }

  override get isForeign(): boolean {
    return isForeign(this.tally, this.observer.detached);
  }

  override answered(observed: ObservedAnnouncement): number | null {
    return this.#answered.get(observed) ?? null;
  }

  datagram(end: End, payload: Uint8Array, frame: number): void {
    const direction = this.direction(end);
    this.#answer(direction, frame);
    const [faults, notes] = [this.faults.length, this.notes.length];
    this.observer.data(direction, payload, frame);
    if (payload.length > 0) this.#count(faults, notes);
    this.requests?.datagram(direction, payload, frame);
  }

  close(): void {}

  /** A datagram was read; `faults`, `notes`: as many there were before it. */
  #count(faults: number, notes: number): void {
    const { tally, helper } = this;
    tally.said++;
    if (tally.known) return;
    const remarks = [...this.faults.slice(faults), ...this.notes.slice(notes)];
    tally.known = remarks.length === 0;
    if (!tally.known && remarks.every(({ code }) => helper.foreign?.includes(code))) tally.foreign++;
  }

  /** A TFTP server may answer from port 69: what was announced is then this flow. */
  #answer(opener: Direction, frame: number): void {
    const listener = opener === "reply" ? this.client : this.server;
    const { announcements } = this;
    for (; this.#looked[opener] < announcements.length; this.#looked[opener]++) {
      const observed = announcements[this.#looked[opener]]!;
      const { announcement } = observed;
      const { address, port } = announcement.to;
      const here = port === listener.port && (address === null || address.equals(listener.address));
      if (here && announcement.transport === "udp" && announcement.opener === opener) {
        this.#answered.set(observed, frame);
      }
    }
  }
}
