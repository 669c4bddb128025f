/** What one client tries on its control connection, as packets: README.md of this folder has the rest. */
import t from "tap";
import type { Decision } from "../../../core/inspect/control.ts";
import { port } from "../../../core/units.ts";
import { ftp } from "../../../helpers/ftp/helper.ts";
import { describe } from "../../conversation.ts";
import { Director, realserver, service } from "../director.ts";
import { Session } from "./session.ts";

const VIP = "203.0.113.10";
const REAL = "10.0.0.3";

function directed(sessions = 1) {
  const decisions: Decision[] = [];
  const farm = service(VIP, [["tcp", 21, 21]], [realserver(REAL, 2121)], { helper: ftp, controlPorts: [port(21)] });
  const limits = { perClient: 100, total: 3 * sessions + 20 };
  const d = new Director([farm], { explain: (decision) => decisions.push(decision), capacity: sessions + 10 }, limits);
  const all = Array.from({ length: sessions }, (_, i) =>
    new Session(d, `${addressOf(i)}:40000`, `${VIP}:21`, `${REAL}:2121`).open(),
  );
  return { d, all, decisions };
}
const addressOf = (i: number): string => `10.1.${i >> 8}.${i & 255}`;
const refused = (decisions: readonly Decision[]): number =>
  decisions.filter(({ outcome }) => outcome === "refused").length;

t.test(
  "1,000 PORTs and EPRTs to third parties: no entry, 1,000 refusals, and nobody's packets are let in",
  async (t) => {
    const { d, all, decisions } = directed();
    const [session] = all as [Session];
    session.reply("220 ready\r\n");
    for (let n = 0; n < 500; n++) {
      session.say(`PORT 192,0,2,${n & 255},19,${n >> 8}\r\n`);
      session.reply("500 no\r\n");
      session.say(`EPRT |1|192.0.2.${n & 255}|${5000 + n}|\r\n`);
      session.reply("500 no\r\n");
    }
    t.same([d.balancer.related.size, refused(decisions)], [0, 1000]);
    const counted = Object.entries(d.engine.controls.counters.all()).filter(([name]) => name.startsWith("refused."));
    t.equal(
      counted.reduce((sum, [, count]) => sum + count, 0),
      1000,
    );
    t.ok(counted.length < 5, "by reason, not by who was named");
  },
);

t.test("1,000 PASVs of one control connection: its ten latest wait, and what another announced stays", async (t) => {
  const { d, all } = directed(2);
  const [greedy, modest] = all as [Session, Session];
  for (const session of all) session.reply("220 ready\r\n");
  modest.say("PASV\r\n");
  modest.reply("227 (10,0,0,3,19,136)\r\n");
  for (let n = 0; n < 1000; n++) {
    greedy.say("PASV\r\n");
    greedy.reply(`227 (10,0,0,3,${20 + (n >> 8)},${n & 255})\r\n`);
  }
  const waiting = [...d.balancer.related].map(describe);
  const modestly = waiting.filter((text) => text.includes(addressOf(1)));
  t.same([waiting.length, modestly], [11, [`ftp-passive ${addressOf(1)}:any -> ${VIP}:5000 => ${REAL}:5000`]]);
});

// What a web page makes a browser send (slipstreaming): the line is cut off so that a segment begins with it.
t.test("a POST whose body has PORT at the head of a segment opens nothing, wherever it stands", async (t) => {
  for (let offset = 0; offset < 1460; offset += 73) {
    const { d, all } = directed();
    const [session] = all as [Session];
    const head = `POST / HTTP/1.1\r\nHost: x\r\n\r\n${"x".repeat(offset)}`;
    session.say(`${head}PORT 10,1,0,0,19,137\r\n`, head.length);
    session.reply("200 ok\r\n");
    t.equal(d.balancer.related.size, 0);
  }
});

t.test("1,000 interleaved sessions, one hostile: the other 999 hear and open the same", async (t) => {
  const attacks = [
    "PASV\r\n".repeat(20),
    "PORT 10,9,9,9,4,1\r\nEPSV ALL\r\n",
    `PORT ${"1,".repeat(2000)}\r\n`,
    "\xff\xfa\0\0AUTH TLS\r\n",
    "\x16\x03\x01\0\x05",
    "\r\n\n\r",
  ];
  const run = (hostile: boolean): string => {
    const { d, all } = directed(1000);
    const peacefully: ((session: Session, own: string, port: number) => string)[] = [
      (session) => session.reply("220 ready\r\n"),
      (session) => session.say("PASV\r\n"),
      (session, _, port) => session.reply(`227 (10,0,0,3,${port >> 8},${port & 255})\r\n`, 12),
      (session, own) => session.say(`PORT ${own},4,1\r\n`),
      (session) => session.reply("200 ok\r\n"),
      (session) => session.say("LIST\r\n"),
    ];
    const heard: string[] = [];
    for (const [step, turn] of peacefully.entries()) {
      for (const [i, session] of all.entries()) {
        if (i !== 500) heard.push(turn(session, addressOf(i).replaceAll(".", ","), 20_000 + i));
        else if (hostile) {
          session.say(attacks[step]!);
          session.reply(`${"229 (|||4000|)\r\n".repeat(5)}227 (10,0,0,3,19,136)\r\n234 x\r\n`);
        }
      }
    }
    const waiting = [...d.balancer.related].map(describe).filter((text) => !text.includes(addressOf(500)));
    return JSON.stringify([heard, waiting.sort()]);
  };
  const peaceful = run(false);
  t.equal(JSON.parse(peaceful)[1].length, 2 * 999, "each with an entry of either kind");
  t.equal(run(true) === peaceful, true);
});
