import t from "tap";
import {
  defaultTimeouts,
  IMPLAUSIBLE,
  queueOf,
  REOPENS,
  REPLIES_UNSEEN,
  State,
  type StateName,
  transitionAt,
  transitionTable,
} from "../../../core/flow/tcp-state.ts";

const FLAGS: Readonly<Record<string, number>> = { F: 1, S: 2, R: 4, P: 8, A: 16 };
const flagsOf = (letters: string) => [...letters].reduce((sum, letter) => sum | FLAGS[letter]!, 0);
const names = Object.keys(State) as StateName[];

/** `>S` is a SYN of the client, `<SA` a SYN ACK of the realserver. */
function states(dialogue: string, secure = false): string[] {
  const table = transitionTable(secure);
  let state: number = State.NONE;
  return dialogue.split(" ").map((segment) => {
    const direction = segment.startsWith(">") ? 0 : 1;
    state = table[transitionAt(direction, flagsOf(segment.slice(1)), state)]!;
    return names[state]!;
  });
}

const dialogues: [why: string, dialogue: string, states: string][] = [
  [
    "the client opens and closes",
    ">S <SA >A >FA <A <FA >A",
    "SYN_RECV SYN_RECV ESTABLISHED CLOSE_WAIT CLOSE_WAIT TIME_WAIT TIME_WAIT",
  ],
  [
    "the realserver closes first",
    ">S <SA >A <FA >A >FA <A",
    "SYN_RECV SYN_RECV ESTABLISHED FIN_WAIT FIN_WAIT TIME_WAIT TIME_WAIT",
  ],
  ["the realserver refuses", ">S <RA", "SYN_RECV CLOSE"],
  ["the client resets", ">S <SA >A >R", "SYN_RECV SYN_RECV ESTABLISHED CLOSE"],
  ["a reset of the client does not end what is half open", ">S >R", "SYN_RECV SYN_RECV"],
  ["data and urgent bits change nothing", ">S <SA >A >PA <PA", "SYN_RECV SYN_RECV ESTABLISHED ESTABLISHED ESTABLISHED"],
  ["a SYN ACK after TIME_WAIT", ">S <SA >A >FA <FA >SA", "SYN_RECV SYN_RECV ESTABLISHED CLOSE_WAIT TIME_WAIT SYN_RECV"],
  ["the realserver opens", "<S >SA <A", "SYN_SENT ESTABLISHED ESTABLISHED"],
];
for (const [why, dialogue, expected] of dialogues) {
  t.test(`${why}: ${expected.split(" ").at(-1)}`, async (t) => {
    t.same(states(dialogue), expected.split(" "));
  });
}

t.test("secure: a client alone never establishes a connection, the realserver's acknowledgement does", async (t) => {
  t.same(states(">S <SA >A >A >PA", true), ["SYN_RECV", "SYNACK", "SYNACK", "SYNACK", "SYNACK"]);
  t.same(states(">S >A >A", true).at(-1), "SYN_RECV");
  t.same(states(">S <SA >A >PA <A", true).at(-1), "ESTABLISHED");
});

t.test("every state has IPVS's timeout", async (t) => {
  t.equal(defaultTimeouts.ESTABLISHED, 900_000);
  t.equal(defaultTimeouts.SYN_RECV, 60_000);
  t.equal(defaultTimeouts.TIME_WAIT, 120_000);
  t.equal(defaultTimeouts.UDP, 300_000);
  t.ok(names.every((name) => defaultTimeouts[name] > 0));
});

t.test("what gives way when the table is full is half-open, never established, closing or answered", async (t) => {
  const evictable = names.filter((name) => queueOf[State[name]]! >= 0);
  t.same(evictable.sort(), ["NONE", "SYNACK", "SYN_RECV", "SYN_SENT", "UDP_UNANSWERED"]);
});

t.test("combinations of flags that no sender makes are told, in every state and direction", async (t) => {
  const table = transitionTable(false);
  const told = (letters: string) =>
    [0, 1].flatMap((direction) =>
      Object.values(State)
        .slice(0, 11)
        .map((state) => table[transitionAt(direction, flagsOf(letters), state)]),
    );
  for (const letters of ["S", "SA", "A", "PA", "FA", "F", "R", "RA"])
    t.notOk(told(letters).includes(IMPLAUSIBLE), letters);
  for (const letters of ["", "P", "SF", "SR", "FR", "SFRPA"]) {
    t.ok(
      told(letters).every((next) => next === IMPLAUSIBLE),
      letters,
    );
  }
});

t.test("a client's SYN to a connection that is over reopens it; nothing else does", async (t) => {
  const table = transitionTable(true);
  const reopening = [0, 1, REPLIES_UNSEEN].flatMap((direction) =>
    [...Array(32).keys()].flatMap((flags) =>
      names
        .filter((name) => table[transitionAt(direction, flags, State[name])] === REOPENS)
        .map((name) => `${direction} ${flags} ${name}`),
    ),
  );
  // SYN, and SYN with PSH.
  const seen = ["0 2 TIME_WAIT", "0 2 CLOSE", "0 10 TIME_WAIT", "0 10 CLOSE"];
  // Where no reply was seen SYN ACK too, and the client's FIN is all that there is of the end.
  const unseen = [2, 10, 18, 26].flatMap((flags) =>
    ["FIN_WAIT", "TIME_WAIT", "CLOSE"].map((state) => `${REPLIES_UNSEEN} ${flags} ${state}`),
  );
  t.same(reopening, [...seen, ...unseen]);
});
