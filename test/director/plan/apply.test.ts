import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { Address } from "../../../core/wire/address.ts";
import { applySteps, type Before, type Execute, resultText, undoSteps } from "../../../director/plan/apply.ts";
import { RecordedSettings } from "../../../director/plan/host.ts";
import { address, nftTable, type Step, sysctl } from "../../../director/plan/step.ts";

class Memory implements Before {
  readonly values = new Map<string, string>();
  get(key: string): string | undefined {
    return this.values.get(key);
  }
  async set(key: string, value: string): Promise<void> {
    this.values.set(key, value);
  }
  async delete(key: string): Promise<void> {
    this.values.delete(key);
  }
}

const ok = (stdout = "") => ({ status: 0, stdout, stderr: "" });
const no = (stderr: string) => ({ status: 2, stdout: "", stderr });

/** As much of a host as the steps below touch; every command that changes something is written down. */
class FakeHost {
  readonly settings = new Map([["net.ipv4.ip_forward", "0"]]);
  readonly addresses = new Set<string>();
  readonly changes: string[] = [];

  readonly execute: Execute = async ({ argv }) => {
    const [program, ...rest] = argv;
    if (program === "sysctl") return this.#sysctl(rest);
    return program === "ip" ? this.#address(rest) : no("no such program");
  };

  #sysctl(words: readonly string[]) {
    const [key, value] = words.at(-1)!.split("=") as [string, string?];
    const now = this.settings.get(key);
    if (now === undefined) return no(`${key}: no such key`);
    if (value === undefined) return ok(words[0] === "-n" ? `${now}\n` : `${key} = ${now}\n`);
    this.changes.push(["sysctl", ...words].join(" "));
    this.settings.set(key, value);
    return ok();
  }

  #address(words: readonly string[]) {
    const at = words.find((word) => word.includes("/"))!;
    if (words.includes("show")) return ok(this.addresses.has(at) ? `1: lo    inet ${at} scope global lo\n` : "");
    if (words.includes("replace")) this.addresses.add(at);
    else if (!this.addresses.delete(at)) return no("RTNETLINK answers: Cannot assign requested address");
    this.changes.push(["ip", ...words].join(" "));
    return ok();
  }
}

const step = (why: string, change: ReturnType<typeof sysctl>): Step => ({ host: "director", why, ...change });
const forward = step("packets pass", sysctl("net.ipv4.ip_forward", 1));
const vip = step("the VIP", address(Address.parse("203.0.113.10")!, "lo"));
const broken = step("a table", nftTable("kindred_test", []));

t.test("steps are done in order, and once: a second time all is as it was", async (t) => {
  const host = new FakeHost();
  const before = new Memory();
  const first = await applySteps([forward, vip], host.execute, before);
  t.same(
    first.map(({ outcome }) => outcome),
    ["done", "done"],
  );
  t.same(host.changes, ["sysctl -q -w net.ipv4.ip_forward=1", "ip address replace 203.0.113.10/32 dev lo"]);
  const second = await applySteps([forward, vip], host.execute, before);
  t.same(
    second.map(({ outcome }) => outcome),
    ["as it was", "as it was"],
  );
  t.equal(host.changes.length, 2);
});

t.test("they are taken back last first, a setting to what it was, and twice is once", async (t) => {
  const host = new FakeHost();
  const before = new Memory();
  await applySteps([forward, vip], host.execute, before);
  host.changes.length = 0;
  const back = await undoSteps([forward, vip], host.execute, before);
  t.same(
    back.map(({ outcome }) => outcome),
    ["taken back", "taken back"],
  );
  t.same(host.changes, ["ip address del 203.0.113.10/32 dev lo", "sysctl -q -w net.ipv4.ip_forward=0"]);
  t.equal(before.values.size, 0);
  const again = await undoSteps([forward, vip], host.execute, before);
  t.same(
    again.map(({ outcome }) => outcome),
    ["as it was", "as it was"],
  );
});

t.test("a setting that was so before a plan came stays so after it", async (t) => {
  const host = new FakeHost();
  host.settings.set("net.ipv4.ip_forward", "1");
  const before = new Memory();
  await applySteps([forward], host.execute, before);
  await undoSteps([forward], host.execute, before);
  t.equal(host.settings.get("net.ipv4.ip_forward"), "1");
});

t.test(
  "a setting goes back to what it was before the first time, though somebody changed it before the second",
  async (t) => {
    const host = new FakeHost();
    const before = new Memory();
    await applySteps([forward], host.execute, before);
    host.settings.set("net.ipv4.ip_forward", "7");
    await applySteps([forward], host.execute, before);
    await undoSteps([forward], host.execute, before);
    t.equal(host.settings.get("net.ipv4.ip_forward"), "0");
  },
);

t.test("a setting that somebody else has changed since is left to them", async (t) => {
  const host = new FakeHost();
  const before = new Memory();
  await applySteps([forward], host.execute, before);
  host.settings.set("net.ipv4.ip_forward", "7");
  await undoSteps([forward], host.execute, before);
  t.equal(host.settings.get("net.ipv4.ip_forward"), "7");
  t.equal(before.values.size, 0);
});

t.test("after a failure what was done is taken back, and the rest is not tried", async (t) => {
  const host = new FakeHost();
  const results = await applySteps([forward, broken, vip], host.execute, new Memory());
  t.same(
    results.map(({ outcome }) => outcome),
    ["done", "failed", "taken back"],
  );
  t.equal(host.settings.get("net.ipv4.ip_forward"), "0");
  t.equal(host.addresses.size, 0);
  const text = resultText(results[1]!);
  t.match(text, /^failed .*\n {4}nft -f - <<'NFT'\n/);
  t.match(text, "    no such program");
});

t.test("after a failure what was there before this call stays", async (t) => {
  const host = new FakeHost();
  host.addresses.add("203.0.113.10/32");
  await applySteps([vip, broken], host.execute, new Memory());
  t.same([...host.addresses], ["203.0.113.10/32"]);
});

t.test("a setting that this kernel does not have is a failure, not a surprise", async (t) => {
  const unknown = step("nothing", sysctl("net.ipv4.no_such_key", 1));
  const [result] = await applySteps([unknown], new FakeHost().execute, new Memory());
  t.match(result, { outcome: "failed", error: /no such key/ });
});

t.test("the first value of a setting outlives processes, and the record goes with the last", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "kindred-plan-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "deeper", "plan.json");
  const one = await RecordedSettings.from(file);
  t.equal(one.get("a.b"), undefined);
  await one.set("a.b", "0");
  await one.set("c.d", "2");
  const other = await RecordedSettings.from(file);
  t.equal(other.get("a.b"), "0");
  await other.delete("a.b");
  t.equal((await RecordedSettings.from(file)).get("c.d"), "2");
  await other.delete("c.d");
  t.same(readdirSync(join(folder, "deeper")), []);
});
