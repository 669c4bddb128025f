/**
 * Real FTP captures through the packet engine as their director: each server becomes a realserver behind a VIP of its
 * own, whose text is as long, so that what was captured of both ends still fits together. tshark judges what comes out.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { ms, port } from "../../../core/units.ts";
import { CaptureReader } from "../../../core/wire/capture/reader.ts";
import { type Cursor, EtherType, toNetworkLayer } from "../../../core/wire/link.ts";
import { ftp } from "../../../helpers/ftp/helper.ts";
import { CapturedDirector, type Passing } from "../../../tools/replay/director/captured.ts";
import { opening, written } from "../../../tools/replay/director/write.ts";
import { address } from "../../addresses.ts";
import {
  type CaptureEntry,
  captureEntries,
  captureName,
  capturePath,
  capturesMissing,
  truthOf,
} from "../../captures.ts";
import { sum } from "../../packets.ts";
import { realserver, service } from "../director.ts";

const tshark = spawnSync("tshark", ["--version"]).status === 0;
const folder = mkdtempSync(join(tmpdir(), "kindred-captures-"));
t.teardown(() => rmSync(folder, { recursive: true }));

const isFtp = ({ protocols, truth_level }: CaptureEntry) => protocols.includes("ftp") && truth_level === "full";

/** Another address whose text is as long, also as FTP writes it. */
function likeness(text: string): string {
  if (text.includes(":")) return `${text.slice(0, -1)}${text.endsWith("e") ? "d" : "e"}`;
  const [last, ...rest] = text.split(".").reverse() as [string, ...string[]];
  const other = [...Array(10).keys()]
    .map((n) => `${last.slice(0, -1)}${n}`)
    .find((one) => one !== last && Number(one) > 0);
  return [other, ...rest].reverse().join(".");
}

interface Captured {
  readonly packet: Uint8Array;
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly frame: number;
}

function packetsOf(entry: CaptureEntry): Captured[] {
  const reader = new CaptureReader();
  const bytes = readFileSync(capturePath(entry));
  reader.room(bytes.length).set(bytes);
  reader.filled(bytes.length);
  const cursor: Cursor = { bytes, at: 0, end: 0, type: 0 };
  const found: Captured[] = [];
  while (reader.next()) {
    const { frame } = reader;
    Object.assign(cursor, { bytes: frame.bytes, at: frame.start, end: frame.end, type: 0 });
    if (!toNetworkLayer(cursor, frame.linkType)) continue;
    if (cursor.type !== EtherType.IPV4 && cursor.type !== EtherType.IPV6) continue;
    const packet = frame.bytes.slice(cursor.at, cursor.end);
    found.push({ packet, seconds: frame.seconds, nanoseconds: frame.nanoseconds, frame: reader.frames });
  }
  return found;
}

const textOf = (bytes: Uint8Array): string =>
  bytes.length === 4
    ? bytes.join(".")
    : address(
        [...Array(8).keys()].map((i) => ((bytes[i * 2]! << 8) | bytes[i * 2 + 1]!).toString(16)).join(":"),
      ).toString();

interface Layout {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly transport: number;
  readonly protocol: number;
  readonly end: number;
}

/** Of a whole packet without extension headers; others are not shown to the director. */
function layout(packet: Uint8Array): Layout | null {
  const v6 = packet[0]! >> 4 === 6;
  const transport = v6 ? 40 : (packet[0]! & 15) * 4;
  const end = v6 ? 40 + ((packet[4]! << 8) | packet[5]!) : (packet[2]! << 8) | packet[3]!;
  const protocol = v6 ? packet[6]! : packet[9]!;
  if ((protocol !== 6 && protocol !== 17) || end > packet.length || end < transport + (protocol === 6 ? 20 : 8))
    return null;
  if (!v6 && (packet[6]! & 0x3f) + packet[7]! !== 0) return null;
  const [source, middle] = v6 ? [8, 24] : [12, 16];
  return {
    source: packet.subarray(source, middle),
    destination: packet.subarray(middle, v6 ? 40 : 20),
    transport,
    protocol,
    end,
  };
}

/** The capture as a director's: what goes to a server goes to its VIP. Null: it has nothing to do with the servers. */
function directed({ packet }: Captured, vips: ReadonlyMap<string, string>): Uint8Array | null {
  const place = layout(packet);
  if (place === null) return null;
  const vip = vips.get(textOf(place.destination));
  if (vip !== undefined && !vips.has(textOf(place.source))) {
    const { words, family } = address(vip);
    for (const [i, at] of [...place.destination.keys()].entries()) {
      place.destination[at] = words[family === 4 ? 3 : i >> 2]! >>> ((3 - (i & 3)) * 8);
    }
  } else if (!vips.has(textOf(place.source))) return null;
  const whole = packet.slice(0, place.end);
  sum(whole);
  return whole;
}

