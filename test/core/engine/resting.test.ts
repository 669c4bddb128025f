/** What needs nothing but a control connection's row comes to what the general way comes to. */
import t from "tap";
import { type Helper, type OfferForm, STATE_WORDS } from "../../../core/helper/api.ts";
import type { Direction } from "../../../core/units.ts";
import { ftp } from "../../../helpers/ftp/helper.ts";
import { oneIn, Random } from "../../../tools/fuzz/generate/choices.ts";
import { dialogue } from "../../../tools/fuzz/generate/ftp/dialogue.ts";
import { type Ends, saidBy } from "../../../tools/fuzz/generate/ftp/model.ts";
import { segments } from "../../../tools/fuzz/generate/segments.ts";
import { PacketRun } from "../../../tools/fuzz/hosts/packets.ts";
import { textBytes } from "../../../tools/fuzz/hosts/text.ts";
import { described } from "../../../tools/fuzz/hosts/trace.ts";
import { type Said, singleReplies } from "../inspect/single-replies.ts";

const ENDS: Ends = { client: "10.0.0.5", virtual: "203.0.113.10", real: "192.168.0.2" };
const SEGMENT = 1460;

/** All that can be told apart from outside. */
function outcome(
  helper: Helper,
  ends: Ends,
  said: readonly Said[],
  seed: number,
  told: boolean,
  short: boolean,
): unknown {
  const run = new PacketRun({ helper, ends }, { client: seed * 77_777_777, server: 0xffffff00, told, short });
  for (const [direction, bytes] of said) {
    run.say(direction, bytes, segments(new Random(seed), bytes.length, SEGMENT));
  }
  const pending = [...run.balancer.related].map(described);
  run.end();
  const { packets, decisions, wrong, engine } = run;
  const texts = packets.map((packet) => Buffer.from(packet).toString("latin1"));
  const explained = decisions.map(({ outcome, reason, offset, length }) => [outcome, reason, offset, length].join(" "));
  return [texts, explained, wrong, run.heard("original"), run.heard("reply"), engine.controls.counters.all(), pending];
}

for (const told of [true, false]) {
  t.test(`property: dialogues come to the same packets by rows alone, ${told ? "told" : "counted"}`, async (t) => {
    for (let seed = 0; seed < 100; seed++) {
      const choices = new Random(seed);
      const { ends, turns } = dialogue(choices, oneIn(choices, 2) ? ENDS : undefined);
      const said = turns.map((turn): Said => [turn.speaker, textBytes(saidBy(turn))]);
      t.strictSame(outcome(ftp, ends, said, seed, told, true), outcome(ftp, ends, said, seed, told, false), `${seed}`);
    }
  });

  t.test(`property: single replies come to the same packets by rows alone, ${told ? "told" : "counted"}`, async (t) => {
    for (let seed = 0; seed < 40; seed++) {
      const said = singleReplies(new Random(seed), ENDS, 20);
      t.strictSame(outcome(ftp, ENDS, said, seed, told, true), outcome(ftp, ENDS, said, seed, told, false), `${seed}`);
    }
  });
}

/** FTP, and how often an inspector of it was woken, and asked in full. */
function watched(): { readonly helper: Helper; readonly asked: string[] } {
  const asked: string[] = [];
  const open: Helper["open"] = (connection, settings) => {
    const inspector = ftp.open(connection, settings);
    return {
      inspect: (payload, direction, actions) => {
        asked.push(`inspect ${Buffer.from(payload)}`);
        return inspector.inspect(payload, direction, actions);
      },
      rest: (state, place) => inspector.rest!(state, place),
      wake: (state, place) => {
        asked.push("wake");
        inspector.wake!(state, place);
      },
    };
  };
  return { helper: { ...ftp, open }, asked };
}

/** One segment. */
function say(run: PacketRun, direction: Direction, text: string): void {
  run.say(direction, textBytes(text), [{ start: 0, end: text.length }]);
}

/** A login, and a command more, so that both have said what they open with. */
function begun(helper: Helper, told: boolean): PacketRun {
  const run = new PacketRun({ helper, ends: ENDS }, { client: 1, server: 2, told });
  for (const [direction, text] of [
    ["reply", "220 ready\r\n"],
    ["original", "USER a\r\n"],
    ["reply", "230 ok\r\n"],
  ] as const) {
    say(run, direction, text);
  }
  return run;
}

