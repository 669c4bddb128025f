import t from "tap";
import type { Calls } from "../../../../director/datapath/tun/calls.ts";
import { giveUpRoot, withoutPrivileges } from "../../../../director/datapath/tun/privileges.ts";

/** prctl(2) of the ambient set: linux/prctl.h. */
const AMBIENT = 47;
const CHANGES = new Map([
  [2, "raise"],
  [3, "lower"],
]);

/** A process of root's, as far as it is told: what is done, in order. */
function root(t: { intercept(of: object, name: string, what: { value: unknown }): unknown }): [Calls, string[]] {
  const done: string[] = [];
  t.intercept(process, "getuid", { value: () => 0 });
  for (const name of ["setgroups", "setgid", "setuid"]) t.intercept(process, name, { value: () => done.push(name) });
  const calls = {
    prctl: (option: number, change: number, capability: number) => {
      if (option === AMBIENT) done.push(`${CHANGES.get(change)} ${capability}`);
      return 0;
    },
    capset: () => done.push("capset"),
    memory: (size: number) => ({ bytes: Buffer.alloc(size), at: 0 }),
    errno: () => 1,
  };
  return [calls as unknown as Calls, done];
}

t.test("whoever gave up nothing has nothing to keep from what it runs", async (t) => {
  t.equal(
    withoutPrivileges(() => 7),
    7,
  );
});

t.test("what is run without privileges is not given CAP_NET_ADMIN; what follows is, also if that fails", async (t) => {
  const [calls, done] = root(t);
  t.equal(giveUpRoot(calls), null);
  t.same(done.splice(0), ["setgroups", "setgid", "setuid", "capset", "raise 12"]);
  t.equal(
    withoutPrivileges(() => done.push("run")),
    2,
  );
  t.same(done.splice(0), ["lower 12", "run", "raise 12"]);
  const fails = (): void => {
    throw new Error("no such program");
  };
  t.throws(() => withoutPrivileges(fails), /no such program/);
  t.same(done, ["lower 12", "raise 12"]);
});
