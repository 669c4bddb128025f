/**
 * What the packet path stands on: the host's changes and the devices. It can be had for another configuration while it is
 * stood on: what is new is added first, and what is not needed any more stays until no flow needs it.
 */
import { closeSync } from "node:fs";
import type { Config } from "../../config.ts";
import type { Calls } from "./calls.ts";
import type { Change } from "./change.ts";
import { type Offload, openTun, type TunDevice, takeOffload } from "./device.ts";
import { cleanUp, HostChanges, journalFile, type TakenBack } from "./host.ts";
import type { Direct, Tunnels } from "./messages.ts";
import { asksSources } from "./own-sources.ts";
import { type Passage, passageFor, passageOf } from "./passage.ts";
import { DEVICE, planSetup, type Setup } from "./setup.ts";
import { lookAround } from "./surroundings.ts";

/** What the thread that forwards must know of it. */
export interface Ways {
  readonly direct: Direct;
  readonly tunnels: Tunnels;
}

/** The ground for another configuration: added, and not stood on yet. */
export interface Extension extends Ways {
  /** It is the configuration that runs. */
  commit(): void;
  /** It is not, and what was added goes again. */
  abandon(): void;
}

export class Ground {
  #host: HostChanges | null = null;
  readonly #devices = new Map<string, TunDevice>();
  #calls: Calls | null = null;
  #setup: Setup | null = null;
  /** Of the configuration that runs. */
  #wanted: Passage | null = null;
  /** That, as far as it does for flows of those before it. */
  #passage: Passage | null = null;
  /** There may be something that nobody needs. */
  #stale = false;
  /** Whoever flushed nftables' rules may do so again. */
  #mistrusted = false;

  /** Takes back what a director left that was killed. Throws a PathError where one runs. */
  static cleanUp(calls: Calls, config: Config): TakenBack {
    return cleanUp(journalFile(calls), planSetup(config, lookAround()).changes);
  }

  /** The device that everything comes from. */
  get device(): number {
    return this.#devices.get(DEVICE)!.fd;
  }

  /** Throws a PathError, and then `leave` has to be called. */
  enter(calls: Calls, config: Config): Ways {
    this.#calls = calls;
    const setup = planSetup(config, lookAround());
    const passage = passageOf(config, setup.tunnels);
    this.#open(setup, passage.offload);
    this.#host = new HostChanges(journalFile(calls));
    this.#host.apply(setup.changes);
    this.#setup = setup;
    this.#wanted = passage;
    this.#passage = passage;
    return this.#ways(setup, passage);
  }

  /** Throws a PathError, and then nothing has changed. */
  extend(config: Config): Extension {
    const setup = planSetup(config, lookAround(), this.#setup!.direct);
    const wanted = passageOf(config, setup.tunnels);
    const before = this.#passage!;
    const passage = passageFor(wanted, before);
    const opened = this.#open(setup, passage.offload);
    let takeBack: () => void;
    try {
      takeBack = this.#host!.apply(setup.changes.filter((one) => !this.#mistrusted || !this.#asks(one)));
    } catch (error) {
      this.#close(opened);
      throw error;
    }
    // Both must do until it is known which one it is to be, and no flow of the one before is left.
    this.#take(passage.offload);
    const stale = this.#stale;
    this.#stale = false;
    const commit = (): void => {
      this.#setup = setup;
      this.#wanted = wanted;
      this.#passage = passage;
      this.#stale = true;
    };
    const abandon = (): void => {
      takeBack();
      this.#take(before.offload);
      this.#close(opened);
      this.#stale = stale;
    };
    return { ...this.#ways(setup, passage), commit, abandon };
  }

  #take(offload: Offload): void {
    takeOffload(this.#calls!, this.device, offload);
  }

  /**
   * What is not configured any more goes, but for the ways of `addresses`: flows are left of these. `left`: the engine has
   * some of what was removed. The thread that forwards is told where no tunnel begins any more with the next change.
   */
  settle(addresses: readonly string[], left: boolean): void {
    if (!this.#stale) return;
    const settled = this.#host!.keep(this.#setup!.changes, addresses);
    this.#stale = left || !settled;
    if (left) return;
    this.#passage = this.#wanted!;
    this.#take(this.#passage.offload);
  }

  /** nftables looks at sources in the kernel's place (own-sources.ts). */
  get asksSources(): boolean {
    return this.#host?.changes.some((one) => this.#asks(one)) ?? false;
  }

  /** The kernel is to look at them itself from now on. */
  trustNoRules(): void {
    this.#mistrusted = true;
    this.#host?.withdraw((one) => this.#asks(one));
  }

  readonly #asks = (change: Change): boolean => asksSources(change, this.#devices);

  get stale(): boolean {
    return this.#stale;
  }

  /** Settings that somebody else has changed, and that are left so. */
  leave(): readonly string[] {
    const taken = this.#host?.takeBack();
    this.#close([...this.#devices.keys()]);
    return taken?.leftAlone ?? [];
  }

  #open({ direct }: Setup, offload: Offload): string[] {
    const missing = [DEVICE, ...direct.values()].filter((name) => !this.#devices.has(name));
    const opened: string[] = [];
    try {
      for (const name of missing) {
        this.#devices.set(name, openTun(this.#calls!, name, offload));
        opened.push(name);
      }
    } catch (error) {
      this.#close(opened);
      throw error;
    }
    return opened;
  }

  #close(names: readonly string[]): void {
    for (const name of names) {
      closeSync(this.#devices.get(name)!.fd);
      this.#devices.delete(name);
    }
  }

  #ways({ direct }: Setup, { tunnels }: Passage): Ways {
    const fds = [...direct].map(([real, device]) => [real, this.#devices.get(device)!.fd] as const);
    return { direct: Object.fromEntries(fds), tunnels };
  }
}
