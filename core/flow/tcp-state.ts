/**
 * What a director sees of a connection's state, and how long it keeps an entry in it: as IPVS has both
 * (net/netfilter/ipvs/ip_vs_proto_tcp.c, ip_vs_proto_udp.c). It goes by flags alone; sequence numbers are the ends'
 * business. *Original* is IPVS's INPUT, *reply* its OUTPUT.
 *
 *   client                   realserver
 *      SYN  ------------------->          SYN_RECV       half-open
 *           <-------------------  SYN ACK
 *      ACK  ------------------->          ESTABLISHED
 *      FIN  ------------------->          CLOSE_WAIT     (FIN_WAIT when the realserver is first)
 *           <-------------------  FIN     TIME_WAIT
 */
import { type Ms, seconds } from "../units.ts";
import { ACK, FIN, RST, SYN } from "../wire/tcp.ts";

export const State = {
  NONE: 0,
  ESTABLISHED: 1,
  SYN_SENT: 2,
  SYN_RECV: 3,
  FIN_WAIT: 4,
  TIME_WAIT: 5,
  CLOSE: 6,
  CLOSE_WAIT: 7,
  LAST_ACK: 8,
  LISTEN: 9,
  SYNACK: 10,
  /** UDP: the realserver has not answered. IPVS makes no such difference; it is what a flood looks like. */
  UDP_UNANSWERED: 11,
  UDP: 12,
} as const;
export type StateName = keyof typeof State;

export const STATES = 13;

/** Defaults of IPVS; each may be configured. */
export const defaultTimeouts: Readonly<Record<StateName, Ms>> = {
  NONE: seconds(2),
  ESTABLISHED: seconds(15 * 60),
  SYN_SENT: seconds(2 * 60),
  SYN_RECV: seconds(60),
  FIN_WAIT: seconds(2 * 60),
  TIME_WAIT: seconds(2 * 60),
  CLOSE: seconds(10),
  CLOSE_WAIT: seconds(60),
  LAST_ACK: seconds(30),
  LISTEN: seconds(2 * 60),
  SYNACK: seconds(2 * 60),
  UDP_UNANSWERED: seconds(5 * 60),
  UDP: seconds(5 * 60),
};

/** Entries that give way when the table is full, each state in a queue of its own; see wheel.ts. */
const HALF_OPEN: readonly number[] = [State.SYN_RECV, State.UDP_UNANSWERED, State.SYN_SENT, State.SYNACK, State.NONE];
export const QUEUES = HALF_OPEN.length;

/** By state: its queue, or -1 when it is settled. */
export const queueOf = Int8Array.from({ length: STATES }, (_, state) => HALF_OPEN.indexOf(state));

/** Short names of the table below, as IPVS abbreviates them. */
const SHORT: Readonly<Record<string, number>> = {
  NO: State.NONE,
  ES: State.ESTABLISHED,
  SS: State.SYN_SENT,
  SR: State.SYN_RECV,
  FW: State.FIN_WAIT,
  TW: State.TIME_WAIT,
  CL: State.CLOSE,
  CW: State.CLOSE_WAIT,
  LA: State.LAST_ACK,
  LI: State.LISTEN,
  SA: State.SYNACK,
};

/** Rows: what came. Columns: the state it came in. */
const TRANSITIONS = {
  original: {
    //    NO ES SS SR FW TW CL CW LA LI SA
    syn: "SR ES ES SR SR SR SR SR SR SR SR",
    fin: "CL CW SS TW TW TW CL CW LA LI TW",
    ack: "ES ES SS ES FW TW CL CW CL LI ES",
    rst: "CL CL CL SR CL CL CL CL LA LI SR",
  },
  reply: {
    //    NO ES SS SR FW TW CL CW LA LI SA
    syn: "SS ES SS SR SS SS SS SS SS LI SR",
    fin: "TW FW SS TW FW TW CL TW LA LI TW",
    ack: "ES ES SS ES FW TW CL CW LA ES ES",
    rst: "CL CL SS CL CL TW CL CL CL CL CL",
  },
} as const;

/**
 * IPVS's `secure_tcp`: half-open until the realserver has answered *and* acknowledged, so that a client who sends SYN
 * and ACK from a false address never gets an entry that stays. Where it differs:
 */
