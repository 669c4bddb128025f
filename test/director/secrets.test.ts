/** Arguments of PASS and ACCT are in no event, counter or output, whatever goes wrong. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import t, { type Test } from "tap";
import { freePort } from "../../tools/demo/realserver.ts";
import { CLIENT, dial, ending, ftpConfig, ftpDirector, type Live, listen, REAL_A, until, VIP } from "./live.ts";
import { built, Process } from "./process.ts";
import { scripted } from "./scripted.ts";

const CANARY = "swordfish";
const LONG = CANARY.repeat(1200);

/** What a client says, in pieces. */
const dialogues: readonly [what: string, ...pieces: (string | Buffer)[]][] = [
  ["an ordinary PASS", "USER me\r\n", `PASS ${CANARY}\r\n`],
  ["an ordinary ACCT", "USER me\r\n", `ACCT ${CANARY}\r\n`],
  ["a PASS in pieces", "USER me\r\nPA", "SS ", CANARY.slice(0, 4), `${CANARY.slice(4)}\r\n`],
  ["a PASS that is too long", "USER me\r\n", `PASS ${LONG}\r\n`],
  ["a PASS that is too long and never ends", "USER me\r\n", `PASS ${LONG}`],
  ["a PASS without an end", "USER me\r\n", `PASS ${CANARY}`],
  ["a PASS first of all", `PASS ${CANARY}\r\n`],
  ["a PASS whose argument looks like a verb", "USER me\r\n", `PASS PORT ${CANARY}\r\n`],
  ["a PASS whose argument looks like an address", "USER me\r\n", `PASS PORT 10,0,0,1,4,4 ${CANARY}\r\n`],
  ["a PASS with a PORT behind a bare CR", "USER me\r\n", `PASS ${CANARY}\rPORT 10,0,0,1,4,4\r\n`],
  ["a PASS with telnet commands in it", "USER me\r\n", Buffer.from(`PA\xff\xf1SS \xff\xfb\x01${CANARY}\r\n`, "latin1")],
  ["a PASS with NULs in it", "USER me\r\n", `P\0ASS ${CANARY}\0\r\n`],
  ["a PASS that is misspelt", "USER me\r\n", `PASSW ${CANARY}\r\nPAS ${CANARY}\r\n`],
  ["a password alone", `${CANARY}\r\n`],
  ["a password in place of an address", "USER me\r\n", `PORT ${CANARY}\r\nEPRT |1|${CANARY}|2000|\r\n`],
  ["a PASS among pipelined announcements", `USER me\r\nPASV\r\nPASS ${CANARY}\r\nEPSV\r\nPORT 9,9,9,9,9,9\r\n`],
];

async function say(t: Test, live: Live, pieces: readonly (string | Buffer)[], end: (client: Socket) => void) {
  const client = await dial(t, VIP, live.port, CLIENT);
  await once(client, "data");
  client.resume();
  for (const piece of pieces) {
    await new Promise((sent) => client.write(piece, sent));
    await new Promise((later) => setTimeout(later, 15));
  }
  end(client);
  await until(() => live.path.open.controls === 0, "it is over");
}

function silent(t: Test, live: Live): void {
  t.ok(live.events.length >= 2, "there are events");
  t.notMatch(JSON.stringify(live.events), new RegExp(CANARY, "i"), "none has it");
  t.notMatch(JSON.stringify(live.path.counters.all()), new RegExp(CANARY, "i"), "nor has a counter");
}

for (const [what, ...pieces] of dialogues) {
  t.test(`${what} is in no event`, async (t) => {
    // It answers a password with the password, as some do.
    const answer = (line: string, control: Socket): boolean =>
      line.includes(CANARY) ? control.write(`530-${line}\r\n530 no: ${line.slice(0, 200)}\r\n`) : false;
    const live = await ftpDirector(t, [await scripted(t, REAL_A, { answer })]);
    await say(t, live, pieces, (client) => client.end());
    await say(t, live, pieces, (client) => client.resetAndDestroy());
    await say(t, live, pieces, () => live.path.abort());
    silent(t, live);
  });
}

t.test("a realserver that fails in the middle of it brings it out neither", async (t) => {
  const ends: readonly ((control: Socket) => void)[] = [
    (control) => control.resetAndDestroy(),
    (control) => control.end(`530 ${CANARY}`),
    (control) => control.end(`227 Entering Passive Mode (${CANARY})\r\n`),
    (control) => control.end(`227 ${CANARY} (10,9,8,7,6,5)\r\n229 ${CANARY} (|||99999|)\r\n`),
    (control) => control.end(`227-${LONG}`),
    (control) => control.end(`234 ${CANARY}\r\n${CANARY}`),
  ];
  for (const end of ends) {
    const port = await listen(t, REAL_A, (control) => {
      control.write(`220 ${CANARY}\r\n`);
      control.on("data", () => end(control));
    });
    const live = await ftpDirector(t, [{ address: REAL_A, port }]);
    const client = await dial(t, VIP, live.port, CLIENT);
    await once(client, "data");
    const over = ending(client.resume());
    client.write(`AUTH TLS\r\nPASV\r\nPASS ${CANARY}\r\n`);
    await over;
    client.destroy();
    await until(() => live.path.open.controls === 0, "it is over");
    silent(t, live);
  }
});

t.test("a realserver that is not there brings it out neither", async (t) => {
  const live = await ftpDirector(t, [{ address: REAL_A, port: await freePort(REAL_A) }]);
  const client = connect({ host: VIP, port: live.port, localAddress: CLIENT });
  t.teardown(() => client.destroy());
  const over = ending(client.resume());
  client.write(`USER ${CANARY}\r\nPASS ${CANARY}\r\n`);
  t.match(await over, /ECONNRESET|EPIPE/);
  silent(t, live);
});

for (const format of ["json", "text"]) {
  t.test(`nor is it in what the process writes, in ${format}, at level debug`, built, async (t) => {
    const real = await scripted(t, REAL_A);
    const port = await freePort(VIP);
    const rest = `log: { level: debug, format: ${format} }\nrelated: { standing: 2 }\ntimeouts: { drain: 100ms }`;
    const director = await Process.start(t, ftpConfig(VIP, port, [real], "", rest));
    await until(() => director.over || director.stdout.includes("ready"), "it is ready");
    for (const [, ...pieces] of dialogues) {
      const client = await dial(t, VIP, port, CLIENT);
      await once(client, "data");
      client.resume();
      for (const piece of pieces) await new Promise((sent) => client.write(piece, sent));
    }
    director.child.kill("SIGTERM");
    t.equal(await director.exited, 0);
    t.ok(director.stdout.split("\n").length > dialogues.length);
    t.notMatch(director.stdout + director.stderr, new RegExp(CANARY, "i"));
  });
}
