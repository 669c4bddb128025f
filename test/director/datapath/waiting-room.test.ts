/** Who comes is served at once, waits, or is turned away: with limits so small that a few clients are too many. */
import t from "tap";
import { type Ms, ms } from "../../../core/units.ts";
import type { ServicePlan } from "../../../director/config/services.ts";
import type { Stream } from "../../../director/datapath/transport.ts";
import { ROOM, type RoomLimits, WaitingRoom } from "../../../director/datapath/waiting-room.ts";
import { endpoint } from "../backends.ts";

const plan = { name: "ftp" } as ServicePlan;
const virtual = endpoint("203.0.113.10", 21);

/** A client that can only be told apart and reset. */
class Client {
  reset_ = false;
  gone = false;
  readonly remote: Stream["remote"];

  constructor(port: number) {
    this.remote = endpoint("198.51.100.7", port);
  }

  reset(): void {
    this.reset_ = true;
  }
}

function roomWith(limits: Partial<RoomLimits>) {
  const served: number[] = [];
  const told: string[] = [];
  const room = new WaitingRoom(
    { ...ROOM, longest: ms(60_000), ...limits },
    {
      serve: (_plan, { remote }) => served.push(remote!.port),
      turnAway: (client, reason, fields) => {
        told.push(`${reason} ${fields["service"]} ${fields["from"]}`);
        client.reset();
      },
      log: (level, event, fields = {}) => told.push(`${level} ${event} ${fields["turnedAway"] ?? ""}`.trim()),
    },
  );
  const come = (...ports: number[]): Client[] =>
    ports.map((port) => {
      const client = new Client(port);
      room.enter(plan, client as unknown as Stream, virtual);
      return client;
    });
  return { room, served, told, come };
}

/** Everybody has had a turn. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

t.test(
  "so many are served in a turn, at once; the others in the turns that follow, first come first served",
  async (t) => {
    const { room, served, come, told } = roomWith({ perTurn: 2 });
    come(1, 2, 3, 4, 5);
    t.same([served, room.size], [[1, 2], 3]);
    await turn();
    t.same([served, room.size], [[1, 2, 3, 4], 1]);
    come(6);
    t.same(served, [1, 2, 3, 4], "nobody overtakes who waits");
    await turn();
    t.same(served, [1, 2, 3, 4, 5, 6]);
    await turn();
    come(7);
    t.same([served.at(-1), room.size], [7, 0]);
    t.same(told, []);
    t.equal(room.entering.histogram.buckets.at(-1)![1], 7, "each wait is counted");
  },
);

t.test("who has gone while he waited takes nobody's turn", async (t) => {
  const { room, served, come } = roomWith({ perTurn: 1 });
  const clients = come(1, 2, 3, 4);
  clients[1]!.gone = true;
  await turn();
  t.same([served, room.size], [[1, 3], 1]);
});

t.test(
  "who comes when the first has waited too long already is turned away; said when it begins and ends",
  async (t) => {
    const { served, told, come } = roomWith({ perTurn: 1, longest: 0 as Ms });
    const clients = come(1, 2, 3, 4);
    t.same(
      clients.map(({ reset_ }) => reset_),
      [false, false, true, true],
    );
    const refused = [3, 4].map((port) => `overloaded ftp 198.51.100.7:${port}`);
    t.same(told, ["warn overloaded", ...refused]);
    await turn();
    t.same(served, [1, 2]);
    t.same(told.slice(3), ["info overload-over 2"]);
    await turn();
    t.same(come(5)[0]!.reset_, false);
    t.same(served, [1, 2, 5]);
  },
);

t.test(
  "who would wait too long, as the last one did for each before him, is turned away while nobody has",
  async (t) => {
    const { room, served, come } = roomWith({ perTurn: 1, longest: ms(100) });
    come(1, 2);
    const since = performance.now();
    while (performance.now() - since < 30);
    await turn();
    t.same(served, [1, 2]);
    const clients = come(3, 4, 5, 6, 7, 8);
    const away = clients.filter(({ reset_ }) => reset_).length;
    t.equal(clients[0]!.reset_, false);
    t.ok(room.size <= 4, `${room.size} wait`);
    t.equal(room.size + away, 6);
  },
);

t.test("no more wait than may, however short a time", async (t) => {
  const { room, served, come } = roomWith({ perTurn: 1, most: 2 });
  const clients = come(1, 2, 3, 4);
  t.same(
    clients.map(({ reset_ }) => reset_),
    [false, false, false, true],
  );
  t.equal(room.size, 2);
  await turn();
  await turn();
  t.same(served, [1, 2, 3]);
});

t.test("when it is closed who waits is reset, and never served", async (t) => {
  const { room, served, come } = roomWith({ perTurn: 1 });
  const clients = come(1, 2, 3);
  room.close();
  await turn();
  t.same(
    clients.map(({ reset_ }) => reset_),
    [false, true, true],
  );
  t.same(served, [1]);
});