const SECURE = {
  original: {
    ...TRANSITIONS.original,
    syn: "SR ES ES SR SR SR SR SR SR SR SA",
    fin: "CL CW SS TW TW TW CL CW LA LI SA",
    ack: "CL ES SS SR FW TW CL CW CL LI SA",
    rst: "CL CL CL SR CL CL CL CL LA LI CL",
  },
  reply: { ...TRANSITIONS.reply, syn: "SS ES SS SA SS SS SS SS SS LI SA" },
} as const;

/**
 * Direct routing and tunnelling, where replies need not come by: IPVS's INPUT-ONLY. An entry goes by it until a reply
 * was seen. Where it differs. A RST after the client's FIN ends nothing, other than there: the client may still be
 * reading, and only the realserver can tell whether it is the one that RFC 9293 §3.10.7.4 (RFC 5961 §3.2) lets in.
 */
const UNSEEN = {
  ...TRANSITIONS.original,
  //    NO ES SS SR FW TW CL CW LA LI SA
  fin: "CL FW SS TW FW TW CL CW LA LI TW",
  ack: "ES ES SS ES FW TW CL CW CL LI ES",
  rst: "CL CL CL SR FW CL CL CL LA LI CL",
};

/** In place of a direction: original, and no reply was ever seen. */
export const REPLIES_UNSEEN = 2;

const FLAGS = 32;
const DIRECTION_SHIFT = 9;
const FLAGS_SHIFT = 4;

/** As IPVS looks at flags: RST before SYN before FIN before ACK. */
const classOf = (flags: number): "rst" | "syn" | "fin" | "ack" => {
  if ((flags & RST) !== 0) return "rst";
  if ((flags & SYN) !== 0) return "syn";
  return (flags & FIN) !== 0 ? "fin" : "ack";
};

/** From the table, in place of a state. Both are above all states. */
export const IMPLAUSIBLE = 0xfe;
/**
 * A client's SYN to an entry that is over: a new connection with the same ports (RFC 9293 §3.6.1), to be scheduled anew
 * (IPVS's conn_reuse_mode). Where no reply was seen, its SYN ACK too.
 */
export const REOPENS = 0xff;

/** The whole machine as one look-up, exceptions included; and UDP's, whose flags are 0. */
export function transitionTable(secure: boolean): Uint8Array {
  const table = new Uint8Array(3 << DIRECTION_SHIFT);
  const { original, reply } = secure ? SECURE : TRANSITIONS;
  for (let flags = 0; flags < FLAGS; flags++) {
    for (const [direction, rows] of [original, reply, UNSEEN].entries()) {
      const next = rows[classOf(flags)].split(" ").map((name) => SHORT[name]!);
      table.set(plausible(flags) ? next : next.fill(IMPLAUSIBLE), transitionAt(direction, flags, 0));
    }
    if (plausible(flags) && (flags & SYN) !== 0) reopen(table, flags);
  }
  for (const state of [State.UDP_UNANSWERED, State.UDP]) {
    table[transitionAt(0, 0, state)] = state;
    table[transitionAt(1, 0, state)] = State.UDP;
  }
  return table;
}

function reopen(table: Uint8Array, flags: number): void {
  for (const state of OVER_UNSEEN) table[transitionAt(REPLIES_UNSEEN, flags, state)] = REOPENS;
  if ((flags & ACK) !== 0) return;
  for (const state of OVER) table[transitionAt(0, flags, state)] = REOPENS;
}

const OVER = [State.TIME_WAIT, State.CLOSE];
/**
 * Where replies go past, the client's FIN is all that is seen of the end (so conn_reuse_mode 2), and its SYN ACK all that
 * is seen of a connection that the realserver opened.
 */
const OVER_UNSEEN = [...OVER, State.FIN_WAIT];

/** Where in the table the next state stands. */
export const transitionAt = (direction: number, flags: number, state: number): number =>
  (direction << DIRECTION_SHIFT) | ((flags & (FLAGS - 1)) << FLAGS_SHIFT) | state;

/** A segment must have one of SYN, FIN, RST and ACK, and of the first three not two (no sender makes such; scanners do). */
function plausible(flags: number): boolean {
  const openers = flags & (SYN | FIN | RST);
  return openers === 0 ? (flags & ACK) !== 0 : (openers & (openers - 1)) === 0;
}
