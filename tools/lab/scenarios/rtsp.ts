/** GStreamer's RTSP server twice, behind one address: ffmpeg and GStreamer's client play, and nothing is lost. */
import { Capture } from "../capture.ts";
import { proveHidden } from "../dialogue.ts";
import { type Event, events, startDirector, untilReady } from "../director.ts";
import { hasRtspServer, mediaUrl, PICTURES, RTSP_PORT, SAMPLES, type Source, startRtspServer } from "../gst-rtsp.ts";
import { type Carriage, type Played, type Player, play, players } from "../players.ts";
import type { Running } from "../process.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import { type Family, type Farm, type FarmMaker, makeFarm, proveIsolation } from "../topology.ts";

const SOURCES: readonly Source[] = [
  { background: 0xff000080, tone: 440 },
  { background: 0xff800000, tone: 880 },
];
/** At once, from two hosts. */
const PLAYERS = 4;
/** Pictures and sound each have RTP and RTCP, which both sides offer an end of. */
const ENTRIES = 2 * 2 * 2;

const rtspService = (farm: Farm): object => ({
  services: [
    {
      name: "media",
      vip: farm.vip,
      ports: [`tcp/${RTSP_PORT}`],
      helper: "rtsp",
      scheduler: "rr",
      realservers: farm.targets,
    },
  ],
  log: { level: "info", format: "json" },
});

/** What each realserver's media are, played by a player beside it. */
async function playDirectly(sandbox: Sandbox, { realservers }: Farm, player: Player): Promise<Played[]> {
  const direct = await Promise.all(
    realservers.map((real) => play(sandbox, player, real, mediaUrl(real.address), "udp")),
  );
  for (const { pictures, samples } of direct) {
    if (pictures.length === PICTURES && samples === SAMPLES) continue;
    throw new Error(`directly ${pictures.length} of ${PICTURES} pictures and ${samples} of ${SAMPLES} samples came`);
  }
  if (String(direct[0]!.pictures) === String(direct[1]!.pictures)) throw new Error("both realservers show the same");
  return direct;
}

/** Whose media `played` are, to the last picture and sample. */
function servedBy(played: Played, direct: readonly Played[]): number {
  const whose = direct.findIndex(({ pictures }) => pictures[0] === played.pictures[0]);
  const { pictures, sound } = direct[whose] ?? { pictures: [], sound: "" };
  const right = played.pictures.filter((hash, i) => hash === pictures[i]).length;
  if (right === PICTURES && played.pictures.length === PICTURES && played.sound === sound) return whose;
  const came = `${played.pictures.length} pictures came, ${right} of them right, and ${played.samples} samples`;
  throw new Error(`${PICTURES} pictures and ${SAMPLES} samples expected; ${came}`);
}

/** All play at once; both realservers have half of them. */
async function playAll(
  sandbox: Sandbox,
  { clients, vip }: Farm,
  player: Player,
  carriage: Carriage,
  direct: readonly Played[],
): Promise<void> {
  const hosts = Array.from({ length: PLAYERS }, (_, i) => clients[i % clients.length]!);
  const played = await Promise.all(hosts.map((host) => play(sandbox, player, host, mediaUrl(vip), carriage)));
  const served = played.map((one) => servedBy(one, direct));
  const halves = direct.map((_, i) => served.filter((whose) => whose === i).length);
  if (halves.some((count) => count !== PLAYERS / direct.length)) throw new Error(`players: ${halves.join(" and ")}`);
}

const flowsOf = (log: readonly Event[], event: string) =>
  log.filter((line) => line["event"] === event && line["role"] === "related");

/** What was announced, and that the flows were opened and ended with their players. Returns bytes of media. */
async function proveFlows(director: Running, path: Farm["path"]): Promise<number> {
  const each = (PLAYERS * ENTRIES) / 2;
  const made = () => events(director).flatMap(({ event, kind }) => (event === "related" ? [kind] : []));
  await director.until(() => made().length >= 2 * each, `aware of ${2 * each} related entries`);
  const kinds = made();
  const [rtp, rtcp] = ["rtsp-rtp", "rtsp-rtcp"].map((kind) => kinds.filter((one) => one === kind).length);
  if (kinds.length !== 2 * each || rtp !== each || rtcp !== each) {
    throw new Error(`${each} entries for RTP and ${each} for RTCP expected: ${kinds.join(" ")}`);
  }
  // On packets, nobody counts the bytes of media.
  if (path === "tun") return 0;
  const opened = new Set(flowsOf(events(director), "connection").map(({ id }) => id));
  await director.until(() => flowsOf(events(director), "closed").length === opened.size, "rid of all flows");
  const closed = flowsOf(events(director), "closed");
  const cut = closed.filter(({ error }) => error !== null);
  if (cut.length > 0) throw new Error(`not ended by TEARDOWN: ${JSON.stringify(cut)}`);
  return closed.reduce((sum, { reply }) => sum + Number(reply), 0);
}

export async function playThrough(sandbox: Sandbox, make: FarmMaker, family: Family, player: Player): Promise<string> {
  const farm = await make(sandbox, family, 2, 2);
  await Promise.all(farm.realservers.map((host, i) => startRtspServer(sandbox, host, SOURCES[i]!)));
  const direct = await playDirectly(sandbox, farm, player);
  const director = startDirector(sandbox, rtspService(farm), farm.director.start, { path: farm.path });
  await untilReady(director);
  await proveIsolation(farm, RTSP_PORT);

  const captures = await Promise.all(farm.clients.map((host) => Capture.start(sandbox, host, "tcp or udp")));
  await playAll(sandbox, farm, player, "udp", direct);
  const bytes = await proveFlows(director, farm.path);
  await playAll(sandbox, farm, player, "tcp", direct);
  await proveFlows(director, farm.path);
  for (const [i, capture] of captures.entries()) {
    const { segments, datagrams } = await capture.packets();
    if (datagrams.length === 0) throw new Error("no datagrams came by");
    proveHidden(segments, { client: farm.clients[i]!.address, hidden: farm.hidden }, datagrams);
  }
  const each = `${PLAYERS} players, ${PLAYERS / 2} a realserver`;
  return `${each}, over UDP and interleaved: ${PICTURES} pictures and ${SAMPLES} samples as directly${bytes > 0 ? `; ${bytes} bytes of RTP` : ""}`;
}

export const needsOf = ({ program }: Player): string[] => [
  program,
  "tcpdump",
  "curl",
  ...(hasRtspServer() ? [] : ["gir1.2-gst-rtsp-server-1.0"]),
];

export const rtsp: readonly Scenario[] = Object.entries(players).flatMap(([name, player]) =>
  ([4, 6] as const).map((family) => ({
    name: `rtsp-${name}${family === 6 ? "-ipv6" : ""}`,
    about: `${name} plays from both GStreamer servers, over UDP and interleaved; every picture and sample is right`,
    needs: needsOf(player),
    run: (sandbox: Sandbox) => playThrough(sandbox, makeFarm, family, player),
  })),
);
