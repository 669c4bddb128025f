import t from "tap";
import { createBatch, createOutput, Side } from "../../../../core/engine/batch.ts";
import { type Ms, ms } from "../../../../core/units.ts";
import { PacketLoop } from "../../../../director/datapath/tun/loop.ts";
import type { PacketPort } from "../../../../director/datapath/tun/port.ts";
import { Director, realserver, service } from "../../../core/director.ts";
import { tcp } from "../../../packets.ts";

const SYN = tcp({ from: "192.0.2.7:40000", to: "203.0.113.10:80", flags: "S" });

/** What happens while the loop waits: after `pause` ms a packet comes, or somebody wakes it, or nothing does. */
interface Event {
  readonly pause: number;
  readonly brings: "packet" | "wake" | "nothing";
}

/** Runs the loop through `events`, by a clock of its own. A question to the port costs 10 us, a wake-up nothing. */
function play(events: readonly Event[], work: readonly ("none" | "more" | "wait")[] = []) {
  const { engine, balancer } = new Director([service("203.0.113.10", [["tcp", 80, 80]], [realserver("10.0.0.3", 80)])]);
  const batch = createBatch(1, SYN.slice());
  batch.length[0] = SYN.length;
  batch.side[0] = Side.CLIENT;
  let clock = 1000;
  let due = clock;
  let next = 0;
  const did: string[] = [];
  const timeouts: number[] = [];
  const say = (what: string): void => {
    if (did.at(-1) !== what) did.push(what);
  };
  const more = (): boolean => {
    due = clock + (events[++next]?.pause ?? 0);
    return next < events.length;
  };
  due += events[0]!.pause;
  const port: PacketPort = {
    batch,
    receive: () => {
      clock += 0.01;
      const event = events[next];
      batch.count = event?.brings === "packet" && clock >= due ? 1 : 0;
      if (batch.count === 0) return 0;
      batch.bytes.set(SYN);
      say("packet");
      if (!more()) loop.stop();
      return 1;
    },
    forward: () => {},
    sendOwn: () => {},
    pause: () => say("pause"),
    wait: (timeout) => {
      say("wait");
      timeouts.push(timeout);
      const event = events[next]!;
      const left = due - clock;
      clock += Math.min(Math.max(left, 0), timeout);
      if (event.brings === "packet" || left > timeout) return false;
      if (!more()) loop.stop();
      return event.brings === "wake";
    },
  };
  const loop = new PacketLoop(port, engine, balancer, createOutput(1), {
    now: () => ms(clock) as Ms,
    tick: () => say("tick"),
    work: () => {
      const left = asked.shift() ?? "none";
      if (left !== "none") say(`work: ${left}`);
      return left;
    },
  });
  const asked = [...work];
  const turned = loop.run() ? 0 : 1;
  if (turned > 0) loop.run();
  return { did, timeouts, engine, turned };
}

const packet = (pause: number): Event => ({ pause, brings: "packet" });

t.test("what wakes it is heard at once, and what packets bring does not cost a tick each", async (t) => {
  const { did } = play([packet(5), { pause: 1, brings: "wake" }, packet(1), packet(1)]);
  t.same(did, ["tick", "wait", "packet", "wait", "tick", "wait", "packet", "wait", "packet"]);
});

t.test("after a short pause it asks again instead of sleeping, and sleeps when nothing came as soon", async (t) => {
  const { did } = play([packet(0.1), packet(0.1), packet(0.1), packet(3), packet(3)]);
  const after = did.slice(did.indexOf("packet") + 1).filter((what) => what !== "tick");
  t.same(after, ["wait", "packet", "pause", "packet", "pause", "wait", "packet", "wait", "packet"]);
});

t.test("it ticks every 10 ms while there are flows, every 100 ms without, however many packets come", async (t) => {
  const idle = play([{ pause: 250, brings: "nothing" }]);
  t.same(idle.timeouts, [100, 100, 100]);
  const busy = play([packet(0), ...Array.from({ length: 40 }, () => packet(1))]);
  t.ok(busy.timeouts.every((timeout) => timeout <= 10 && timeout >= 1));
  const ticks = busy.did.filter((what) => what === "tick").length;
  t.ok(ticks >= 4 && ticks <= 6, `${ticks} in 40 ms`);
  t.equal(busy.engine.table.size, 1);
});

t.test("what was asked is done a step a turn, without sleeping; packets have their turns in between", async (t) => {
  const { did, turned } = play([packet(0.02), packet(0.02), packet(5)], ["more", "more", "more", "more", "more"]);
  t.same(
    did.slice(0, did.indexOf("wait")).filter((what) => what !== "tick"),
    ["work: more", "packet", "work: more", "packet", "work: more"],
  );
  t.equal(turned, 0);
});

t.test("what waits for Node's event loop has the loop return to it, and then it goes on", async (t) => {
  const { did, turned } = play([packet(1), packet(1)], ["wait"]);
  t.equal(turned, 1);
  t.same(
    did.filter((what) => what !== "tick" && what !== "wait"),
    ["work: wait", "packet", "packet"],
  );
});
