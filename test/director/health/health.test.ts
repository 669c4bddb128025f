/** Whom a configuration has asked, and what becomes of what is found. */
import t, { type Test } from "tap";
import { type Config, parseConfig } from "../../../director/config.ts";
import type { Target, Verdict } from "../../../director/health/check.ts";
import { Health } from "../../../director/health/health.ts";
import type { Fields } from "../../../director/log.ts";
import { until } from "../live.ts";

const config = (check: string, realservers = "[{ address: 192.0.2.2, port: 21 }, { address: 192.0.2.3 }]"): Config =>
  parseConfig(
    `services: [{ name: s, vip: 192.0.2.1, ports: [tcp/80], ${check} realservers: ${realservers} }]`,
    "test.yaml",
  );

const FAST = "check: { kind: tcp, interval: 2ms, rise: 2, fall: 3 },";

/** `answer`: of each realserver, what it is found to be. */
function health(
  t: Test,
  answer: (target: Target, signal: AbortSignal) => Verdict | Promise<Verdict>,
  obey: () => void = () => {},
  started = true,
) {
  const marks: string[] = [];
  const drops: unknown[] = [];
  const events: ({ readonly event: string } & Fields)[] = [];
  const path = {
    mark: async (service: string, realserver: string, up: boolean) => {
      marks.push(`${service} ${realserver} ${up ? "up" : "down"}`);
      obey();
      return true;
    },
    drop: async (scope: unknown) => {
      drops.push(scope);
      return 7;
    },
  };
  const one = new Health({
    path,
    log: (level, event, fields = {}) => events.push({ level, event, ...fields }),
    ask: async (target, signal) => answer(target, signal),
    random: () => 0,
  });
  if (started) one.start();
  t.teardown(() => one.stop());
  return { health: one, marks, drops, events };
}

t.test("a realserver that fails is marked down, once, with the reason told; and up when it serves again", async (t) => {
  let good = false;
  const {
    health: one,
    marks,
    drops,
    events,
  } = health(t, ({ realserver }) => (good || realserver === "192.0.2.3" ? null : "greeting-421"));
  await one.follow(config(FAST));
  await until(() => marks.length === 1, "it is down");
  good = true;
  await until(() => marks.length === 2, "it is up");
  t.same(marks, ["s 192.0.2.2:21 down", "s 192.0.2.2:21 up"]);
  const about = { service: "s", realserver: "192.0.2.2:21", check: "tcp" };
  t.same(events, [
    { level: "warn", event: "realserver-down", ...about, reason: "greeting-421" },
    { level: "info", event: "realserver-up", ...about },
  ]);
  t.same(drops, [], "its flows may end by themselves");
});

t.test("each is asked where its clients go, or where the check says", async (t) => {
  const asked = new Set<string>();
  const { health: one } = health(t, ({ address, port }) => {
    asked.add(`${address} ${port}`);
    return null;
  });
  await one.follow(config(FAST));
  await until(() => asked.size === 2, "both are asked");
  t.same([...asked].sort(), ["192.0.2.2 21", "192.0.2.3 80"]);
  await one.follow(config(FAST.replace("rise", "port: 99, rise")));
  await until(() => asked.size === 4, "both are asked at another port");
  t.same([...asked].sort().slice(1), ["192.0.2.2 99", "192.0.2.3 80", "192.0.2.3 99"]);
});

t.test("with drop the flows of one that fails are cut at once", async (t) => {
  const { health: one, drops, events } = health(t, ({ port }) => (port === 21 ? "ECONNREFUSED" : null));
  await one.follow(config(FAST.replace("rise", "onFailure: drop, rise")));
  await until(() => events.length === 1, "it is down");
  t.same(drops, [{ service: "s", realserver: "192.0.2.2:21" }]);
  t.match(events, [{ event: "realserver-down", cut: 7 }]);
});

t.test("what is down in the beginning is marked so before anybody is asked", async (t) => {
  const { health: one, marks } = health(t, () => null);
  await one.follow(config("check: { kind: tcp, initially: down, interval: 1h },"));
  t.same(marks, ["s 192.0.2.2:21 down", "s 192.0.2.3 down"]);
});

t.test("nobody is asked before it is started, whatever is followed; what is down in the beginning is", async (t) => {
  const asked = new Set<string>();
  const answer = ({ realserver }: Target): Verdict => {
    asked.add(realserver);
    return null;
  };
  const { health: one, marks } = health(t, answer, () => {}, false);
  await one.follow(config("check: { kind: tcp, initially: down, interval: 2ms },"));
  t.equal(marks.length, 2);
  await one.follow(config(FAST, "[{ address: 192.0.2.4 }]"));
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.same([...asked], []);
  one.start();
  await until(() => asked.size === 1, "it is asked");
  t.same([...asked], ["192.0.2.4"]);
});

