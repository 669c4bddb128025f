/**
 * What really travelled on a host's wire, from tcpdump. Reads its file itself (classic pcap, Ethernet, TCP, UDP): a dozen
 * offsets, and the judge shares no code with what it judges.
 */
import { readFileSync } from "node:fs";
import type { Running } from "./process.ts";
import type { Sandbox } from "./sandbox.ts";
import { settled } from "./settled.ts";
import type { Host } from "./topology.ts";

export interface Datagram {
  readonly from: string;
  readonly fromPort: number;
  readonly to: string;
  readonly toPort: number;
  readonly payload: Buffer;
}

export interface Segment extends Datagram {
  readonly sequence: number;
  readonly opens: boolean;
}

export interface Packets {
  readonly segments: readonly Segment[];
  readonly datagrams: readonly Datagram[];
}

export class Capture {
  readonly #tcpdump: Running;
  readonly file: string;

  private constructor(tcpdump: Running, file: string) {
    this.#tcpdump = tcpdump;
    this.file = file;
  }

  /**
   * `what`: a filter of tcpdump's; of TCP and UDP where `segments` or `packets` are read. `device`: "any" for all of them,
   * which others than tshark do not read.
   */
  static async start(sandbox: Sandbox, host: Host, what = "tcp", device: "eth0" | "any" = "eth0"): Promise<Capture> {
    const file = sandbox.path(`${host.name}.pcap`);
    const kilobytes = "65536";
    const options = ["--immediate-mode", "-U", "-n", "-s", "0", "-Z", "root", "-B", kilobytes];
    const tcpdump = host.start(["tcpdump", "-i", device, ...options, "-w", file, what]);
    await tcpdump.until(() => tcpdump.stderr.includes("listening on"), "capturing");
    return new Capture(tcpdump, file);
  }

