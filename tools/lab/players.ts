/** Real RTSP players, unmodified: what each of them has decoded. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { PACKET, PICTURES, SAMPLES } from "./gst-rtsp.ts";
import type { Sandbox } from "./sandbox.ts";
import { Inconclusive } from "./scenario.ts";
import type { Host } from "./topology.ts";

/** How media come: datagrams of their own, or within the control connection. */
export type Carriage = "udp" | "tcp";

/** Seconds that a player may take: generous, since a busy machine is no failure; it plays for one. */
const LONGEST = 60;

export interface Played {
  /** A hash of each picture, in order. */
  readonly pictures: readonly string[];
  /** A hash of all samples. */
  readonly sound: string;
  readonly samples: number;
}

export interface Player {
  readonly program: string;
  /**
   * How media come that it now and then plays none of, also beside its server (GStreamer 1.22's rtspsrc: 4 of 41 times
   * interleaved, never of 43 by UDP): it reads them, and its pipeline stands still.
   */
  readonly stalls: Carriage | null;
  /** The command that plays the first `PICTURES` and `SAMPLES` of `url`; the samples go to the file `sound`. */
  command(url: string, carriage: Carriage, sound: string): readonly string[];
  /** The hashes of the pictures in what it prints. */
  pictures(printed: string): readonly string[];
}

const ffmpeg: Player = {
  program: "ffmpeg",
  stalls: null,
  command(url, carriage, sound) {
    const input = ["-nostdin", "-loglevel", "error", "-rtsp_transport", carriage, "-i", url];
    const video = ["-map", "0:v", "-fps_mode", "passthrough", "-frames:v", `${PICTURES}`, "-f", "framemd5", "-"];
    const audio = ["-map", "0:a", "-frames:a", `${SAMPLES / PACKET}`, "-f", "s16le", sound];
    return ["ffmpeg", ...input, ...video, ...audio];
  },
  /** A line each: `stream, dts, pts, duration, size, hash`; others begin with `#`. */
  pictures: (printed) =>
    printed.split("\n").flatMap((line) => (line.startsWith("#") ? [] : (line.split(/, */)[5] ?? []))),
};

const gstreamer: Player = {
  program: "gst-launch-1.0",
  stalls: "tcp",
  command(url, carriage, sound) {
    // `eos-after`: the buffer that is not passed on any more.
    const only = (count: number): string => `identity eos-after=${count + 1}`;
    // By itself it lets its connection go 0.1 s after the end, also when it has not said TEARDOWN by then.
    const patience = `teardown-timeout=${LONGEST * 1e9}`;
    const source = `rtspsrc name=media location=${url} protocols=${carriage} latency=200 ${patience}`;
    // No caps before the depayloaders, whose own tell the streams apart: gst-launch would put an element between as soon as
    // there is a pad, and pads of both streams come at once, from two threads, of which one then may undo the other's link.
    const video = `rtpjpegdepay ! ${only(PICTURES)} ! jpegdec ! checksumsink hash=md5`;
    const audio = `rtppcmadepay ! ${only(SAMPLES / PACKET)} ! alawdec`;
    const pipeline = `${source} media. ! ${video} media. ! ${audio} ! filesink location=${sound}`;
    return ["gst-launch-1.0", "--quiet", ...pipeline.split(" ")];
  },
  /** A line each: `time hash`. */
  pictures: (printed) => printed.split("\n").flatMap((line) => line.split(" ")[1] ?? []),
};

export const players: Readonly<Record<string, Player>> = { ffmpeg, gstreamer };

const BYTES_PER_SAMPLE = 2;
/** timeout(1) ended it. */
const TIMED_OUT = 124;
/** Bytes in 5 s: two seconds' worth of sound alone, and nothing else says so much. */
const LEAST_FED = 17_200;
let plays = 0;

/**
 * Plays, from `host`. Whether the player failed is not asked for: GStreamer's now and then says PAUSE once more after
 * TEARDOWN, and complains that nobody answers. What counts is what was played.
 */
export async function play(
  sandbox: Sandbox,
  player: Player,
  host: Host,
  url: string,
  carriage: Carriage,
): Promise<Played> {
  const file = sandbox.path(`sound-${++plays}`);
  const playing = host.start(["timeout", `${LONGEST}`, ...player.command(url, carriage, file)]);
  const fed = await Promise.race([playing.exited.then(() => false), isStillFed(playing.pid)]);
  const status = await playing.exited;
  const pictures = player.pictures(playing.stdout);
  if (player.stalls === carriage && fed && status === TIMED_OUT && pictures.length === 0) {
    throw new Inconclusive(`${player.program} on ${host.name} was sent media by ${carriage}, and played none of them`);
  }
  if (pictures.length === 0) throw new Error(`${player.program} played nothing: ${playing.stderr}`);
  const samples = readFileSync(file);
  const sound = createHash("md5").update(samples).digest("hex");
  return { pictures, sound, samples: samples.length / BYTES_PER_SAMPLE };
}

/** Whether media come to a player's host when those beside it have long been done: so they are its own. */
async function isStillFed(pid: number): Promise<boolean> {
  await sleep((LONGEST - 10) * 1000, undefined, { ref: false });
  const before = bytesReceived(pid);
  await sleep(5_000, undefined, { ref: false });
  return bytesReceived(pid) - before > LEAST_FED;
}

/** By all devices of the network namespace of a process. */
const bytesReceived = (pid: number): number =>
  readFileSync(`/proc/${pid}/net/dev`, "latin1")
    .split("\n")
    .slice(2)
    .reduce((sum, line) => sum + Number(line.split(":")[1]?.trim().split(/\s+/)[0] ?? 0), 0);
