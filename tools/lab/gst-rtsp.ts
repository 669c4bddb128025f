/** GStreamer's RTSP server as a realserver: test pictures and a tone, the same for every client. */
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import type { Sandbox } from "./sandbox.ts";
import type { Host } from "./topology.ts";

export const RTSP_PORT = 8554;
/** Debian's own, which has the bindings. */
const PYTHON = "/usr/bin/python3";

/** It is a library: a description of its bindings says that it is installed. */
export const hasRtspServer = (): boolean =>
  existsSync(PYTHON) &&
  readdirSync("/usr/lib").some((folder) => existsSync(`/usr/lib/${folder}/girepository-1.0/GstRtspServer-1.0.typelib`));

/** Players play so many pictures, at 25 a second, */
export const PICTURES = 25;
/** and so many samples of sound, at 8,000 a second, */
export const SAMPLES = 8_000;
/** so many in a packet. */
export const PACKET = 160;

/** What tells one realserver's media from another's. */
export interface Source {
  /** ARGB. */
  readonly background: number;
  /** Hz. */
  readonly tone: number;
}

const SERVER = `import sys, gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer

address, port, pipeline = sys.argv[1:]
Gst.init(None)
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(pipeline)
server = GstRtspServer.RTSPServer(address=address, service=port)
server.get_mount_points().add_factory("/media", factory)
server.attach(None)
GLib.MainLoop().run()
`;

/** Each client gets a pipeline of its own, from its first picture on; every JPEG is a picture by itself. */
const pipeline = ({ background, tone }: Source): string => {
  const video = [
    `videotestsrc pattern=ball background-color=${background}`,
    "video/x-raw,format=I420,width=160,height=120,framerate=25/1",
    "jpegenc",
    "rtpjpegpay name=pay0",
  ];
  const audio = [
    `audiotestsrc freq=${tone} samplesperbuffer=${PACKET}`,
    "audio/x-raw,rate=8000,channels=1",
    "alawenc",
    "rtppcmapay name=pay1",
  ];
  return `( ${video.join(" ! ")} ${audio.join(" ! ")} )`;
};

export async function startRtspServer(
  sandbox: Sandbox,
  host: Host,
  source: Source,
  address = host.address,
): Promise<void> {
  const script = sandbox.path(`${host.name}.py`);
  writeFileSync(script, SERVER);
  const server = host.start([PYTHON, script, address, String(RTSP_PORT), pipeline(source)]);
  await server.listening(RTSP_PORT);
}

export const mediaUrl = (address: string): string =>
  `rtsp://${address.includes(":") ? `[${address}]` : address}:${RTSP_PORT}/media`;
