/**
 * The memory that `assembly/` (AssemblyScript, made WebAssembly by the build) and the rest of the replay work in: the flows'
 * table, and the bytes of the file, so that neither copies for the other. V8 makes machine code of WebAssembly before
 * it runs; of JavaScript it interprets the first hundred thousand packets, and optimizes beside.
 */
import { readFileSync } from "node:fs";
import { getHeapStatistics } from "node:v8";
import type { CommonRecords } from "../../core/wire/capture/common.ts";
import { ByteQueue } from "../../core/wire/capture/queue.ts";
import { CaptureReader } from "../../core/wire/capture/reader.ts";
import * as layout from "./layout.ts";

const PAGE = 65_536;
/** Before the flows. */
const PAGES = layout.TABLE / PAGE;
/** Of 31 million flows. A page less than there can be, so that no address in it is as large as a row before the end of all. */
const MOST_PAGES = 65_535 - PAGES;

/** What `assembly/skim.ts` exports. */
export interface Assembly {
  findIpv4(source: number, destination: number, ports: number, protocol: number): number;
  findIpv6(ports: number, protocol: number): number;
  opened(row: number, flags: number, sequence: number, acknowledgment: number): number;
  add(row: number, time: number, frame: number, octets: number, flags: number): void;
  watch(
    row: number,
    side: number,
    sequence: number,
    window: number,
    time: number,
    frame: number,
    octets: number,
    flags: number,
  ): void;
  hasRoom(rows: number): number;
  hashKey(at: number): number;
  skim(): number;
  nextOfPort(row: number): number;
  nextBetween(row: number): number;
  between(row: number): number;
  hasAddress(row: number, end: number, w0: number, w1: number, w2: number, w3: number): number;
  lastTime(): number;
}

/** As much of it as is used; the types of Node have none. */
declare namespace WebAssembly {
  class Memory {
    readonly buffer: SharedArrayBuffer;
    constructor(descriptor: { initial: number; maximum: number; shared: true });
  }
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    readonly exports: unknown;
    constructor(module: Module, imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>);
  }
}

/** Of what V8's heap may become: what is written of all that was found needs the rest. */
const HEAP_SHARE = 0.4;

/** Garbage counts as well: V8 leaves little of it in a heap that is that full. */
function isHeapFull(): boolean {
  const { used_heap_size, heap_size_limit } = getHeapStatistics();
  return used_heap_size > HEAP_SHARE * heap_size_limit;
}

/** Who is told what few segments do, by end: 0 or 1. */
export interface Watcher {
  /** What it sends begins where that did which was sent last. */
  repeated(row: number, side: number, sequence: number, length: number, time: number, frame: number): void;
  /** It says that it takes no more. */
  closed(row: number, side: number, time: number, frame: number): void;
}

let compiled: WebAssembly.Module | undefined;

/** V8 takes addresses for all that a memory may become, and more, so that its code need not check any. `most`: pages for flows. */
export function newMemory(most = MOST_PAGES): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: PAGES + 1, maximum: PAGES + most, shared: true });
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new Error("no address space for a WebAssembly memory: is it limited (ulimit -v)?", { cause });
  }
}

/**
 * Of a capture that nothing is asked of any more: the next one has it. V8 does not count such memory, and would not look for
 * what nobody has of it before many gigabytes are gone.
 */
let spare: WebAssembly.Memory | null = null;

function takeMemory(): WebAssembly.Memory {
  if (spare === null) return newMemory();
  const words = new Int32Array(spare.buffer);
  const rowsEnd = (words[layout.ROWS >> 2]! >>> 0) + (words[layout.COUNT >> 2]! + 1) * layout.ROW;
  words.fill(0, layout.TABLE / 4, rowsEnd / 4);
  words.fill(0, 0, layout.BYTES / 4);
  const memory = spare;
  spare = null;
  return memory;
}

export class Memory {
  readonly assembly: Assembly;
  /** By port. Nothing of what is in the first pages moves when the memory grows: it is shared, so views of it last. */
  readonly tunnel: Uint8Array;
  readonly bound: Readonly<Record<"tcp" | "udp", Uint8Array>>;
  /** By first byte. */
  readonly telling: Readonly<Record<"tcp" | "udp", Uint8Array>>;
  /** What `assembly/rows.ts` looks for. */
  readonly lookedFor: Uint8Array;
  /** What is in the first pages, by word. */
  readonly words: Int32Array;
  /** All that there was when it was asked for: what is not in it is, once it has been asked for again (`widen`). */
  all: Int32Array;
  floats: Float64Array;
  readonly #memory: WebAssembly.Memory;
  /** null: nobody wants to know. */
  watcher: Watcher | null = null;

  /** Little room is left in V8's heap. */
  readonly isHeapFull: () => boolean;

  constructor(memory = takeMemory(), full = isHeapFull) {
    this.#memory = memory;
    this.isHeapFull = full;
    compiled ??= new WebAssembly.Module(readFileSync(new URL("./assembly.wasm", import.meta.url)));
    const instance = new WebAssembly.Instance(compiled, {
      env: { memory },
      flows: {
        repeated: (...what: Parameters<Watcher["repeated"]>) => this.watcher?.repeated(...what),
        closed: (...what: Parameters<Watcher["closed"]>) => this.watcher?.closed(...what),
      },
    });
    this.assembly = instance.exports as Assembly;
    const { buffer } = memory;
    this.words = new Int32Array(buffer, 0, layout.WORDS_END >> 2);
    this.all = new Int32Array(buffer);
    this.floats = new Float64Array(buffer);
    this.lookedFor = new Uint8Array(buffer, layout.LOOKED_FOR, 65_536);
    this.tunnel = new Uint8Array(buffer, layout.TUNNEL, 65_536);
    this.bound = {
      tcp: new Uint8Array(buffer, layout.BOUND_OF_TCP, 65_536),
      udp: new Uint8Array(buffer, layout.BOUND_OF_UDP, 65_536),
    };
    this.telling = {
      tcp: new Uint8Array(buffer, layout.TELLING_OF_TCP, 256),
      udp: new Uint8Array(buffer, layout.TELLING_OF_UDP, 256),
    };
  }

  /** One whose frames may be skimmed. */
  newReader(): CaptureReader {
    const { buffer } = this.words;
    return new CaptureReader(
      new ByteQueue((length) =>
        // What comes in larger pieces than files do goes the long way.
        length > layout.BYTES_LENGTH ? new Uint8Array(length) : new Uint8Array(buffer, layout.BYTES, length),
      ),
    );
  }

  /** What the records are like that are skimmed next. */
  describe({ format, big, interface: id, ticksPerSecond, offset }: CommonRecords): void {
    const { words } = this;
    words[layout.FORMAT >> 2] = format === "pcap" ? layout.PCAP : layout.PCAPNG;
    words[layout.BIG >> 2] = big ? 1 : 0;
    words[layout.INTERFACE >> 2] = id;
    this.floats[layout.TICKS_PER_SECOND >> 3] = ticksPerSecond;
    this.floats[layout.OFFSET >> 3] = offset;
  }

  /** Are these of a reader made here, and in this memory? */
  has(bytes: Uint8Array): boolean {
    return bytes.buffer === this.words.buffer;
  }

  /** Nothing is asked of it any more. */
  release(): void {
    spare = this.#memory;
  }

  /** Has what the memory grew by in `all` and `floats`. */
  widen(): this {
    const { buffer } = this.#memory;
    this.all = new Int32Array(buffer);
    this.floats = new Float64Array(buffer);
    return this;
  }
}
