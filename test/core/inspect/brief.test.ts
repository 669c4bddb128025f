/** What a helper tells in brief, and what becomes of it, is what it would have told in full. */
import t, { type Test } from "tap";
import { Balancer, type ConnectionEntry } from "../../../core/balancer.ts";
import { Placing } from "../../../core/engine/placing.ts";
import type { RelatedEntry, RelatedLimits } from "../../../core/flow/related.ts";
import { type Helper, type OfferForm, UNFINISHED } from "../../../core/helper/api.ts";
import { type BriefHost, type ControlHost, ControlStream, type Decision } from "../../../core/inspect/control.ts";
import { type Direction, type Ms, ms, type Port, type Transport } from "../../../core/units.ts";
import { ftp } from "../../../helpers/ftp/helper.ts";
import { type Choices, oneIn, Random } from "../../../tools/fuzz/generate/choices.ts";
import { dialogue } from "../../../tools/fuzz/generate/ftp/dialogue.ts";
import { type Ends, saidBy } from "../../../tools/fuzz/generate/ftp/model.ts";
import { wild } from "../../../tools/fuzz/generate/ftp/wild.ts";
import { pieces, segments } from "../../../tools/fuzz/generate/segments.ts";
import { PacketRun } from "../../../tools/fuzz/hosts/packets.ts";
import { ReplayRun } from "../../../tools/fuzz/hosts/replay.ts";
import { clientOf, type Place, SEED, serviceFor, virtualOf } from "../../../tools/fuzz/hosts/service.ts";
import { bytesText, textBytes } from "../../../tools/fuzz/hosts/text.ts";
import { described } from "../../../tools/fuzz/hosts/trace.ts";
import { type Said, singleReplies } from "./single-replies.ts";

const ENDS: Ends = { client: "10.0.0.5", virtual: "203.0.113.10", real: "192.168.0.2" };
const PLACE: Place = { helper: ftp, ends: ENDS };
const PLENTY: RelatedLimits = { perClient: 100, total: 1000 };

/** The same helper, brief as `brief` is, or never. */
function inFull(helper: Helper, brief?: Helper["brief"]): Helper {
  const { brief: _, ...full } = helper;
  return brief === undefined ? full : { ...full, brief };
}

const toldOf = ({ outcome, reason, message, direction, offset, length, related }: Decision): string =>
  [outcome, reason, message, direction, offset, length, ...related.map(described)].join(" ");

interface How {
  /** Whether the host is a brief one, and then whether it wants to hear of every decision. */
  readonly host: "full" | "brief" | "counting";
  readonly limits?: RelatedLimits;
  readonly strict?: boolean;
  readonly onRefuse?: "refuse" | "forward";
}

/** A host that writes everything down. */
class Run implements ControlHost, BriefHost {
  readonly brief: BriefHost | null;
  readonly balancer: Balancer;
  readonly stream: ControlStream;
  readonly heard = { original: "", reply: "" };
  readonly decisions: string[] = [];
  readonly counts: string[] = [];
  readonly gone: string[] = [];
  readonly asked: string[] = [];
  readonly #control: ConnectionEntry;
  readonly #placing: Placing;
  readonly #counting: boolean;
  #now = ms(1000);

  constructor(place: Place, { host, limits = PLENTY, strict = false, onRefuse = "refuse" }: How) {
    this.brief = host === "full" ? null : this;
    this.#counting = host === "counting";
    this.balancer = new Balancer([serviceFor(place)], {
      limits,
      seed: SEED,
      gone: (entry, reason) => this.gone.push(`${described(entry)} ${entry.state} ${reason}`),
    });
    this.#placing = new Placing(this.balancer, SEED);
    this.#control = this.balancer.admit("tcp", clientOf(place), virtualOf(place), this.#now) as ConnectionEntry;
    const { helper } = place;
    this.stream = new ControlStream({
      helper,
      settings: { strict, hold: helper.limits.hold },
      entry: this.#control,
      balancer: this.balancer,
      host: this,
      onRefuse,
      onFailure: "open",
    });
  }

