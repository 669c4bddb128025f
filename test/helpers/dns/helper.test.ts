import fc from "fast-check";
import t from "tap";
import { AffinityMemory } from "../../../core/flow/affinity.ts";
import type { Direction, Reply, Request, Settings } from "../../../core/helper/api.ts";
import { judge } from "../../../core/helper/judge.ts";
import { Recorder } from "../../../core/helper/recorder.ts";
import { seconds } from "../../../core/units.ts";
import { dns } from "../../../helpers/dns/helper.ts";
import { type Question, readQuestion } from "../../../helpers/dns/wire.ts";
import { address } from "../../addresses.ts";
import { connectionFor, holdsContract } from "../../contract.ts";
import { framed, message, NOTIFY, name, OPT, QR, TC, UPDATE } from "./messages.ts";

const CLIENT = address("10.0.0.5");
const SETTINGS: Settings = { strict: false, hold: 0 };
const requests = dns.requests!;

const request = (bytes: Uint8Array, settings = SETTINGS, client = CLIENT) =>
  requests.request(bytes, client, settings) as Request;
const reply = (bytes: Uint8Array, client = CLIENT) => requests.reply(bytes, client) as Reply;
const opening = (bytes: Uint8Array, settings = SETTINGS) => requests.opening!(bytes, CLIENT, settings);

/** A UDP flow: what is told of its datagrams, one after the other. */
function flow(...said: readonly (readonly [Direction, Uint8Array])[]) {
  const connection = { ...connectionFor(dns), transport: "udp" as const };
  const inspector = dns.open(connection, SETTINGS);
  const recorders = said.map(([direction, bytes]) => {
    const recorder = new Recorder();
    const { verdict } = inspector.inspect(bytes, direction, recorder);
    return { recorder, verdict };
  });
  return {
    verdicts: recorders.map(({ verdict }) => verdict),
    faults: recorders.flatMap(({ recorder }) => recorder.faults.map(({ code }) => code)),
    notes: recorders.flatMap(({ recorder }) => recorder.notes.map(({ code }) => code)),
    announced: recorders.flatMap(({ recorder }) => recorder.expected.flatMap(({ bundle }) => bundle)),
    connection,
  };
}

const QUERY = message(1, 0x0100, "www.example");

const questions: readonly (readonly [why: string, bytes: Uint8Array, problem: string])[] = [
  ["nothing at all", new Uint8Array(0), "cut"],
  ["a label that goes beyond the message", new Uint8Array([5, 0x61]), "cut"],
  ["a name without its end", new Uint8Array([1, 0x61]), "cut"],
  ["a name without type and class", name("a"), "cut"],
  ["a name with half a type", new Uint8Array([...name("a"), 0]), "cut"],
  ["a name with three bytes of type and class", new Uint8Array([...name("a"), 0, 1, 0]), "cut"],
  ["a pointer to itself", new Uint8Array([0xc0, 12, 0, 1, 0, 1]), "bad-pointer"],
  ["two pointers to one another", new Uint8Array([0xc0, 14, 0xc0, 12, 0, 1, 0, 1]), "bad-pointer"],
  ["a pointer behind a label, back to that label", new Uint8Array([1, 0x61, 0xc0, 12, 0, 1, 0, 1]), "bad-pointer"],
  ["a pointer forwards", new Uint8Array([0xc0, 0xff, 0, 1, 0, 1]), "bad-pointer"],
  ["a label of 64 (RFC 2671's reserved type)", new Uint8Array([0x40, ...new Uint8Array(70)]), "bad-label"],
  ["a label type that is none", new Uint8Array([0x80, 0, 0, 1, 0, 1]), "bad-label"],
  [
    "a name of 256 bytes",
    new Uint8Array([...Array.from({ length: 4 }, () => [63, ...new Uint8Array(63)]).flat(), 0, 0, 1, 0, 1]),
    "long-name",
  ],
];

for (const [why, bytes, problem] of questions) {
  t.test(`no question: ${why} (${problem})`, async (t) => {
    t.equal(readQuestion(bytes, 0), problem);
    const asked = message(7, 0, bytes);
    t.same(request(asked).ids, ["7"], "scheduled by its id; what is wrong with it is for the server to say");
    t.same(flow(["original", QUERY], ["original", asked]).faults, [problem]);
  });
}

t.test("the longest name there is, and the longest label, are read", async (t) => {
  const label = "a".repeat(63);
  const longest = message(1, 0, `${label}.${label}.${label}.${"b".repeat(61)}`);
  t.equal((readQuestion(longest, 12) as Question).end, 12 + 255 + 4);
  t.equal(request(longest).ids.length, 2);
});

