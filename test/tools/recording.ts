/** Captures made in a test: what is sent, by whom and when, as an Ethernet pcap. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Test } from "tap";
import { Address } from "../../core/wire/address.ts";
import type { Report } from "../../tools/replay/report.ts";
import { type ReplayOptions, runReplay } from "../../tools/replay.ts";
import { tcp, udp } from "../packets.ts";

const ETHERNET = 1;
const latin1 = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "latin1"));

export class Recording {
  /** Seconds since 1970. */
  now = 1_700_000_000;
  readonly #records: Uint8Array[] = [];

  /** The number of the latest frame. */
  get frame(): number {
    return this.#records.length;
  }

  wait(seconds: number): this {
    this.now += seconds;
    return this;
  }

  /** `to`, `from`: last octets of hardware addresses. */
  ethernet(type: number, packet: Uint8Array, to = 1, from = 2): this {
    const bytes = Uint8Array.from([2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, type >>> 8, type & 255, ...packet]);
    const header = new DataView(new ArrayBuffer(16));
    header.setUint32(0, Math.floor(this.now), true);
    header.setUint32(4, Math.round((this.now % 1) * 1e6), true);
    header.setUint32(8, bytes.length, true);
    header.setUint32(12, bytes.length, true);
    this.#records.push(Uint8Array.from([...new Uint8Array(header.buffer), ...bytes]));
    this.now += 0.01;
    return this;
  }

  ip(packet: Uint8Array, to?: number, from?: number): this {
    return this.ethernet(packet[0]! >>> 4 === 6 ? 0x86dd : 0x0800, packet, to, from);
  }

  datagram(from: string, to: string, text: string): this {
    return this.ip(udp({ from, to, payload: latin1(text) }));
  }

  /** `address` is-at the hardware address that ends in `mac`. `tags`: 16-bit words before the EtherType. */
  arpReply(address: string, mac: number, tags: readonly number[] = []): this {
    const sender = [2, 0, 0, 0, 0, mac, ...address.split(".").map(Number)];
    const types = [...tags, 0x0806].flatMap((word) => [word >>> 8, word & 255]);
    const packet = [...types.slice(2), 0, 1, 8, 0, 6, 4, 0, 2, ...sender, 2, 0, 0, 0, 0, 9, 10, 0, 0, 9];
    return this.ethernet(tags[0] ?? 0x0806, Uint8Array.from(packet), 9, mac);
  }

  /** Neighbor Advertisement (RFC 4861 §4.4) without a checksum. */
  advertisement(address: string, mac: number): this {
    const { words } = Address.parse(address)!;
    const target = [...words].flatMap((word) => [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255]);
    const message = [136, 0, 0, 0, 0xe0, 0, 0, 0, ...target, 2, 1, 2, 0, 0, 0, 0, mac];
    const header = [0x60, 0, 0, 0, 0, message.length, 58, 255, ...target, 0xff, 2, ...Array(13).fill(0), 1];
    return this.ethernet(0x86dd, Uint8Array.from([...header, ...message]), 9, mac);
  }

  connection(client: string, server: string): Conversation {
    return new Conversation(this, client, server);
  }

  /** A connection that is established, used and closed. */
  transfer(client: string, server: string, text = "data"): this {
    this.connection(client, server).open().server(text).close();
    return this;
  }

  /** A control connection with a user logged in. */
  ftp(client = "10.0.0.5:40000", server = "192.0.2.1:21"): Conversation {
    return this.connection(client, server)
      .open()
      .server("220 ready\r\n")
      .client("USER anonymous\r\n")
      .server("230 in\r\n");
  }

  bytes(): Uint8Array {
    const header = new DataView(new ArrayBuffer(24));
    for (const [index, word] of [0xa1b2c3d4, 0x00040002, 0, 0, 65535, ETHERNET].entries()) {
      header.setUint32(index * 4, word, true);
    }
    return Uint8Array.from([...new Uint8Array(header.buffer), ...this.#records.flatMap((record) => [...record])]);
  }
}

const isV6 = (packet: Uint8Array): boolean => packet[0]! >>> 4 === 6;

/** One TCP connection, with its sequence numbers. */
export class Conversation {
  readonly #recording: Recording;
  readonly #client: string;
  readonly #server: string;
  #sent = { client: 1000, server: 5000 };
  /** Hardware address of the server, as the client sees it. */
  mac = 1;

  constructor(recording: Recording, client: string, server: string) {
    this.#recording = recording;
    this.#client = client;
    this.#server = server;
  }

  open(): this {
    return this.#send("client", "S").#send("server", "SA").#send("client", "A");
  }

  syn(times = 1): this {
    for (let n = 0; n < times; n++) {
      const { client } = this.#sent;
      this.#send("client", "S");
      this.#sent.client = client;
      this.#recording.wait(n === 0 ? 1 : 2);
    }
    return this;
  }

  /** The answer to a SYN that is not in the capture, and what its receiver says to that. */
  answer(): this {
    return this.#send("server", "SA").#send("client", "R");
  }

  /** The ICMP error (destination unreachable) of `by` about the client's SYN. */
  unreachable(by: string, code: number): this {
    const packet = tcp({ from: this.#client, to: this.#server, flags: "S", sequence: this.#sent.client });
    return this.#error(by, this.#client, [isV6(packet) ? 1 : 3, code, 0, 0, 0, 0, 0, 0, ...packet]);
  }

  /** The ICMP error of `by` about what the server sends: no packet passes that is larger than `mtu`. */
  tooBig(by: string, mtu: number): this {
    const packet = tcp({ from: this.#server, to: this.#client, flags: "A", sequence: this.#sent.server });
    const type = isV6(packet) ? [2, 0] : [3, 4];
    return this.#error(by, this.#server, [...type, 0, 0, 0, 0, mtu >> 8, mtu & 255, ...packet]);
  }

  #error(by: string, to: string, message: readonly number[]): this {
    const v6 = by.includes(":");
    const address = (text: string) => {
      const { words } = Address.parse(text)!;
      return words
        .slice(v6 ? 0 : 3)
        .flatMap((word) => [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255]);
    };
    const ends = [...address(by), ...address(to.replace(/^\[?(.*?)\]?:\d+$/, "$1"))];
    const length = message.length + (v6 ? 0 : 20);
    const header = v6
      ? [0x60, 0, 0, 0, length >> 8, length & 255, 58, 64, ...ends]
      : [0x45, 0, length >> 8, length & 255, 0, 0, 0, 0, 64, 1, 0, 0, ...ends];
    this.#recording.ip(Uint8Array.from([...header, ...message]));
    return this;
  }

  /** What the server sends and nobody hears, again and again, after 0.2 s first, and twice as long each time. */
  lost(text: string, again: number): this {
    for (let n = 0; n <= again; n++) {
      const { server } = this.#sent;
      this.#send("server", "PA", text);
      this.#sent.server = server;
      this.#recording.wait(0.2 * 2 ** n);
    }
    this.#sent.server += text.length;
    return this;
  }

  /** The server sends so many bytes that are lost before the capture. */
  unseen(bytes: number): this {
    this.#sent.server += bytes;
    return this;
  }

  /** What the server sends to see whether the client is there, and the client's answer; but for the last one's. `window`: the client's. */
  probed(times: number, window = 65_535): this {
    for (let n = 0; n < times; n++) {
      if (n > 0) this.#send("client", "A", "", window);
      this.#recording.wait(5);
      this.#sent.server--;
      this.#send("server", "A", "x");
    }
    return this;
  }

  /** The client takes no more, and says so each 5 s. */
  full(times: number): this {
    for (let n = 0; n < times; n++) {
      this.#send("client", "A", "", 0);
      this.#recording.wait(5);
    }
    return this;
  }

  /** What it has heard so far. */
  acknowledge(): this {
    return this.#send("client", "A");
  }

  client(...texts: readonly string[]): this {
    for (const text of texts) this.#send("client", "PA", text);
    return this;
  }

  server(...texts: readonly string[]): this {
    for (const text of texts) this.#send("server", "PA", text);
    return this;
  }

  reset(by: "client" | "server" = "server"): this {
    return this.#send(by, "RA");
  }

  close(): this {
    return this.#send("server", "FA").#send("client", "FA").#send("server", "A");
  }

  #send(by: "client" | "server", flags: string, text = "", window = 65_535): this {
    const other = by === "client" ? "server" : "client";
    const [from, to] = by === "client" ? [this.#client, this.#server] : [this.#server, this.#client];
    const packet = tcp({
      from,
      to,
      flags,
      sequence: this.#sent[by],
      acknowledgment: flags === "S" ? 0 : this.#sent[other],
      payload: latin1(text),
      window,
    });
    if (by === "client") this.#recording.ip(packet, this.mac, 7);
    else this.#recording.ip(packet, 7, this.mac);
    this.#sent[by] += text.length + (/[SF]/.test(flags) ? 1 : 0);
    return this;
  }
}

/** The recording in a file that goes when the test ends. */
export function fileOf(t: Test, recording: Recording, name = "test.pcap"): string {
  const folder = mkdtempSync(join(tmpdir(), "kindred-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, name), recording.bytes());
  return join(folder, name);
}

export async function replayed(files: readonly string[], options: ReplayOptions = {}) {
  const io = { out: "", err: "" };
  const status = await runReplay(files, options, {
    stdout: { write: (text) => (io.out += text) },
    stderr: { write: (text) => (io.err += text) },
  });
  return { status, ...io };
}

export async function reportOf(t: Test, recording: Recording, options: ReplayOptions = {}): Promise<Report> {
  return JSON.parse((await replayed([fileOf(t, recording)], { ...options, json: true })).out) as Report;
}
