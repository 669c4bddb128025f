/** ipvsadm's words to a running director. */

import { dirname, join } from "node:path";
import t, { type Test } from "tap";
import { withIpvsWords } from "../../../director/ctl/commands/ipvs.ts";
import { freePort } from "../../../tools/demo/realserver.ts";
import { ftpConfig, REAL_A, REAL_B, VIP } from "../live.ts";
import { built, Process } from "../process.ts";
import { scripted } from "../scripted.ts";

type Ended = Process & { readonly status: number | string | null };

async function farm(t: Test): Promise<{ port: number; ctl: (words: string, input?: string) => Promise<Ended> }> {
  const port = await freePort(VIP);
  const director = await Process.start(t, ftpConfig(VIP, port, [await scripted(t, REAL_A), await scripted(t, REAL_B)]));
  await director.untilEvent("ready");
  const env = { KINDRED_SOCKET: join(dirname(director.file), "kindred.sock") };
  const ctl = async (words: string, input = ""): Promise<Ended> => {
    const process = new Process(t, ["ctl", ...words.split(" ")], { env, input });
    return Object.assign(process, { status: await process.exited });
  };
  return { port, ctl };
}

t.test("a service is added, changed, listed, saved and taken away in ipvsadm's words", built, async (t) => {
  const { ctl } = await farm(t);
  const port = await freePort(VIP);
  const at = `${VIP}:${port}`;
  const said: string[] = [];
  for (const words of [
    `-A -t ${at} -s sed -p 90`,
    `-a -t ${at} -r 127.0.0.1:9 -m -w 3`,
    `-e -t ${at} -r 127.0.0.1:9 -m -w 4`,
  ]) {
    const { status, stderr } = await ctl(words);
    t.equal(status, 0, words);
    said.push(stderr);
  }
  t.same(said, [said[0], "", ""]);
  t.match(said[0], /yaml: services\[\d\]\S*: .*lists no realserver/, "what was never in the file has no line there");
  const rules = `-A -t ${at} -s sed -p 90\n-a -t ${at} -r 127.0.0.1:9 -m -w 4\n`;
  t.ok((await ctl("-S -n")).stdout.endsWith(rules));
  t.ok(
    (await ctl("-L -n")).stdout.endsWith(
      `TCP  ${at} sed persistent 90\n  -> 127.0.0.1:9                  Masq    4      0          0         \n`,
    ),
  );
  const of = await ctl(`-Ln --stats -t ${at}`);
  t.match(of.stdout, /^Prot LocalAddress:Port +Conns +InPkts .*\n.*\nTCP .*\n {2}-> 127\.0\.0\.1:9 .*\n$/m, of.stderr);
  t.match((await ctl("-L -n -c")).stdout, /^IPVS connection entries\n.*\n$/);
  t.equal((await ctl("-L --timeout")).status, 2);
  t.equal((await ctl(`-D -t ${at}`)).status, 0);
  t.notOk((await ctl("-S")).stdout.includes(at));
});

t.test("what was saved is restored byte for byte, and all of it or nothing", built, async (t) => {
  const { ctl } = await farm(t);
  const { stdout: saved } = await ctl("-S -n");
  t.match(saved, /^-A -t \S+ -s rr\n-a -t \S+ -r \S+ -m -w 1\n-a /);
  t.equal((await ctl("-C")).status, 0);
  t.equal((await ctl("-S -n")).stdout, "");
  const half = await ctl("-R", `${saved}-A -t 192.0.2.1:80 -s lblc\n`);
  t.equal(half.status, 2);
  t.match(half.stderr, /^kindred ctl: rules:4:23: lblc chooses by the packet's destination/);
  t.equal((await ctl("-S -n")).stdout, "", "nothing of it");
  t.equal((await ctl("-R", saved)).status, 0);
  t.equal((await ctl("-S -n")).stdout, saved);
});

t.test("ipvsadm's words are known by the first of them, behind options of our own", async (t) => {
  t.same(withIpvsWords(["-A", "-t", "x"]), ["ipvs", "-A", "-t", "x"]);
  t.same(withIpvsWords(["--socket", "/x", "--save", "-n"]), ["--socket", "/x", "ipvs", "--save", "-n"]);
  t.same(withIpvsWords(["services", "-o", "json"]), ["services", "-o", "json"]);
  t.same(withIpvsWords(["-o", "json", "services"]), ["-o", "json", "services"]);
  t.same(withIpvsWords([]), []);
});
