/**
 * The loop that forwards. It never returns to Node's event loop: what the main thread has to say is looked for every few
 * milliseconds, or when `wake` is readable.
 *
 *   receive -> engine -> forward        a batch at a time, until nothing is left
 *   advance, commands, events           every TICK milliseconds
 *   wait                                when there was nothing
 */
import type { Balancer } from "../../../core/balancer.ts";
import type { Output } from "../../../core/engine/batch.ts";
import type { Engine } from "../../../core/engine.ts";
import type { Ms } from "../../../core/units.ts";
import { now } from "../../clock.ts";
import type { PacketPort } from "./port.ts";

const TICK = 10;
/** Without a flow nothing can be due soon. */
const IDLE = 100;
const SWEEP = 250;

export interface LoopHost {
  /** Hears commands, tells events. Called about every TICK milliseconds. */
  tick(at: Ms): void;
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

  /** Returns when it was stopped. */
  run(): void {
    while (!this.#stopped) {
      const count = this.#port.receive();
      const at = now();
      if (count > 0) this.#process(at);
      if (at >= this.#nextTick) this.#tick(at);
      if (count === 0) this.#wait();
    }
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

  #wait(): void {
    this.#port.wait(this.#engine.table.size > 0 ? TICK : IDLE);
    this.#nextTick = 0;
  }
}
