/** More clients than the director takes on in a turn of its loop: none is half served. */
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import t, { type Test } from "tap";
import { ms } from "../../core/units.ts";
import { parseConfig } from "../../director/config.ts";
import { chooseBackend } from "../../director/datapath/backend.ts";
import { planSockets } from "../../director/datapath/socket-plan.ts";
import { ROOM, type RoomLimits } from "../../director/datapath/waiting-room.ts";
import { freePort } from "../../tools/demo/realserver.ts";
import { CLIENT, endingOf, Live, listen, onBackend, plainConfig, REAL_A, until, VIP } from "./live.ts";

const CLIENTS = 60;

/** A director with such a room, and a realserver that says what it is told; `came`: connections that it had. */
async function echoing(t: Test, room: Partial<RoomLimits>) {
  let came = 0;
  const real = await listen(t, REAL_A, (socket) => {
    came++;
    socket.pipe(socket);
  });
  const port = await freePort(VIP);
  const config = parseConfig(onBackend(plainConfig(VIP, port, [{ address: REAL_A, port: real }])), "test.yaml");
  const live = await Live.run(t, { ...(await planSockets(config)), room: { ...ROOM, ...room } }, port);
  return { live, came: () => came };
}

interface Told {
  readonly how: string;
  readonly same: boolean;
  readonly bytes: number;
}

/** Says something of its own, ends, and hears all that there is to hear. */
async function client(t: Test, port: number): Promise<Told> {
  const said = randomBytes(5000);
  const socket: Socket = connect({ host: VIP, port, localAddress: CLIENT });
  t.teardown(() => socket.destroy());
  const heard: Buffer[] = [];
  socket.on("data", (bytes: Buffer) => heard.push(bytes));
  const over = endingOf(socket);
  socket.end(said);
  const how = await over;
  const bytes = Buffer.concat(heard);
  return { how, same: bytes.equals(said), bytes: bytes.length };
}

const all = (t: Test, { port }: Live): Promise<Told[]> =>
  Promise.all(Array.from({ length: CLIENTS }, () => client(t, port)));

t.test("many who come at once wait for their turn, and each is served whole", async (t) => {
  const { live, came } = await echoing(t, { perTurn: 1, longest: ms(60_000) });
  const told = await all(t, live);
  t.same(
    told.filter(({ how, same }) => how !== "end" || !same),
    [],
  );
  t.equal(came(), CLIENTS);
  t.same(live.of("refusal"), []);
  await until(() => live.path.open.connections === 0, "all is over");
});

const { KINDRED_BACKEND: backend = (await chooseBackend("auto")).name } = process.env;
const many = backend === "net" ? { skip: "net takes one client in a turn: the others wait in the kernel" } : {};

t.test("who would wait too long is reset before anything is begun; the others are served whole", many, async (t) => {
  const { live, came } = await echoing(t, { perTurn: 1, longest: ms(0) });
  const told = await all(t, live);
  const served = told.filter(({ how }) => how === "end");
  const turnedAway = told.filter(({ how }) => how !== "end");
  t.ok(served.length > 1 && turnedAway.length > 0, `${served.length} served, ${turnedAway.length} turned away`);
  t.ok(served.every(({ same }) => same));
  t.ok(turnedAway.every(({ how, bytes }) => (how === "ECONNRESET" || how === "EPIPE") && bytes === 0));
  t.equal(came(), served.length, "the realserver heard of nobody else");
  t.equal(live.path.counters.get("refused.overloaded"), turnedAway.length);
  t.match(live.of("overloaded")[0], { level: "warn", service: "plain" });
  await until(() => live.path.open.connections === 0, "all is over");
  t.equal((await client(t, live.port)).how, "end", "and then all is well");
  t.equal(live.of("overload-over").length, live.of("overloaded").length);
});

t.test("a director that stops turns away who waits, and lets those who are served finish", async (t) => {
  const { live, came } = await echoing(t, { perTurn: 1, longest: ms(60_000) });
  const asked = all(t, live);
  await until(() => came() > 0, "the first is served");
  await live.path.stop();
  const told = await asked;
  const served = told.filter(({ how }) => how === "end");
  t.ok(served.every(({ same }) => same));
  t.equal(served.length, came());
});
