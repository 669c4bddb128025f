/**
 * A connection whose realserver depends on what is asked first (the TCP retry of a truncated DNS answer): its first bytes
 * are looked at before it is scheduled, and are the first that its reader gets.
 */
import type { Endpoint, Ms } from "../../core/units.ts";
import { seconds } from "../../core/units.ts";
import type { ReadEvents, Reason, Stream } from "./transport.ts";

/** Who says nothing for so long is scheduled like anybody. */
const PATIENCE = seconds(5);

/** What was said so far, or null: no more will be waited for. True: it was enough. */
type Look = (bytes: Uint8Array | null) => boolean;

export class OpeningStream implements Stream {
  readonly #stream: Stream;
  readonly #look: Look;
  readonly #timer: NodeJS.Timeout;
  #said = new Uint8Array(0);
  #decided = false;
  #reader: ReadEvents | null = null;
  /** What happened before there was a reader. */
  readonly #missed: ((reader: ReadEvents) => void)[] = [];

  constructor(stream: Stream, look: Look, patience = PATIENCE) {
    this.#stream = stream;
    this.#look = look;
    this.#timer = setTimeout(() => this.#decide(), patience);
    stream.read({
      data: (bytes) => this.#data(bytes),
      drained: () => this.#tell((reader) => reader.drained()),
      ended: () => {
        this.#decide();
        this.#tell((reader) => reader.ended());
      },
      failed: (reason: Reason) => this.#tell((reader) => reader.failed(reason)),
      closed: () => {
        clearTimeout(this.#timer);
        this.#decided = true;
        this.#tell((reader) => reader.closed());
      },
    });
  }

  get remote(): Endpoint | null {
    return this.#stream.remote;
  }

  get local(): Endpoint | null {
    return this.#stream.local;
  }

  get bytesRead(): number {
    return this.#stream.bytesRead;
  }

  get ending(): boolean {
    return this.#stream.ending;
  }

  get gone(): boolean {
    return this.#stream.gone;
  }

  get congested(): boolean {
    return this.#stream.congested;
  }

  read(events: ReadEvents): void {
    queueMicrotask(() => {
      this.#reader = events;
      this.#stream.resume();
      if (this.#said.length > 0) events.data(this.#said);
      for (const tell of this.#missed) tell(events);
    });
  }

  /** Only what is read by a helper opens so. */
  pump(): never {
    throw new Error("a control connection is not pumped");
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  write(bytes: Uint8Array): boolean {
    return this.#stream.write(bytes);
  }

  end(): void {
    this.#stream.end();
  }

  reset(): void {
    this.#stream.reset();
  }

  keepAlive(after: Ms): void {
    this.#stream.keepAlive(after);
  }

  #data(bytes: Uint8Array): void {
    if (this.#reader !== null) return this.#reader.data(bytes);
    const said = new Uint8Array(this.#said.length + bytes.length);
    said.set(this.#said);
    said.set(bytes, this.#said.length);
    this.#said = said;
    if (!this.#decided && this.#look(said)) this.#settle();
  }

  #decide(): void {
    if (this.#decided) return;
    this.#settle();
    this.#look(null);
  }

  #settle(): void {
    this.#decided = true;
    clearTimeout(this.#timer);
    this.#stream.pause();
  }

  #tell(event: (reader: ReadEvents) => void): void {
    if (this.#reader === null) this.#missed.push(event);
    else event(this.#reader);
  }
}