t.test("a message shorter than its header goes nowhere", async (t) => {
  for (let length = 0; length < 12; length++) {
    t.equal(requests.request(QUERY.subarray(0, length), CLIENT, SETTINGS), "short-header");
    t.equal(requests.reply(QUERY.subarray(0, length), CLIENT), "short-header");
  }
});

t.test("an answer is no query, a query no answer", async (t) => {
  t.equal(requests.request(message(1, QR, "a"), CLIENT, SETTINGS), "not-a-query");
  t.equal(requests.reply(message(1, 0, "a"), CLIENT), "not-an-answer");
  t.same(flow(["original", QUERY], ["original", message(1, QR, "a")]).faults, ["not-a-query"]);
  t.same(flow(["original", QUERY], ["reply", message(1, 0, "a")]).faults, ["not-an-answer"]);
});

t.test("a retransmission has the same id and question; either of them other is a new query", async (t) => {
  const first = request(message(1, 0x0100, "a.example")).same;
  t.equal(request(message(1, 0x0100, "a.example", OPT)).same, first, "without EDNS it is asked again with it");
  t.not(request(message(2, 0x0100, "a.example")).same, first);
  t.not(request(message(1, 0x0100, "b.example")).same, first);
  t.not(request(message(1, 0x0100, "a.example", undefined, 28)).same, first, "AAAA");
  t.not(request(message(1, NOTIFY, "a.example")).same, first);
});

t.test("an answer belongs to the query with its id and question, in whatever case", async (t) => {
  const { ids } = request(message(9, 0x0100, "wWw.ExAmPlE"));
  t.ok(ids.includes(reply(message(9, QR, "WWW.example")).id));
  t.ok(ids.includes(reply(message(9, QR, null)).id), "an error may come without its question");
  t.notOk(ids.includes(reply(message(9, QR, "www.examples")).id));
  t.notOk(ids.includes(reply(message(8, QR, "www.example")).id));
  t.notOk(ids.includes(reply(message(9, QR, "www.example", undefined, 28)).id));
});

t.test("labels are not taken for one another: a.b is not one label with a dot in it", async (t) => {
  const two = request(message(1, 0, new Uint8Array([...name("a.b"), 0, 1, 0, 1])));
  const one = request(message(1, 0, new Uint8Array([3, 0x61, 0x2e, 0x62, 0, 0, 1, 0, 1])));
  t.not(two.same, one.same);
});

t.test("no two readable questions have the same text, except by case", async (t) => {
  const label = fc.uint8Array({ minLength: 1, maxLength: 5 });
  const question = fc
    .tuple(fc.array(label, { maxLength: 3 }), fc.nat(3), fc.nat(3))
    .map(([labels, type, of]) => new Uint8Array([...labels.flatMap((one) => [one.length, ...one]), 0, 0, type, 0, of]));
  const lower = (bytes: Uint8Array) =>
    Buffer.from(bytes.map((byte) => (byte >= 65 && byte <= 90 ? byte | 32 : byte))).toString("hex");
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(question, question, (a, b) => {
        const [first, second] = [readQuestion(a, 0) as Question, readQuestion(b, 0) as Question];
        return (first.text === second.text) === (lower(a) === lower(b));
      }),
    ),
  );
});

t.test("TC: the TCP retry of that question, from that client, goes to who answered; for half a minute", async (t) => {
  const memory = new AffinityMemory<string>(10);
  const { remember, ttl } = reply(message(1, QR | TC, "big.example"));
  memory.remember(remember!, "b", ttl!, seconds(0));
  const retry = opening(framed(message(77, 0x0100, "BIG.example", OPT))) as Request;
  t.equal(memory.recall(retry.affinity!.recall, seconds(29)), "b", "whatever its id");
  t.equal(memory.recall(retry.affinity!.recall, seconds(30)), null);
  t.equal(
    memory.recall((opening(framed(message(1, 0, "small.example"))) as Request).affinity!.recall, seconds(1)),
    null,
  );
  const stranger = requests.opening!(framed(message(1, 0, "big.example")), address("10.0.0.6"), SETTINGS) as Request;
  t.equal(memory.recall(stranger.affinity!.recall, seconds(1)), null, "of nobody else");
});

t.test("without TC, or without a question, nothing is remembered", async (t) => {
  t.equal(reply(message(1, QR, "a")).remember, undefined);
  t.equal(reply(message(1, QR | TC, null)).remember, undefined);
});

t.test("TC announces a TCP connection of the client to the service's port, about that question", async (t) => {
  const { announced, connection, faults } = flow(["original", QUERY], ["reply", message(1, QR | TC, "www.example")]);
  t.match(announced, [
    {
      kind: "dns-tcp-retry",
      transport: "tcp",
      opener: "original",
      from: { port: null },
      to: { address: null, port: 53 },
    },
  ]);
  t.equal(announced[0]!.about, (readQuestion(QUERY, 12) as Question).text);
  t.equal(judge(announced[0]!, "reply", connection, []), null, "no policy is against it");
  t.same(faults, []);
});