t.test("what the director itself lacks takes nobody down", async (t) => {
  const { health: one, marks, events } = health(t, ({ port }) => (port === 21 ? "EMFILE" : "no-secret"));
  await one.follow(config(FAST));
  await until(() => events.length >= 10, "it was hindered often");
  t.same(marks, []);
  t.same([...new Set(events.map(({ event, reason }) => `${event} ${reason}`))].sort(), [
    "check-hindered EMFILE",
    "check-hindered no-secret",
  ]);
});

t.test("a check that breaks is a failed one, told each time, and the next one is made", async (t) => {
  const {
    health: one,
    marks,
    events,
  } = health(t, () => {
    throw Object.assign(new TypeError("what it had received"), { code: marks.length === 0 ? "ERR_SOME" : undefined });
  });
  await one.follow(config(FAST, "[{ address: 192.0.2.2 }]"));
  await until(() => events.length >= 6, "it goes on");
  t.same(marks, ["s 192.0.2.2 down"]);
  const about = { service: "s", realserver: "192.0.2.2", check: "tcp" };
  const broken = (reason: string) => ({ level: "error", event: "check-broken", ...about, reason });
  t.same(events.slice(0, 3), [broken("ERR_SOME"), broken("ERR_SOME"), broken("ERR_SOME")]);
  t.same(events[3], { level: "warn", event: "realserver-down", ...about, reason: "check-broken" });
  t.same(events[4], broken("TypeError"));
});

t.test("a path that cannot mark a realserver is told of, and its checks go on", async (t) => {
  let good = false;
  const obey = (): void => {
    throw new Error("it has ended");
  };
  const { health: one, marks, events } = health(t, () => (good ? null : "closed"), obey);
  await one.follow(config(FAST, "[{ address: 192.0.2.2 }]"));
  await until(() => events.length === 1, "it is told");
  t.match(events, [{ level: "error", event: "mark-failed", realserver: "192.0.2.2", reason: "it has ended" }]);
  good = true;
  await until(() => events.length === 2, "it goes on");
  t.same(marks, ["s 192.0.2.2 down", "s 192.0.2.2 up"]);
});

t.test("an answer that does not come in time is a failure, and its check is cut off", async (t) => {
  let cut = 0;
  const { health: one, events } = health(t, (_, signal) => {
    return new Promise((resolve) => {
      signal.addEventListener("abort", () => {
        cut++;
        resolve("stopped");
      });
    });
  });
  await one.follow(config("check: { kind: tcp, interval: 10ms, timeout: 5ms, fall: 2 },", "[{ address: 192.0.2.2 }]"));
  await until(() => events.length === 1, "it is down");
  t.match(events, [{ event: "realserver-down", reason: "timeout" }]);
  t.ok(cut >= 2);
});

t.test("who is asked as before goes on; in another way, keeps its condition; no more, is up again", async (t) => {
  const { health: one, marks, events } = health(t, ({ realserver }) => (realserver === "192.0.2.3" ? null : "closed"));
  await one.follow(config(FAST));
  await until(() => events.length === 1, "it is down");
  marks.length = 0;
  await one.follow(config(FAST));
  t.same(marks, ["s 192.0.2.2:21 down"], "a path that made it anew is told again");
  await one.follow(config("check: { kind: ftp, interval: 1h },"));
  t.same(marks.splice(0), ["s 192.0.2.2:21 down", "s 192.0.2.2:21 down"]);
  await one.follow(config(""));
  t.same(marks, ["s 192.0.2.2:21 up", "s 192.0.2.3 up"]);
  t.equal(events.length, 1);
});

t.test("no check outlives its stop, and what it would have found is not told", async (t) => {
  const signals: AbortSignal[] = [];
  const {
    health: one,
    marks,
    events,
  } = health(t, (_, signal) => {
    signals.push(signal);
    return new Promise((resolve) => signal.addEventListener("abort", () => resolve("closed")));
  });
  await one.follow(config("check: { kind: tcp, interval: 1m, timeout: 1m, fall: 1 },"));
  await until(() => signals.length === 2, "both are asked");
  one.stop();
  t.ok(signals.every(({ aborted }) => aborted));
  await one.follow(config(FAST));
  await new Promise((resolve) => setImmediate(resolve));
  t.same([marks, events, signals.length], [[], [], 2]);
});

t.test("of many realservers so many are asked at once, and all in their turn", async (t) => {
  let running = 0;
  let most = 0;
  const seen = new Set<string>();
  const { health: one } = health(t, async ({ realserver }) => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 1));
    running--;
    seen.add(realserver);
    return null;
  });
  const farm = Array.from({ length: 200 }, (_, i) => `{ address: 192.0.2.2, port: ${i + 1} }`).join(", ");
  await one.follow(config("check: { kind: tcp, interval: 1s },", `[${farm}]`));
  await until(() => seen.size === 200, "all were asked");
  t.equal(most, 64);
});