  say(direction: Direction, said: Uint8Array): void {
    this.#now = ms(this.#now + 10);
    this.stream.feed(direction, said, this.#now);
  }

  /** The client connects to the entry that was announced last. */
  connect(): string {
    const last = [...this.balancer.related].at(-1);
    if (last?.seen == null) return "nothing to connect to";
    const claimed = this.balancer.claim(
      last.transport,
      last.seen,
      { ...this.#control.client, port: 50000 as Port },
      this.#now,
    );
    if (typeof claimed === "string") return claimed;
    this.balancer.close(claimed.connection, this.#now);
    return `${described(claimed.related)} ${claimed.related.state}`;
  }

  wait(): void {
    this.#now = ms(this.#now + 20_000);
    this.stream.advance(this.#now);
    this.balancer.advance(this.#now);
  }

  end(): void {
    this.stream.end("original");
    this.stream.end("reply");
    this.asked.push(
      ...[...this.balancer.related].map((entry) => `${described(entry)} ${entry.state} ${entry.expires}`),
    );
    this.balancer.close(this.#control, this.#now);
  }

  /** All that can be told apart from outside. Whoever counts decisions hears of none. */
  get whole(): readonly unknown[] {
    return [this.heard, this.decisions, this.counts, this.gone, this.asked, this.stream.detached];
  }

  forward(direction: Direction, bytes: Uint8Array): void {
    this.heard[direction] += bytesText(bytes);
  }

  append(direction: Direction, bytes: Uint8Array, start: number, end: number): void {
    this.heard[direction] += bytesText(bytes.subarray(start, end));
  }

  prepare(entry: RelatedEntry): void {
    this.stream.prepared(entry, this.#placing.find(this.#control, entry, null), this.#now);
  }

  placed: NonNullable<BriefHost["placed"]> = () => {};

  meet(transport: Transport, port: Port): Port | 0 {
    return this.#placing.port(this.#control, transport, port);
  }

  count(outcome: Decision["outcome"], reason: string): boolean {
    if (this.#counting) this.counts.push(`${outcome} ${reason}`);
    return this.#counting;
  }

  explain(decision: Decision): void {
    this.counts.push(`${decision.outcome} ${decision.reason}`);
    this.decisions.push(toldOf(decision));
  }

  abort(reason: string): void {
    this.decisions.push(`aborted ${reason}`);
  }
}

/** What is said, and after which of it the client connects, or time passes. */
function hold(run: Run, said: readonly Said[], choices: Choices): Run {
  for (const [direction, bytes] of said) {
    run.say(direction, bytes);
    const then = choices.below(24);
    if (then < 3) run.asked.push(run.connect());
    else if (then === 23) run.wait();
  }
  run.end();
  return run;
}

/** How often each way was taken in brief: a test that never goes there shows nothing. */
const taken = { plain: 0, offers: 0, not: 0 };

const counted = (helper: Helper): Helper =>
  inFull(helper, (payload, at, end, direction, state, place, offer) => {
    const behind = helper.brief!(payload, at, end, direction, state, place, offer);
    taken[behind === at ? "not" : offer.form === null ? "plain" : "offers"]++;
    return behind;
  });

function compare(t: Test, said: readonly Said[], ends: Ends, how: Omit<How, "host">, seed: number): void {
  const held = (helper: Helper, host: How["host"]): Run =>
    hold(new Run({ helper, ends }, { ...how, host }), said, new Random(seed));
  const expected = held(inFull(ftp), "full");
  for (const host of ["full", "brief", "counting"] as const) {
    for (const helper of [counted(ftp), inFull(ftp)]) {
      const run = held(helper, host);
      const [other, whole] = [run.whole, host === "counting" ? [...expected.whole].with(1, []) : expected.whole];
      if (JSON.stringify(other) !== JSON.stringify(whole)) t.same(other, whole, `${host}, seed ${seed}`);
    }
  }
}

const cut = (choices: Choices, direction: Direction, said: Uint8Array): Said[] =>
  pieces(choices, said.length).map(({ start, end }) => [direction, said.subarray(start, end)]);

const FEW: RelatedLimits = { perClient: 3, total: 4 };

t.test("property: dialogues, in order or not, come to the same in brief, whoever hosts them", async (t) => {
  for (let seed = 0; seed < 150; seed++) {
    const choices = new Random(seed);
    const made = dialogue(choices, oneIn(choices, 2) ? ENDS : undefined);
    const { ends, turns } = oneIn(choices, 2) ? wild(made, choices) : made;
    const said = turns.flatMap((turn) => cut(choices, turn.speaker, textBytes(saidBy(turn))));
    const how = {
      limits: oneIn(choices, 4) ? FEW : PLENTY,
      strict: oneIn(choices, 4),
      onRefuse: oneIn(choices, 8) ? ("forward" as const) : ("refuse" as const),
    };
    compare(t, said, ends, how, seed);
  }
  t.ok(taken.plain > 300 && taken.offers > 30 && taken.not > 300, JSON.stringify(taken));
});

const LINES = 40;
const SEGMENT = 1460;

t.test("property: single replies come to the same in brief, whoever hosts them", async (t) => {
  taken.offers = 0;
  for (let seed = 0; seed < 60; seed++) {
    const random = new Random(seed);
    const said = singleReplies(random, ENDS, LINES);
    compare(t, said, ENDS, { limits: oneIn(random, 3) ? FEW : PLENTY }, seed);
  }
  t.ok(taken.offers > 500, `${taken.offers} offers`);
});

t.test("replies that change what follows come to the same in brief (RFC 2228)", async (t) => {
  for (const code of [228, 234, 235, 334, 335]) {
    const lines = [
      "<220 ready",
      ">AUTH GSSAPI",
      "<334 go on",
      ">ADAT YWJj",
      `<${code} ok`,
      ">PASV",
      "<227 (192,168,0,2,19,137)",
    ];
    const said = lines.map((line): Said => [line[0] === "<" ? "reply" : "original", textBytes(`${line.slice(1)}\r\n`)]);
    taken.offers = 0;
    compare(t, said, ENDS, {}, code);
    t.equal(taken.offers > 0, code !== 234, `${code}: after a 234 nothing can be read`);
  }
});

t.test("property: the packet engine and replay come to the same in brief", async (t) => {
  for (let seed = 0; seed < 60; seed++) {
    const choices = new Random(seed);
    const { ends, turns } = dialogue(choices, oneIn(choices, 2) ? ENDS : undefined);
    const packets = (helper: Helper): unknown => {
      const run = new PacketRun({ helper, ends }, { client: 1, server: 2 });
      for (const turn of turns) {
        const said = textBytes(saidBy(turn));
        run.say(turn.speaker, said, segments(new Random(seed), said.length, SEGMENT));
      }
      run.end();
      return [run.wrong, run.heard("original"), run.heard("reply"), run.decisions.map(toldOf)];
    };
    t.strictSame(packets(ftp), packets(inFull(ftp)), `packets, seed ${seed}`);
    const replayed = (helper: Helper): unknown => {
      const { observer } = new ReplayRun({ helper, ends });
      for (const [i, turn] of turns.entries()) observer.data(turn.speaker, textBytes(saidBy(turn)), i);
      const { announcements, faults, notes, groups } = observer;
      return JSON.stringify([announcements, faults, notes, groups, observer.disowned]);
    };
    t.equal(replayed(ftp), replayed(inFull(ftp)), `replay, seed ${seed}`);
  }
});

// --- helpers that fail ----------------------------------------------------------------------------------------------

const FORM: OfferForm = {
  says: "offer",
  kind: "made-up",
  said: "x",
  transport: "tcp",
  write: (_offer, _address, port, out, at) => {
    out.setUint8(at, port & 255);
    return at + 1;
  },
  instead: (reason) => textBytes(`(${reason})`),
  announce: ({ port, length }) => {
    const whole = { start: 0, end: length };
    return {
      kind: "made-up",
      said: "x",
      transport: "tcp",
      opener: "original",
      from: { address: null, port: null },
      to: { address: null, port },
      uses: 1,
      bytes: whole,
      instead: { ...whole, text: (reason) => `(${reason})` },
    };
  },
  tell: (offer, actions) => {
    const { start, end } = offer;
    const ref = actions.expect(FORM.announce(offer));
    actions.rewrite(start, end, ref, (seen) => String.fromCharCode(seen.port & 255));
    actions.settle(ref, "accepted");
  },
};

const offerAt5000: Helper["brief"] = (payload, at, _end, _direction, _state, _place, offer) => {
  if (payload[at] === 0x6f) Object.assign(offer, { form: FORM, address: -1, port: 5000, start: 0, end: 1, length: 1 });
  return at + 1;
};

/** Each byte is a message: `o` offers port 5000 with itself, anything else says nothing. In full, it fails. */
const madeUp = (brief: Helper["brief"] = offerAt5000, form = FORM): Helper => ({
  ...ftp,
  name: "made-up",
  open: () => ({
    inspect: () => {
      throw new Error("not asked in brief");
    },
    rest: () => true,
    wake: () => {},
  }),
  brief: (payload, at, end, direction, state, place, offer) => {
    const behind = brief!(payload, at, end, direction, state, place, offer);
    if (offer.form !== null) offer.form = form;
    return behind;
  },
});

const said = (helper: Helper, text: string, how: Partial<How> = {}): Run => {
  const run = new Run({ helper, ends: ENDS }, { host: "brief", ...how });
  run.say("reply", textBytes(text));
  return run;
};

t.test("a helper that fails in brief is dealt with as one that fails", async (t) => {
  const threw = said(
    madeUp(() => {
      throw new Error("made up");
    }),
    "abc",
  );
  t.same([threw.heard.reply, threw.counts, threw.stream.detached], ["abc", ["fault helper-threw"], true]);
  for (const behind of [-2, 4, 0.5, Number.NaN]) {
    const broke = said(
      madeUp((_payload, at) => at + behind),
      "abc",
    );
    t.same([broke.heard.reply, broke.counts], ["abc", ["fault helper-broke-contract"]], `${behind}`);
  }
  const beyond = said(
    madeUp((_payload, at, _end, _direction, _state, _place, offer) => {
      Object.assign(offer, { form: FORM, address: -1, port: 5000, start: 0, end: 2, length: 1 });
      return at + 1;
    }),
    "abc",
  );
  t.same([beyond.heard.reply, beyond.counts], ["abc", ["fault helper-broke-contract"]]);
});

t.test("a message that is not finished waits, unasked in full, and is looked at again with what follows", async (t) => {
  const shown: string[] = [];
  const pairs = madeUp((payload, at, end) => {
    shown.push(bytesText(payload.subarray(at, end)));
    if (end - at < 2) return UNFINISHED;
    return at + 2;
  });
  for (const host of ["full", "brief"] as const) {
    shown.length = 0;
    const run = said(pairs, "abc", { host });
    t.same([run.heard.reply, run.stream.waiting("reply"), run.decisions], ["ab", 1, []], host);
    run.say("reply", textBytes("def"));
    t.same([run.heard.reply, run.stream.waiting("reply"), run.counts], ["abcdef", 0, []], host);
    t.same(shown, ["abc", "c", "cdef", "ef"], host);
  }
});

t.test("what stands before an offer goes on before it, and what stands behind it behind it", async (t) => {
  const run = said(madeUp(undefined), "abob");
  t.equal(run.heard.reply, `ab${String.fromCharCode(5000 & 255)}b`);
  t.same(run.decisions, [
    "expected made-up x announces made-up reply 2 1 made-up 10.0.0.5:any -> 203.0.113.10:5000 => 192.168.0.2:5000",
  ]);
});

t.test("an offer that cannot be written is told in full, and nothing is left of it", async (t) => {
  for (const write of [
    () => {
      throw new Error("made up");
    },
    () => -1,
    (_offer: unknown, _address: unknown, _port: unknown, _out: unknown, at: number) => at + 65,
  ]) {
    const run = said(madeUp(undefined, { ...FORM, write }), "aob");
    t.equal(run.heard.reply, `a${String.fromCharCode(5000 & 255)}b`);
    t.same(run.counts, ["expected made-up"]);
    t.equal(run.balancer.related.size, 1);
    t.same(run.gone, [], "nobody has heard of it");
  }
});

t.test("an offer that cannot be written is announced in full, and nobody hears of it before", async (t) => {
  const write: OfferForm["write"] = () => -1;
  const run = new Run({ helper: madeUp(undefined, { ...FORM, write }), ends: ENDS }, { host: "brief" });
  run.placed = () => t.fail("it is not in place");
  run.say("reply", textBytes("o"));
  t.same(run.gone, []);
  t.equal(run.balancer.related.size, 1, "what was announced in full");
});

t.test("what was offered is in place, and its message not let on, when the host hears of it", async (t) => {
  const run = new Run({ helper: madeUp(undefined), ends: ENDS }, { host: "brief" });
  const heard: unknown[] = [];
  run.placed = (row, port) => {
    const { state, seen } = run.balancer.related.entry(row);
    heard.push([state, seen?.port === port, run.heard.reply]);
  };
  run.say("reply", textBytes("o"));
  t.same(heard, [["pending", true, ""]]);
  t.not(run.heard.reply, "");
});

t.test(
  "a place that is not to be had: refused in the words of the protocol, and nobody is told of an entry",
  async (t) => {
    const run = new Run({ helper: madeUp(undefined), ends: ENDS }, { host: "brief" });
    run.meet = () => 0;
    run.prepare = (entry) => run.stream.prepared(entry, null, 1000 as Ms);
    run.say("reply", textBytes("aob"));
    t.equal(run.heard.reply, "a(unavailable)b");
    t.equal(run.gone.length, 1, "what was announced in full");
    t.same(run.counts, ["refused unavailable"]);
    t.equal(run.balancer.related.size, 0);
  },
);

t.test("a place that is somebody else's: announced in full, and nobody is told of an entry before", async (t) => {
  const run = new Run({ helper: madeUp(undefined), ends: ENDS }, { host: "brief" });
  const other = run.balancer.admit("tcp", { ...clientOf(PLACE), port: 40_001 as Port }, virtualOf(PLACE), ms(1000));
  const offered = run.balancer.offer(
    other as ConnectionEntry,
    { form: FORM, address: -1, port: 7000, start: 0, end: 1, length: 1, detail: 0 },
    FORM,
    ftp.limits,
    ms(1000),
  );
  t.ok(run.balancer.related.placeOffer(offered, "tcp", virtualOf(PLACE).address, 5000 as Port));
  run.meet = () => 5000 as Port;
  run.say("reply", textBytes("o"));
  const [, own] = [...run.balancer.related];
  t.match([own?.state, own?.target.port, run.gone], ["pending", 5000, []]);
  t.not(own?.seen?.port, 5000);
});

t.test("an offer among much else goes on with all of it", async (t) => {
  const [front, behind] = ["x".repeat(2000), "y".repeat(3000)];
  const brief: Helper["brief"] = (_payload, at, end, _direction, _state, _place, offer) => {
    Object.assign(offer, { form: FORM, address: -1, port: 5000, start: 2000, end: 2001, length: end - at });
    return end;
  };
  const run = said(madeUp(brief), `${front}o${behind}`);
  t.equal(run.heard.reply, `${front}${String.fromCharCode(5000 & 255)}${behind}`);
});

t.test("what is written in the place of an offer may be 64 bytes, or none", async (t) => {
  for (const length of [64, 0]) {
    const write: OfferForm["write"] = (_offer, _address, _port, out, at) => {
      for (let i = 0; i < length; i++) out.setUint8(at + i, 0x7a);
      return at + length;
    };
    t.equal(said(madeUp(undefined, { ...FORM, write }), "aob").heard.reply, `a${"z".repeat(length)}b`);
  }
});

t.test("what the client says is announced in full", async (t) => {
  const run = new Run({ helper: madeUp(undefined), ends: ENDS }, { host: "brief" });
  const asked: string[] = [];
  run.prepare = (entry) => asked.push(described(entry));
  run.say("original", textBytes("o"));
  t.same(asked, ["made-up 10.0.0.5:any -> ? => 192.168.0.2:5000"]);
});
