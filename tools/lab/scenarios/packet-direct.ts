/**
 * What helpers do where realservers have the VIP and answer clients past the director: one is routed to directly, the
 * other in a tunnel, and the director sees nothing but what clients say.
 */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Event, events, startDirector, untilReady } from "../director.ts";
import { ftpServers, makeFtpFolders } from "../ftp-servers.ts";
import { mediaUrl, PICTURES, RTSP_PORT, startRtspServer } from "../gst-rtsp.ts";
import { MMS_PORT } from "../mms.ts";
import { play, players } from "../players.ts";
import { PNM_PORT } from "../pnm.ts";
import type { Running } from "../process.ts";
import { prove } from "../prove.ts";
import { routed } from "../routed.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import { stream } from "../streams.ts";
import { FTP_PORT } from "../vsftpd.ts";
import { both, MODES } from "./packet-hard.ts";
import { needsOf } from "./rtsp.ts";
import * as tftp from "./tftp.ts";

const past = routed(["dr", "tunnel"], "past the director");

const FILE = "direct.bin";
const SIZE = 100_000;

/** Connections that something announced, none of which the director has seen a reply of. */
async function provenDirect(director: Running, kinds: readonly string[], least: number): Promise<number> {
  const related = (event: string): readonly Event[] =>
    events(director).filter((one) => one["event"] === event && one["role"] === "related");
  await director.until(() => related("connection").length >= least, `aware of ${least} related connections`);
  const announced = new Set(events(director).flatMap(({ event, kind }) => (event === "related" ? [String(kind)] : [])));
  prove(
    kinds.every((kind) => announced.has(kind)),
    `announced were ${[...announced].join(", ")}`,
  );
  const seen = related("closed").filter(({ reply }) => Number(reply) > 0);
  prove(seen.length === 0, `replies passed the director: ${JSON.stringify(seen)}`);
  return related("connection").length;
}

async function ftp(sandbox: Sandbox): Promise<string> {
  const farm = await past(sandbox, 4, 2, 2);
  const folders = await makeFtpFolders(sandbox);
  for (const host of farm.realservers) await ftpServers.vsftpd.start(sandbox, host, 4, folders);
  writeFileSync(join(folders.files, FILE), randomBytes(SIZE));
  const service = {
    name: "ftp",
    vip: farm.vip,
    // All that a passive server may choose, as LVS does it.
    ports: [`tcp/${FTP_PORT}`, "tcp/1024-65535"],
    helper: "ftp",
    scheduler: "rr",
    realservers: farm.targets,
  };
  const config = { services: [service], log: { level: "info", format: "json" } };
  const director = startDirector(sandbox, config, farm.director.start, { path: farm.path });
  await untilReady(director);
  for (const client of farm.clients) {
    for (const options of Object.values(MODES)) await both(client, farm.vip, folders, FILE, options);
  }
  // By PORT and by EPRT, there and back.
  const met = await provenDirect(director, ["ftp-active", "ftp-eprt"], 2 * 2 * farm.clients.length);
  return `${Object.keys(MODES).join(", ")} of two clients, there and back; ${met} active connections known by what clients say`;
}

async function rtsp(sandbox: Sandbox): Promise<string> {
  const farm = await past(sandbox, 4, 2, 2);
  const source = (i: number) => ({ background: i === 0 ? 0xff000080 : 0xff800000, tone: 440 });
  await Promise.all(farm.realservers.map((host, i) => startRtspServer(sandbox, host, source(i), "0.0.0.0")));
  const service = { name: "media", vip: farm.vip, ports: [`tcp/${RTSP_PORT}`], helper: "rtsp", scheduler: "rr" };
  const config = {
    services: [{ ...service, realservers: farm.targets }],
    log: { level: "info", format: "json" },
  };
  const director = startDirector(sandbox, config, farm.director.start, { path: farm.path });
  await untilReady(director);
  const ffmpeg = players["ffmpeg"]!;
  const played = await Promise.all(farm.clients.map((host) => play(sandbox, ffmpeg, host, mediaUrl(farm.vip), "udp")));
  prove(
    played.every(({ pictures }) => pictures.length === PICTURES),
    `${played.map(({ pictures }) => pictures.length).join(" and ")} of ${PICTURES} pictures`,
  );
  prove(String(played[0]!.pictures) !== String(played[1]!.pictures), "both players were served by one server");
  const met = await provenDirect(director, ["rtsp-rtp", "rtsp-rtcp"], 2);
  return `two players by UDP from two servers; ${met} of their flows to the servers led by the ports that they named`;
}

async function datagrams(sandbox: Sandbox): Promise<string> {
  const files = await tftp.transfers(sandbox, past, tftp.withCurl, 2);
  await stream(sandbox, past, "pnm", { helper: "pnm", port: PNM_PORT, ports: [`tcp/${PNM_PORT}`] });
  const ports = [`tcp/${MMS_PORT}`, `udp/${MMS_PORT}`];
  await stream(sandbox, past, "mms", { helper: "wms", port: MMS_PORT, ports });
  return `TFTP: ${files}; PNM and MMS: two streams each, byte for byte from two servers, lost pieces asked for again`;
}

export const packetDirect: readonly Scenario[] = [
  {
    name: "packet-direct-ftp",
    about: "FTP in every mode where servers answer past the director, one routed to directly, one in a tunnel",
    needs: ["vsftpd", "curl", "python3"],
    run: ftp,
  },
  {
    name: "packet-direct-rtsp",
    about: "ffmpeg plays by UDP from two GStreamer servers that answer past the director",
    needs: [...needsOf(players["ffmpeg"]!), "python3"],
    run: rtsp,
  },
  {
    name: "packet-direct-datagrams",
    about: "TFTP, PNM and MMS of servers that answer past the director",
    needs: ["in.tftpd", "curl", "python3", "tcpdump"],
    run: datagrams,
  },
];
