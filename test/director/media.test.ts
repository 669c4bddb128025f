/** What bounds relays of announced datagrams: how many there may be, and how long they may be quiet. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import t, { type Test } from "tap";
import { Balancer, type ConnectionEntry } from "../../core/balancer.ts";
import type { RelatedEntry } from "../../core/flow/related.ts";
import { type Direction, type Endpoint, type Ms, opposite, type Port, port, seconds } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { now } from "../../director/clock.ts";
import { planServices } from "../../director/config/services.ts";
import { parseConfig } from "../../director/config.ts";
import { DatagramPorts } from "../../director/datapath/datagram-ports.ts";
import { MediaRelays } from "../../director/datapath/media.ts";
import type { Fields } from "../../director/log.ts";
import { CLIENT, REAL_A, until, VIP } from "./live.ts";

const LIMITS = { pending: 32, ttl: seconds(60), hold: 1024, patience: seconds(60) };
const address = (text: string): Address => Address.parse(text)!;

interface Room {
  readonly media: MediaRelays;
  readonly balancer: Balancer;
  readonly control: ConnectionEntry;
  readonly closed: Fields[];
  /** Announces RTP and RTCP to `first` and the port above, and completes both; where the realserver meets them. */
  announce(first: Port): Promise<readonly (Endpoint | null)[]>;
  /** The entries of the last announcement, without their answers. */
  readonly entries: RelatedEntry[];
}

async function room(t: Test, most?: number): Promise<Room> {
  const config = `services: [{ name: m, vip: ${VIP}, ports: [tcp/8554], helper: rtsp, realservers: [{ address: ${REAL_A} }] }]`;
  const closed: Fields[] = [];
  const entries: RelatedEntry[] = [];
  let ids = 0;
  const balancer: Balancer = new Balancer(await planServices(parseConfig(config, "test.yaml")), {
    limits: { perClient: 100, total: 100 },
    seed: 1,
    gone: (entry, reason) => media.gone(entry, reason === "replaced"),
  });
  const media: MediaRelays = new MediaRelays(
    {
      balancer,
      ports: new DatagramPorts(null),
      log: (_level, event, fields = {}) => void (event === "closed" && closed.push(fields)),
      count: () => {},
      opened: () => ++ids,
      closed: (connection) => balancer.close(connection, now()),
    },
    most,
  );
  t.teardown(() => media.close());
  const virtual = { address: address(VIP), port: port(8554) };
  const control = balancer.admit("tcp", { address: address(CLIENT), port: port(40_000) }, virtual, now());
  if (typeof control === "string") throw new Error(control);
  const at: Record<Direction, Address> = { original: address(VIP), reply: address(REAL_A) };
  const place = async (opener: Direction, to: number, answered: RelatedEntry | null) => {
    const bytes = { start: 0, end: 0 };
    const instead = { ...bytes, text: () => "" };
    const ends = { opener, from: { address: null, port: null }, to: { address: null, port: to } };
    const announcement = { kind: "rtsp-rtp", said: "", transport: "udp", ...ends, uses: 1, bytes, instead } as const;
    const entry = balancer.announce(control, announcement, opposite(opener), LIMITS, now());
    if (typeof entry === "string") throw new Error(entry);
    if (answered === null) entries.push(entry);
    const seen = await new Promise<Endpoint | null>((answer) => media.prepare(at, entry, answered, answer));
    return seen !== null && balancer.place(entry, seen) ? { entry, seen } : null;
  };
  const announce = async (first: Port): Promise<(Endpoint | null)[]> => {
    entries.length = 0;
    const offered = await Promise.all([first, first + 1].map((to) => place("reply", to, null)));
    if (!offered.includes(null)) for (const one of offered) await place("original", 6000, one!.entry);
    return offered.map((one) => one?.seen ?? null);
  };
  return { media, balancer, control, closed, announce, entries };
}

async function socketAt(t: Test, host: string): Promise<Socket> {
  const socket = createSocket("udp4");
  t.teardown(() => void socket.close());
  socket.bind(0, host);
  await once(socket, "listening");
  return socket;
}

t.test("no more relays than may be; one that ends makes room for another", async (t) => {
  const { announce, media, entries, balancer } = await room(t, 4);
  t.notOk((await announce(port(5000))).includes(null));
  const first = [...entries];
  t.notOk((await announce(port(5002))).includes(null), "four stand");
  t.same(await announce(port(5004)), [null, null], "a fifth and a sixth do not");
  for (const entry of entries) balancer.revoke(entry);
  media.withdrawn(first);
  t.notOk((await announce(port(5006))).includes(null), "two have gone, two may come");
  t.same(await announce(port(5008)), [null, null]);
});

t.test("half of a pair is none: its relay goes when the pair is refused", async (t) => {
  const { announce, entries, balancer } = await room(t, 3);
  await announce(port(5000));
  const [rtp, rtcp] = await announce(port(5002));
  t.ok(rtp);
  t.equal(rtcp, null);
  for (const entry of entries) balancer.revoke(entry, "unavailable");
  const other = await announce(port(5004));
  t.ok(other[0], "what the half had is free");
});

t.test("60 s without a datagram end a flow; reports alone keep it", async (t) => {
  const { announce, media, closed, balancer } = await room(t);
  const real = await socketAt(t, REAL_A);
  const passes = (at: Ms): void => {
    balancer.advance(at);
    media.sweep(at);
  };
  const player = await socketAt(t, CLIENT);
  const [rtp, rtcp] = await announce((player.address().port - 1) as Port);
  const begun = now();
  for (const seen of [rtp, rtcp]) real.send("media", seen!.port, REAL_A);
  await until(() => balancer.connections.size === 3, "both are open, beside the control connection");
  const open = now();
  passes((begun + seconds(60) - 1) as Ms);
  t.same(closed, []);
  await until(() => now() > open, "time goes by");
  const heard = new Promise<void>((resolve) => {
    player.on("message", (message) => String(message) === "report" && resolve());
  });
  real.send("report", rtcp!.port, REAL_A);
  await heard;
  passes((open + seconds(60)) as Ms);
  t.same(closed, [], "media that are paused stay, as long as there are reports");
  passes((now() + seconds(60)) as Ms);
  t.match(closed, [
    { role: "related", original: 0, reply: "media".length, error: "idle" },
    { role: "related", original: 0, reply: "mediareport".length, error: "idle" },
  ]);
  t.equal(balancer.connections.size, 1);
});

t.test("what nobody has opened yet is waited for, however long, as long as its entry", async (t) => {
  const { announce, media, entries, balancer } = await room(t);
  const [rtp] = await announce(port(5000));
  media.sweep((now() + seconds(120)) as Ms);
  const real = await socketAt(t, REAL_A);
  real.send("media", rtp!.port, REAL_A);
  await until(() => balancer.connections.size === 2, "it is open");
  balancer.advance((now() + seconds(61)) as Ms);
  t.equal(entries[1]!.state, "gone");
});
