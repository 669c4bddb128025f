/**
 * The loop that forwards. It returns to Node's event loop only when something that was asked waits for that: what the main
 * thread has to say is looked for every few milliseconds, or when `wake` is readable.
 *
 *   receive -> engine -> forward        a batch at a time, until nothing is left
 *   advance, commands, events           every TICK milliseconds
 *   work                                a little of what was asked
 *   wait                                when there was nothing, and is not expected at once
 */
import type { Balancer } from "../../../core/balancer.ts";
import type { Output } from "../../../core/engine/batch.ts";
import type { Engine } from "../../../core/engine.ts";
import type { Ms } from "../../../core/units.ts";
import type { PacketPort } from "./port.ts";

const TICK = 10;
/** Without a flow nothing can be due soon. */
const IDLE = 100;
const SWEEP = 250;
/** A short pause, in milliseconds: what a sleeping machine takes to wake up (as the kernel's guest_halt_poll_ns). */
const BRIEF = 0.2;

export interface LoopHost {
  /** A monotonic clock. */
  now(): Ms;
  /** Hears commands, tells events. Called about every TICK milliseconds, and when `wake` was readable. */
  tick(at: Ms): void;
  /** A little of what was asked: whether there is more of it; "wait": not before Node's event loop was returned to. */
  work(): "none" | "more" | "wait";
}

export class PacketLoop {
  readonly #port: PacketPort;
  readonly #engine: Engine;
  readonly #balancer: Balancer;
  readonly #out: Output;
  readonly #host: LoopHost;
  /** When the last packet came. */
  lastPacket = 0 as Ms;
  #stopped = false;
  /** The last pause between packets was. */
  #brief = false;
  #nextTick = 0;
  #nextSweep = 0;

  constructor(port: PacketPort, engine: Engine, balancer: Balancer, out: Output, host: LoopHost) {
    this.#port = port;
    this.#engine = engine;
    this.#balancer = balancer;
    this.#out = out;
    this.#host = host;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Returns when it was stopped: true; or when Node's event loop must turn: false. */
  run(): boolean {
    while (!this.#stopped) {
      const count = this.#port.receive();
      const at = this.#host.now();
      if (count > 0) this.#process(at);
      if (at >= this.#nextTick) this.#tick(at);
      const work = this.#host.work();
      if (work === "wait") return false;
      if (count > 0 || work === "more" || this.#stopped) continue;
      if (this.#lingers(at)) this.#port.pause();
      else this.#wait(at);
    }
    return true;
  }

  #process(at: Ms): void {
    this.lastPacket = at;
    this.#engine.process(this.#port.batch, at, this.#out);
    this.#port.forward(this.#out);
    this.#port.sendOwn(this.#out);
  }

  #tick(at: Ms): void {
    this.#nextTick = at + TICK;
    this.#engine.advance(at, this.#out);
    this.#port.sendOwn(this.#out);
    if (at >= this.#nextSweep) {
      this.#nextSweep = at + SWEEP;
      this.#balancer.advance(at);
    }
    this.#host.tick(at);
  }

  /** Where packets come in quick succession, asking again is cheaper than going to sleep and being woken, and sooner. */
  #lingers(at: Ms): boolean {
    return this.#brief && at - this.lastPacket < BRIEF;
  }

  /** Packets end the wait too, and must not pay for a tick each. */
  #wait(at: Ms): void {
    const timeout = this.#engine.table.size > 0 ? Math.max(1, Math.ceil(this.#nextTick - at)) : IDLE;
    if (this.#port.wait(timeout)) this.#nextTick = 0;
    this.#brief = this.#host.now() - this.lastPacket < BRIEF;
  }
}
