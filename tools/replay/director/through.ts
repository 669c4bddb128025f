/** `--config`, `--write`: what a director would have made of a capture. */

import { once } from "node:events";
import { createWriteStream, type WriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import type { Frame } from "../../../core/wire/capture/reader.ts";
import { planServices, type ServicePlan } from "../../../director/config/services.ts";
import { ConfigError, formatConfigError, loadConfig } from "../../../director/config.ts";
import type { FrameSink } from "../file.ts";
import { CapturedDirector, type Passing } from "./captured.ts";
import { DirectorRecords, type DirectorReport } from "./records.ts";
import { opening, written } from "./write.ts";

/** What the configuration in `file` says, or what is wrong with it, for the user. */
async function directorServices(file: string): Promise<readonly ServicePlan[] | string> {
  try {
    return await planServices(await loadConfig(file, { path: "tun" }));
  } catch (error) {
    if (error instanceof ConfigError) return formatConfigError(error);
    return error instanceof Error ? error.message : String(error);
  }
}

/** Shows frames to a director, writes what passes on both of its sides, and keeps account. */
export class ThroughDirector implements FrameSink {
  /** For the configuration in `config`; or what is wrong with it, or with the file to write. */
  static async from(config: string, write: string | null): Promise<ThroughDirector | string> {
    const services = await directorServices(config);
    if (typeof services === "string") return services;
    try {
      return new ThroughDirector(services, write === null ? null : await openWritten(write));
    } catch (error) {
      return `${write}: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  readonly #director: CapturedDirector;
  readonly #records = new DirectorRecords();
  readonly #file: WriteStream | null;

  constructor(services: readonly ServicePlan[], write: WriteStream | null) {
    this.#file = write;
    this.#director = new CapturedDirector(
      services,
      (passing) => this.#pass(passing),
      ({ spec }) => services.find((service) => service === spec)!,
    );
  }

  frame(frame: Frame, number: number): void {
    if (!this.#director.frame(frame, number)) this.#records.unread++;
  }

  end(): void {
    this.#records.settle();
  }

  async close(): Promise<void> {
    if (this.#file === null) return;
    this.#file.end();
    await finished(this.#file);
  }

  report(): DirectorReport {
    return this.#records.report();
  }

  #pass(passing: Passing): void {
    this.#records.add(passing);
    this.#file?.write(written(passing));
  }
}

/** Opens `file` and writes what comes before the packets. Throws what the system says. */
async function openWritten(file: string): Promise<WriteStream> {
  const stream = createWriteStream(file);
  await once(stream, "open");
  for (const block of opening()) stream.write(block);
  return stream;
}