t.test("no inspector is asked about lines that say nothing, nor about offers that are only counted", async (t) => {
  const { helper, asked } = watched();
  const run = begun(helper, false);
  asked.length = 0;
  for (let i = 0; i < 5; i++) {
    say(run, "original", "CWD x\r\nPASV\r\n");
    say(run, "reply", `250 ok\r\n227 (192,168,0,2,20,${i})\r\n`);
    say(run, "original", "EPSV\r\n");
    say(run, "reply", `229 (|||${6000 + i}|)\r\n`);
  }
  t.same(asked, []);
  t.equal(run.balancer.related.size, 10);
  t.equal(run.engine.controls.counters.get("expected.ftp-passive"), 5);
  t.match(run.heard("reply"), /227 \(203,0,113,10,20,4\)\r\n229 \(\|\|\|6004\|\)\r\n$/);
});

t.test("an offer that somebody hears of, or with a line behind it, or a part of one, wakes no inspector", async (t) => {
  for (const [told, reply] of [
    [true, "227 (192,168,0,2,20,1)\r\n"],
    [false, "227 (192,168,0,2,20,1)\r\n226 done\r\n"],
    [false, "227 (192,168,0,2,20,1)\r\n226 not yet"],
  ] as const) {
    const { helper, asked } = watched();
    const run = begun(helper, told);
    asked.length = 0;
    say(run, "original", "PASV\r\n");
    t.same(asked, []);
    say(run, "reply", reply);
    t.notOk(asked.includes("wake"), reply);
    t.equal(run.balancer.related.size, 1);
    t.equal(run.heard("reply").split("(203,0,113,10,20,1)").length, 2);
  }
});

t.test("what is said in full begins where the words end: decisions name its place in the stream", async (t) => {
  const run = begun(ftp, true);
  say(run, "original", "NOOP\r\n");
  say(run, "reply", "200 ok\r\n");
  say(run, "original", "PORT 10,0,0,5,20,1\r\n");
  const last = run.decisions.at(-1)!;
  t.equal(last.offset, "USER a\r\nNOOP\r\n".length);
});

/** Each byte is a message, which changes all that is known; `x` is none in brief. `known`: with what it was woken. */
function changing(offer: OfferForm | null = null): { readonly helper: Helper; readonly known: number[][] } {
  const known: number[][] = [];
  let words = new Int32Array(STATE_WORDS);
  const helper: Helper = {
    ...ftp,
    name: "changing",
    open: () => ({
      inspect: (payload) => ({ verdict: "pass", consumed: payload.length }),
      rest: (state, place) => {
        state.set(words, place);
        return true;
      },
      wake: (state, place) => {
        words = state.slice(place, place + STATE_WORDS);
        known.push([...words]);
      },
    }),
    brief: (payload, at, _end, _direction, state, place, into) => {
      if (payload[at] === 0x78) return at;
      for (let i = 0; i < STATE_WORDS; i++) state[place + i]! += 1 + i;
      if (payload[at] === 0x6f)
        Object.assign(into, { form: offer, address: -1, port: 5000, start: 0, end: 1, length: 1 });
      return at + 1;
    },
  };
  return { helper, known };
}

t.test("where a segment takes more than words, each message of it is known once when its helper wakes", async (t) => {
  const { helper, known } = changing();
  const run = new PacketRun({ helper, ends: ENDS }, { client: 1, server: 2, told: false });
  say(run, "reply", "abc");
  say(run, "original", "abc");
  t.same(known, [], "by words alone");
  say(run, "original", "abx");
  t.same(known[0], [8, 16, 24, 32]);
  t.equal(run.heard("original"), "abcabx");
});

t.test("what the client offers is announced in full", async (t) => {
  const form: OfferForm = {
    says: "offer",
    kind: "changing",
    said: "o",
    transport: "tcp",
    write: (_offer, _address, _port, _out, at) => at,
    instead: textBytes,
    announce: () => {
      throw new Error("it announces nothing");
    },
    tell: (_offer, actions) => actions.fault("offered"),
  };
  const said = ["reply", "original", "original", "original"].map((direction, i): Said => {
    return [direction as Direction, textBytes(["a", "b", "o", "c"][i]!)];
  });
  const come = (short: boolean): unknown => outcome(changing(form).helper, ENDS, said, 1, false, short);
  t.strictSame(come(true), come(false));
});