function through(entry: CaptureEntry): { passed: Passing[]; director: CapturedDirector } {
  const { control_connections = [] } = truthOf(entry);
  const controls = control_connections.filter(({ helper }) => helper === "ftp");
  const ports = [...new Set(controls.map(({ sport }) => sport))];
  const vips = new Map(
    [...new Set(controls.map(({ server }) => textOf(bytesOf(server))))].map((one) => [one, likeness(one)]),
  );
  const services = [...vips].map(([real, vip]) =>
    service(
      vip,
      ports.map((one) => ["tcp", one, one]),
      [realserver(real, null)],
      { helper: ftp, controlPorts: ports.map(port), persistence: ms(0) },
    ),
  );
  const passed: Passing[] = [];
  const director = new CapturedDirector(services, (passing) => passed.push(passing));
  for (const captured of packetsOf(entry)) {
    const packet = directed(captured, vips);
    if (packet !== null) director.packet(packet, captured.seconds, captured.nanoseconds, captured.frame);
  }
  return { passed, director };
}

const bytesOf = (text: string): Uint8Array => {
  const { words, family } = address(text);
  const all = words.flatMap((word) => [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255]);
  return Uint8Array.from(family === 4 ? all.slice(12) : all);
};

/** Frames of `file` that tshark finds fault with, by what is wrong. */
function judge(file: string): { checksums: number; lost: number } {
  const checks = ["ip", "tcp", "udp"].flatMap((one) => ["-o", `${one}.check_checksum:TRUE`]);
  const wanted = ["-Y", `${BAD} || ${LOST}`, "-T", "fields", "-e", LOST];
  // A capture that was cut short is read as far as it goes, and the status says so.
  const { stdout } = spawnSync("tshark", ["-r", file, ...checks, ...wanted], { encoding: "utf8", maxBuffer: 1 << 26 });
  const lines = stdout.split("\n").slice(0, -1);
  const lost = lines.filter((line) => line !== "").length;
  return { checksums: lines.length - lost, lost };
}

const BAD = "ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0";
const LOST = "tcp.analysis.ack_lost_segment";

/** Captures whose ends acknowledge what the director kept back or made longer: they spoke to one another, not to it. */
const UNFIT: Readonly<Record<string, string>> = {
  "ftp-own-v4-epsv.pcap": "a telnet interrupt without its line",
  "ftp-zeek-ipv4.pcap": "a telnet interrupt without its line",
  "ftp-zeek-ipv6.pcap": "a telnet interrupt without its line",
  "ftp-suricata-active-dynamic-port.pcap": "a refused EPRT",
  "ftp-suricata-too-long-command-buffered.pcap": "a line longer than is held",
  "ftp-zeek-cwd-navigation.pcap": "refused replies",
  "der-ip-fragments.pcap": "fragments of the control connection",
};

const payload = (packet: Uint8Array): Uint8Array => {
  const { transport, end } = layout(packet)!;
  return packet.subarray(transport + (packet[transport + 12]! >> 4) * 4, end);
};

/** Packets of data connections that came out with other bytes than they went in with. */
const altered = (passed: readonly Passing[]): Passing[] =>
  passed.filter((one, i) => {
    if (!one.came || (one.reason !== "established" && one.reason !== "opened")) return false;
    return Buffer.compare(payload(one.packet), payload(passed[i + 1]!.packet)) !== 0;
  });

t.test(
  "captures come out whole on both sides",
  { skip: capturesMissing || (!tshark && "tshark is missing") },
  async (t) => {
    for (const entry of captureEntries().filter(isFtp)) {
      const name = captureName(entry);
      t.test(name, async (t) => {
        const { passed, director } = through(entry);
        const file = join(folder, `${name}.pcapng`);
        writeFileSync(file, Buffer.concat([...opening(), ...passed.map(written)]));
        const { checksums, lost } = judge(file);
        t.equal(checksums, 0, "checksums are right");
        const unfit = director.engine.controls.counters.get("control.acknowledges-unsent") > 0;
        t.equal(unfit, name in UNFIT, UNFIT[name] ?? "nobody acknowledges what was not sent");
        if (!unfit && lost > 0) t.ok(lost <= 2 * judge(capturePath(entry)).lost, "what is lost was lost before");
        t.same(altered(passed), [], "data connections carry what they carried");
      });
    }
  },
);