  /** Ends the capture: its file. Throws when the kernel dropped packets: what was not seen cannot be judged. */
  async end(): Promise<string> {
    await settled(
      () => this.#isWritten(),
      (written) => written,
    );
    await this.#tcpdump.end("SIGINT");
    const dropped = /(\d+) packets? dropped by kernel/.exec(this.#tcpdump.stderr);
    if (dropped?.[1] !== "0") throw new Error(`the capture is not whole: ${this.#tcpdump.stderr.trim()}`);
    return this.file;
  }

  /** Whether all that passed the filter is in the file: on a busy machine tcpdump may be behind, and ends at once. */
  async #isWritten(): Promise<boolean> {
    const said = this.#tcpdump.stderr.length;
    process.kill(this.#tcpdump.pid, "SIGUSR1");
    await this.#tcpdump.until(() => this.#tcpdump.stderr.indexOf("dropped by kernel", said) >= 0, "telling its counts");
    const counts = /(\d+) packets? captured, (\d+) packets? received/.exec(this.#tcpdump.stderr.slice(said));
    return counts !== null && counts[1] === counts[2];
  }

  /** Ends the capture. */
  async segments(): Promise<readonly Segment[]> {
    return (await this.packets()).segments;
  }

  /** Ends the capture. */
  async packets(): Promise<Packets> {
    const packets = [...readPackets(readFileSync(await this.end()))];
    return { segments: packets.filter(isSegment), datagrams: packets.filter((packet) => !isSegment(packet)) };
  }
}

const isSegment = (packet: Datagram): packet is Segment => "sequence" in packet;

const FILE_HEADER = 24;
const RECORD_HEADER = 16;
const ETHERNET = 14;
const ETHERTYPE = 12;
const IPV6 = 0x86dd;

function* readPackets(file: Buffer): Generator<Datagram | Segment> {
  if (file.readUInt32LE(0) !== 0xa1b2c3d4) throw new Error("tcpdump wrote another format than expected");
  let at = FILE_HEADER;
  while (at + RECORD_HEADER <= file.length) {
    const length = file.readUInt32LE(at + 8);
    const frame = file.subarray(at + RECORD_HEADER, at + RECORD_HEADER + length);
    yield frame.readUInt16BE(ETHERTYPE) === IPV6
      ? readIpv6(frame.subarray(ETHERNET))
      : readIpv4(frame.subarray(ETHERNET));
    at += RECORD_HEADER + length;
  }
}

// RFC 791 §3.1: header length in words in the low half of byte 0, total length at 2, protocol at 9, addresses at 12, 16.
function readIpv4(packet: Buffer): Datagram | Segment {
  const payload = packet.subarray((packet[0]! & 15) * 4, packet.readUInt16BE(2));
  return readPayload(packet[9]!, payload, packet.subarray(12, 16).join("."), packet.subarray(16, 20).join("."));
}

// RFC 8200 §3: payload length at 4, next header at 6, addresses at 8 and 24. The farm's hosts send no extension headers.
function readIpv6(packet: Buffer): Datagram | Segment {
  const HEADER = 40;
  const payload = packet.subarray(HEADER, HEADER + packet.readUInt16BE(4));
  return readPayload(packet[6]!, payload, ipv6Text(packet.subarray(8, 24)), ipv6Text(packet.subarray(24, 40)));
}

function readPayload(protocol: number, payload: Buffer, from: string, to: string): Datagram | Segment {
  const TCP = 6;
  return protocol === TCP ? readTcp(payload, from, to) : readUdp(payload, from, to);
}

/** As the URL parser writes it: RFC 5952. */
const ipv6Text = (bytes: Buffer): string => {
  const groups = bytes.toString("hex").match(/.{4}/g)!.join(":");
  return new URL(`http://[${groups}]`).hostname.slice(1, -1);
};

// RFC 9293 §3.1: ports at 0 and 2, sequence number at 4, data offset in words in the high half of byte 12, flags at 13.
function readTcp(tcp: Buffer, from: string, to: string): Segment {
  const SYN = 0x02;
  const SYN_ACK = 0x12;
  return {
    from,
    fromPort: tcp.readUInt16BE(0),
    to,
    toPort: tcp.readUInt16BE(2),
    sequence: tcp.readUInt32BE(4),
    opens: (tcp[13]! & SYN_ACK) === SYN,
    payload: tcp.subarray((tcp[12]! >> 4) * 4),
  };
}

// RFC 768: ports at 0 and 2, payload behind 8 bytes.
const readUdp = (udp: Buffer, from: string, to: string): Datagram => ({
  from,
  fromPort: udp.readUInt16BE(0),
  to,
  toPort: udp.readUInt16BE(2),
  payload: udp.subarray(8),
});

/** Each direction of each connection as one piece of bytes, in order and without repetitions. */
export function streams(segments: readonly Segment[]): { from: Segment; bytes: Buffer }[] {
  const flows = new Map<string, Segment[]>();
  for (const segment of segments) {
    const key = `${segment.from}:${segment.fromPort}>${segment.to}:${segment.toPort}`;
    // A SYN starts a new connection on the same ends.
    const flow = segment.opens ? undefined : flows.get(key);
    if (flow === undefined) flows.set(flows.has(key) ? `${key}#${flows.size}` : key, [segment]);
    else flow.push(segment);
  }
  return [...flows.values()].map((flow) => ({ from: flow[0]!, bytes: inOrder(flow) }));
}

function inOrder(flow: readonly Segment[]): Buffer {
  const first = flow.find(({ payload }) => payload.length > 0)?.sequence ?? 0;
  // Differences modulo 2^32 (sequence numbers wrap), signed: a segment before the first is a repetition.
  const data = flow
    .filter(({ payload }) => payload.length > 0)
    .map(({ sequence, payload }) => ({ at: (sequence - first) | 0, payload }))
    .sort((a, b) => a.at - b.at);
  const pieces: Buffer[] = [];
  let end = 0;
  for (const { at, payload } of data) {
    if (at > end) throw new Error(`the capture lacks ${at - end} bytes of a stream`);
    if (at + payload.length <= end) continue;
    pieces.push(payload.subarray(end - at));
    end = at + payload.length;
  }
  return Buffer.concat(pieces);
}