t.test("TC in a query announces nothing, nor does an answer without it", async (t) => {
  t.same(flow(["original", message(1, TC, "a")], ["reply", message(1, QR, "a")]).announced, []);
});

t.test("a truncated answer whose question cannot be read announces all the same, about nothing", async (t) => {
  const { announced } = flow(["original", QUERY], ["reply", message(1, QR | TC, new Uint8Array([0xc0, 12]))]);
  t.same(
    announced.map(({ kind, about }) => [kind, about]),
    [["dns-tcp-retry", undefined]],
  );
});

t.test("a flow that opens with what is no DNS is let go", async (t) => {
  for (const bytes of [new Uint8Array([1, 2, 3]), message(1, 0, new Uint8Array([0xc0, 12]))]) {
    t.match(flow(["original", bytes]), { verdicts: ["detach"], notes: ["not-dns"], faults: [] });
  }
});

t.test("NOTIFY and UPDATE go to the designated primary and to nobody else; queries do not", async (t) => {
  const settings = { ...SETTINGS, primary: address("192.168.0.2") };
  for (const flags of [NOTIFY, UPDATE]) {
    const bytes = message(1, flags, "example", undefined, 6);
    t.same(request(bytes, settings).affinity, { recall: [], only: settings.primary });
    t.same((opening(framed(bytes), settings) as Request).affinity, { recall: [], only: settings.primary });
    t.equal(request(bytes).affinity?.only, undefined, "without one, they are scheduled");
  }
  t.equal(request(QUERY, settings).affinity?.only, undefined);
});

t.test("over TCP the first query is known as soon as its question is there, and not before", async (t) => {
  const query = framed(message(1, 0x0100, "www.example", OPT));
  for (let length = 0; length < query.length; length++)
    t.equal(opening(query.subarray(0, length)), null, `${length} bytes`);
  t.same(opening(query), request(message(1, 0x0100, "www.example", OPT)));
  const pipelined = new Uint8Array([...query, ...framed(message(2, 0, "other.example"))]);
  t.same(opening(pipelined), opening(query), "what comes behind it changes nothing");
});

t.test(
  "over TCP, hostile lengths: below the header is refused, 65,535 does not make anybody wait for it",
  async (t) => {
    for (let length = 0; length < 12; length++) t.equal(opening(framed(new Uint8Array(12), length)), "short-header");
    const long = framed(new Uint8Array([...message(1, 0, "www.example"), ...new Uint8Array(300)]), 65_535);
    t.type(opening(long), "object");
  },
);

/** What a TCP connection is said to be about, and what is wrong with it. */
function stream(bytes: Uint8Array, at: number): { subjects: string[]; faults: string[] } {
  const inspector = dns.open(connectionFor(dns), SETTINGS);
  const found = { subjects: [] as string[], faults: [] as string[] };
  let held = new Uint8Array(0);
  for (const piece of [bytes.subarray(0, at), bytes.subarray(at)]) {
    held = new Uint8Array([...held, ...piece]);
    for (let consumed = -1; consumed !== 0 && held.length > 0; held = held.subarray(consumed)) {
      const recorder = new Recorder();
      ({ consumed } = inspector.inspect(held, "original", recorder));
      found.subjects.push(...recorder.subjects);
      found.faults.push(...recorder.faults.map(({ code }) => code));
    }
  }
  return found;
}

t.test(
  "pipelined queries over TCP are all read, wherever they are cut, long ones skipped by their length",
  async (t) => {
    const long = framed(new Uint8Array([...message(2, 0, "b"), ...new Uint8Array(1000).fill(0xc0)]));
    const bytes = new Uint8Array([
      ...framed(message(1, 0, "a")),
      ...long,
      ...framed(new Uint8Array(3)),
      ...framed(message(3, 0, "c")),
    ]);
    const text = (name: string) => (readQuestion(message(1, 0, name), 12) as Question).text;
    for (let at = 0; at <= bytes.length; at++) {
      t.same(stream(bytes, at), { subjects: ["a", "b", "c"].map(text), faults: ["short-header"] }, `cut at ${at}`);
    }
  },
);

t.test("the contract", async (t) => {
  holdsContract(t, dns, [
    framed(QUERY),
    framed(message(2, QR | TC, "big.example", OPT)),
    framed(new Uint8Array([...message(3, QR, "a"), ...new Uint8Array(400)])),
    message(4, UPDATE, "example", OPT),
  ]);
});

t.test("the contract, over UDP", async (t) => {
  const datagrams = { ...dns, transport: "udp" as const, limits: { ...dns.limits, hold: 0 } };
  holdsContract(t, datagrams, [QUERY, message(2, QR | TC, "big.example", OPT), message(4, UPDATE, "example", OPT)]);
});
