/**
 * What may be done to a director that runs: each change is a change of its configuration, which is checked, compared
 * with the one that runs, and applied, one after the other.
 */
import { isDeepStrictEqual } from "node:util";
import { endpointText } from "../../core/units.ts";
import { problemText, quote } from "../config/problem.ts";
import { type Config, checkDocument, type Document, loadConfig, parseConfig } from "../config.ts";
import { ChangeError } from "../datapath/change-error.ts";
import type { Datapath } from "../datapath/path.ts";
import { targetsOf } from "../health/targets.ts";
import type { Log } from "../log.ts";
import type { PathName } from "../paths.ts";
import { type Kept, WeightsByHand } from "./by-hand.ts";
import { difference } from "./difference.ts";
import { canonical, editRealserver, findRealserver } from "./document.ts";
import type { FlowCounts, Measured, Operated, Page, Query, RelatedState, Scope, ServiceState } from "./operated.ts";
import { Refusal } from "./refusal.ts";

export interface OperatorOptions {
  readonly config: Config;
  readonly path: Datapath;
  readonly pathName: PathName;
  readonly log: Log;
  /** Told of the configuration that runs from now on. */
  readonly changed: (config: Config) => Promise<void>;
}

/** What a change does, or would do. */
export interface Plan {
  /** A sentence each. */
  readonly changes: readonly string[];
  /** Odd, but it can run: `file:line:column: …`. */
  readonly warnings: readonly string[];
  /** What the file says otherwise and stays, since it was set while the director ran: a sentence each. */
  readonly kept: readonly string[];
}

export interface Drain {
  readonly service: string;
  readonly realserver: string;
  /** Flows it still has. */
  readonly flows: FlowCounts;
  readonly left: number;
}

/** What runs from now on. */
interface Next {
  readonly config: Config;
  readonly kept?: readonly string[];
  /** It does. */
  readonly applied: () => void;
}

export class Operator {
  readonly #options: OperatorOptions;
  readonly #since = new Date();
  /** What is read again: the file that it was started with, whatever was applied since. */
  readonly #file: string;
  #config: Config;
  /** As the file was read last. */
  #written: Config;
  readonly #byHand = new WeightsByHand();
  #busy: Promise<unknown> = Promise.resolve();
  #reloads = 0;
  /** It takes no new clients any more. */
  draining = false;

  constructor(options: OperatorOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#written = options.config;
    this.#file = options.config.file;
  }

  get config(): Config {
    return this.#config;
  }

  /** The path; some cannot be operated. */
  get path(): Operated {
    const { operated } = this.#options.path;
    if (operated !== null) return operated;
    throw new Refusal(
      501,
      "not-operated",
      `the path ${this.#options.pathName} cannot be asked while it runs`,
      "restart it",
    );
  }

  /** Changes that were applied. */
  get changes(): number {
    return this.#reloads;
  }

  /** By name; every path has them. */
  counts(): Promise<Readonly<Record<string, number>>> {
    return this.#options.path.counts();
  }

  /** None where the path cannot be operated. */
  async services(): Promise<readonly ServiceState[]> {
    return this.#options.path.operated?.services() ?? [];
  }

  /** `scope` with names as the path has them. Of nobody nothing is done, and that is not what was asked for. */
  async known<S extends Scope>(scope: S): Promise<S> {
    const { service, realserver } = scope;
    if (service === undefined && realserver === undefined) return scope;
    const all = await this.path.services();
    const those = all.filter(({ name }) => service === undefined || name === service);
    if (those.length === 0) {
      const known = `known: ${all.map(({ name }) => name).join(", ")}`;
      throw new Refusal(404, "no-such-service", `${quote(service)} is no service`, known);
    }
    if (realserver === undefined) return scope;
    const keys = new Set(those.flatMap(({ realservers }) => realservers.map((one) => one.realserver)));
    const key = canonical(realserver);
    if (keys.has(key)) return { ...scope, realserver: key };
    const known = `known: ${[...keys].join(", ")}`;
    throw new Refusal(404, "no-such-realserver", `${quote(realserver)} is no realserver here`, known);
  }

  /** null: the path measures nothing. */
  async measured(): Promise<Measured | null> {
    return (await this.#options.path.operated?.measured?.()) ?? null;
  }

  async related(query: Query): Promise<Page<RelatedState>> {
    return this.#options.path.operated?.related(query) ?? { items: [], next: null };
  }

  async status(): Promise<Readonly<Record<string, unknown>>> {
    const { path, pathName } = this.#options;
    const { waiting, heldBytes } = (await this.measured()) ?? {};
    return {
      pid: process.pid,
      path: pathName,
      ...path.about,
      file: this.#file,
      since: this.#since.toISOString(),
      services: this.#config.services.length + this.#config.groups.length,
      changes: this.#reloads,
      memory: process.memoryUsage.rss(),
      // Absent where nothing measures them.
      waiting,
      heldBytes,
    };
  }

  /** What `text`, as the file `file`, would change. Throws a ConfigError, and a ChangeError where that is refused. */
  plan(text: string, file: string): Plan {
    const config = this.#read(text, file);
    this.#refuse(config);
    return this.#compare(config);
  }

  /**
   * Applies `text` as the file `file`, all that it says. `mayLoad`: also what runs programs or reads files that it did not
   * before, and what tells others what is in them.
   */
  apply(text: string, file: string, mayLoad: boolean): Promise<Plan> {
    return this.#change(async () => {
      const config = this.#read(text, file);
      if (!mayLoad) this.#refuseFromAfar(config);
      return { config, applied: () => this.#byHand.keep([]) };
    });
  }

