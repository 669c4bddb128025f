/** Where what realservers announce is met, as the ends of a control connection and the host hear of it. */
import t, { type Test } from "tap";
import type { GoneReason, RelatedEntry } from "../../../core/flow/related.ts";
import type { Helper } from "../../../core/helper/api.ts";
import { endpointText, port, seconds } from "../../../core/units.ts";
import { ftp } from "../../../helpers/ftp/helper.ts";
import { rtsp } from "../../../helpers/rtsp/helper.ts";
import { route, udp } from "../../packets.ts";
import { Director, realserver, service } from "../director.ts";
import { Session } from "./session.ts";

const VIP = "203.0.113.10";
const REAL = "10.0.0.3";
const OTHER = "10.0.0.4";

const served = (helper: Helper, at: number, ...reals: readonly string[]) =>
  service(
    VIP,
    [["tcp", at, at]],
    reals.map((real) => realserver(real, null)),
    { helper, controlPorts: [port(at)] },
  );

const talk = (d: Director, client: string, real: string): Session =>
  new Session(d, `${client}:40000`, `${VIP}:554`, `${real}:554`).open();

/** The ports that a client is told for 6970-6971. */
function setUp(d: Director, client: string, real: string, session = talk(d, client, real)): string {
  session.say(`SETUP rtsp://${VIP}/a RTSP/1.0\r\nCSeq: 1\r\nTransport: RTP/AVP;unicast;client_port=4588-4589\r\n\r\n`);
  const answer = session.reply(
    "RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: 1\r\nTransport: RTP/AVP;unicast;client_port=4588-4589;server_port=6970-6971\r\n\r\n",
  );
  return answer.slice(answer.indexOf("server_port=") + 12).split("\r")[0]!;
}

const media = (from: string, to: string): Uint8Array => udp({ from, to, payload: new Uint8Array(12) });

/** Two even and odd ports beside one another, and not those of the realserver. */
function isPair(t: Test, said: string): void {
  const [media, reports] = said.split("-").map(Number);
  t.equal(reports, media! + 1, said);
  t.equal(media! & 1, 0);
  t.not(media, 6970);
}

t.test("a second client of ports that are taken gets two others, side by side", async (t) => {
  const d = new Director([served(rtsp, 554, REAL, OTHER)]);
  t.equal(setUp(d, "192.0.2.7", REAL), "6970-6971");
  isPair(t, setUp(d, "192.0.2.8", OTHER));
});

t.test("so it does where only that of the reports is taken still", async (t) => {
  const d = new Director([served(rtsp, 554, REAL, OTHER)]);
  setUp(d, "192.0.2.7", REAL);
  t.equal(route(d.one(media("192.0.2.7:4588", `${VIP}:6970`), "CLIENT").packet), `192.0.2.7:4588 -> ${REAL}:6970`);
  isPair(t, setUp(d, "192.0.2.8", OTHER));
});

// They came from the realserver's own port, which the client knows nothing of, and what it sent to the one that it was told
// was dropped as a clash: RTCP of an RTSP player, and in SIP the voice itself.
t.test(
  "media come from the port that the client was told, and what it sends there goes the same way back",
  async (t) => {
    const d = new Director([served(rtsp, 554, REAL, OTHER)]);
    setUp(d, "192.0.2.7", REAL);
    const told = setUp(d, "192.0.2.8", OTHER).split("-");
    for (const [index, port] of told.entries()) {
      const [client, real] = [`192.0.2.8:${4588 + index}`, `${OTHER}:${6970 + index}`];
      t.equal(d.say(media(real, client), "REAL"), `to-client: ${VIP}:${port} -> ${client}`);
      t.equal(d.say(media(client, `${VIP}:${port}`), "CLIENT"), `to-real: ${client} -> ${real}`);
    }
  },
);

t.test("from another port than it named a realserver's media come as from there", async (t) => {
  const d = new Director([served(rtsp, 554, REAL, OTHER)]);
  setUp(d, "192.0.2.7", REAL);
  setUp(d, "192.0.2.8", OTHER);
  t.equal(d.say(media(`${OTHER}:7000`, "192.0.2.8:4588"), "REAL"), `to-client: ${VIP}:7000 -> 192.0.2.8:4588`);
});

// SIP says it in 183, and in 200, and in every INVITE that follows.
t.test("an end that is said again while its media flow is where it was", async (t) => {
  const d = new Director([served(rtsp, 554, REAL, OTHER)]);
  setUp(d, "192.0.2.7", REAL);
  const session = talk(d, "192.0.2.8", OTHER);
  const told = setUp(d, "192.0.2.8", OTHER, session);
  for (const index of [0, 1]) {
    d.say(media(`${OTHER}:${6970 + index}`, `192.0.2.8:${4588 + index}`), "REAL");
    d.say(media(`192.0.2.7:${4588 + index}`, `${VIP}:${6970 + index}`), "CLIENT");
  }
  t.equal(setUp(d, "192.0.2.8", OTHER, session), told, "though 6970 is free by now");
});

t.test("the host hears of a place that the client is told, and of its end by the same entry", async (t) => {
  const told: { entry: RelatedEntry; seen: string }[] = [];
  const ends: { entry: RelatedEntry; reason: GoneReason }[] = [];
  const d = new Director(
    [served(ftp, 21, REAL)],
    { placed: (entry, seen) => told.push({ entry, seen: endpointText(seen) }) },
    undefined,
    (entry, reason) => ends.push({ entry, reason }),
  );
  const session = new Session(d, "192.0.2.7:40000", `${VIP}:21`, `${REAL}:21`).open();
  session.reply("220 ready\r\n");
  session.say("PASV\r\n");
  const heard = session.reply("227 Entering Passive Mode (10,0,0,3,19,137)\r\n");
  t.match(told, [{ seen: `${VIP}:5001` }]);
  t.match(heard, "(203,0,113,10,19,137)");
  d.balancer.related.advance(seconds(3600));
  t.equal(ends.length, 1);
  t.equal(ends[0]?.entry, told[0]?.entry);
  t.equal(ends[0]?.reason, "expired");
});