  /** Reads its file again. Weights that were set while it ran stay, where the file says what it said before. */
  reload(): Promise<Plan> {
    const { pathName: path } = this.#options;
    return this.#change(async () => {
      const read = await loadConfig(this.#file, { path });
      const kept = this.#byHand.keptIn(this.#written, read);
      const applied = (): void => {
        this.#byHand.keep(kept);
        this.#written = read;
      };
      return { config: this.#with(read, kept), kept: kept.map(keptText), applied };
    });
  }

  /** Applies what `change` makes of the configuration that runs; `mayLoad`: as above. */
  edit(change: (config: Config) => Document, mayLoad: boolean): Promise<Plan> {
    return this.#change(async () => {
      const before = this.#config;
      const config = this.#check(change(before));
      if (!mayLoad) this.#refuseFromAfar(config);
      return { config, applied: () => this.#byHand.note(before, config) };
    });
  }

  /** What a realserver still has. */
  async drained(service: string, text: string): Promise<Drain> {
    const { key } = findRealserver(this.#config, service, text);
    const state = (await this.path.services()).find(({ name, removed }) => name === service && !removed);
    const flows = state?.realservers.find(({ realserver }) => realserver === key)?.flows;
    const { control, related, data, plain } = flows ?? { control: 0, related: 0, data: 0, plain: 0 };
    const left = control + related + data + plain;
    return { service, realserver: key, flows: { control, related, data, plain }, left };
  }

  #read(text: string, file: string): Config {
    return parseConfig(text, file, { path: this.#options.pathName });
  }

  #check(document: Document, file = this.#config.file): Config {
    return checkDocument(document, file, { path: this.#options.pathName });
  }

  /** `read`, with the weights that stay. */
  #with(read: Config, kept: readonly Kept[]): Config {
    const { file, warnings } = read;
    const edited = kept.reduce(
      (config, { service, realserver, weight }) =>
        this.#check(editRealserver(config, service, realserver, { weight }), file),
      read,
    );
    // Those of the file know its lines.
    return { ...edited, warnings };
  }

  #refuseFromAfar(config: Config): void {
    refuseModules(this.#config, config);
    refuseChecks([this.#config, this.#written], config);
  }

  #compare(config: Config): Plan {
    return { changes: difference(this.#config, config), warnings: config.warnings.map(problemText), kept: [] };
  }

  /** What cannot change while it runs. */
  #refuse(config: Config): void {
    if (!isDeepStrictEqual(config.control, this.#config.control)) {
      const remedy = "restart the director, or leave it as it was";
      throw new ChangeError("restart-needed", "control cannot change while it runs", remedy);
    }
    this.#options.path.operated?.refuse?.(config);
  }

  #change(next: () => Promise<Next>): Promise<Plan> {
    const change = this.#busy
      .catch(() => {})
      .then(async () => {
        const { config, kept = [], applied } = await next();
        this.#refuse(config);
        const plan = { ...this.#compare(config), kept };
        await this.path.apply(config);
        this.#config = config;
        applied();
        this.#reloads++;
        await this.#options.changed(config);
        this.#options.log("info", "changed", { changes: plan.changes, ...(kept.length === 0 ? {} : { kept }) });
        return plan;
      });
    this.#busy = change;
    return change;
  }
}

const keptText = ({ service, realserver, weight, written }: Kept): string =>
  `service ${service}: realserver ${realserver} keeps weight ${weight}, which was set while it ran; the file says ${written}`;

/**
 * A check may run a command, or send what is in a file: who comes from afar may choose neither, for no service, nor how
 * what is in the file is sent (one kind of check signs with it, another says it), nor to whom.
 */
function refuseChecks(before: readonly Config[], after: Config): void {
  const known = new Set(before.flatMap(touchedBy));
  const unknown = touchedBy(after).find((sentence) => !known.has(sentence));
  if (unknown === undefined) return;
  throw new Refusal(403, "check-from-afar", unknown, "do it through the unix socket, or in the file");
}

function touchedBy(config: Config): string[] {
  const checks = [...config.services, ...config.groups].flatMap(({ name, check }) => {
    if (check === null) return [];
    const { kind, login, secretFile, command } = check;
    const as = login === null ? "" : ` with the login ${JSON.stringify(login)}`;
    return [
      ...(secretFile === null
        ? []
        : [`the check of ${name} would have the secret ${secretFile} for its ${kind} check${as}`]),
      ...(command === null ? [] : [`the check of ${name} would run ${JSON.stringify(command)}`]),
    ];
  });
  const told = targetsOf(config).flatMap(({ service, check: { secretFile }, ...at }) =>
    secretFile === null ? [] : [`the check of ${service} would use the secret ${secretFile} at ${endpointText(at)}`],
  );
  return [...checks, ...told];
}

/** A module is a program: who comes from afar may not choose one. */
function refuseModules(before: Config, after: Config): void {
  const known = new Set(before.helpers.map(({ module }) => module));
  const unknown = after.helpers.find(({ module }) => !known.has(module));
  if (unknown === undefined) return;
  const remedy = "do it through the unix socket, or in the file";
  throw new Refusal(403, "module-from-afar", `helper ${unknown.name} would be loaded from a module`, remedy);
}
