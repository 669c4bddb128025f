/**
 * What the FTP helper costs for each control line: the live control stream, fed one line at a time as segments bring
 * them, with a host that does nothing. Runs in this process, unpinned.
 */
import { Balancer, type ConnectionEntry } from "../../core/balancer.ts";
import type { RelatedEntry } from "../../core/flow/related.ts";
import { type ControlHost, ControlStream } from "../../core/inspect/control.ts";
import { type Direction, type Endpoint, ms, port, seconds } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { bytesOf } from "../../core/wire/text.ts";
import { ftp } from "../../helpers/ftp/helper.ts";
import { compared, type Result } from "./report.ts";
import { type Contestant, type Settings, takeTurns } from "./rounds.ts";

const at = (address: string, number: number): Endpoint => ({ address: Address.parse(address)!, port: port(number) });
const CLIENT = at("192.0.2.7", 40_000);
const VIRTUAL = at("198.51.100.1", 21);
const REAL = at("10.0.0.3", 21);
const NOW = ms(1_000);

type Line = readonly [Direction, Uint8Array];
const commands = (...texts: string[]): Line[] => texts.map((text) => ["original", bytesOf(`${text}\r\n`)]);
const replies = (...texts: string[]): Line[] => texts.map((text) => ["reply", bytesOf(`${text}\r\n`)]);
const exchange = (command: string, ...answers: string[]): Line[] => [...commands(command), ...replies(...answers)];

const LOGIN = [
  ...replies("220 (vsFTPd 3.0.3)"),
  ...exchange("USER anonymous", "331 Please specify the password."),
  ...exchange("PASS user@example.org", "230 Login successful."),
];
/** What mirrors and file managers say between transfers: nothing of it announces anything. */
const ORDINARY = [
  ...exchange("CWD /pub/debian/pool/main/k", "250 Directory successfully changed."),
  ...exchange("TYPE I", "200 Switching to Binary mode."),
  ...exchange("SIZE kindred_0.1.orig.tar.xz", "213 482113"),
  ...exchange("MDTM kindred_0.1.orig.tar.xz", "213 20250520101500"),
  ...exchange("NOOP", "200 NOOP ok."),
];
const PASSIVE = exchange("PASV", "227 Entering Passive Mode (10,0,0,3,200,10).");
const TRANSFER = exchange("RETR README", "150 Opening BINARY mode data connection.", "226 Transfer complete.");

/** A session that is logged in; its announcements are in place at once, and claimed by `claim`. */
class Session {
  readonly #balancer: Balancer;
  readonly #control: ControlStream;
  #seen: Endpoint | null = null;
  /** Announcements that were put in place: shows that the helper was really at work. */
  placed = 0;

  constructor() {
    this.#balancer = new Balancer(
      [
        {
          name: "ftp",
          address: VIRTUAL.address,
          ports: [{ transport: "tcp", first: VIRTUAL.port, last: VIRTUAL.port }],
          helper: ftp,
          controlPorts: [VIRTUAL.port],
          scheduler: "rr",
          persistence: seconds(0),
          persistencePrefix: null,
          realservers: [{ address: REAL.address, port: REAL.port, weight: 1, announces: [], passivePorts: null }],
        },
      ],
      { limits: { perClient: 100, total: 1000 }, seed: 1, gone: () => {} },
    );
    const entry = this.#balancer.admit("tcp", CLIENT, VIRTUAL, NOW) as ConnectionEntry;
    const host: ControlHost = {
      forward: () => {},
      prepare: (related) => this.#place(related),
      explain: () => {},
      abort: (reason) => {
        throw new Error(reason);
      },
    };
    this.#control = new ControlStream({
      helper: ftp,
      settings: { strict: false, hold: ftp.limits.hold },
      entry,
      balancer: this.#balancer,
      host,
      onRefuse: "refuse",
      onFailure: "closed",
    });
    this.say(LOGIN);
  }

  say(lines: readonly Line[]): void {
    for (const [direction, bytes] of lines) this.#control.feed(direction, bytes, NOW);
  }

  /** The client connects to what it was told, and the data connection ends. */
  claim(): void {
    const claimed = this.#balancer.claim("tcp", this.#seen!, CLIENT, NOW);
    if (typeof claimed === "string") throw new Error(`the announced connection was not let in: ${claimed}`);
    this.#balancer.close(claimed.connection, NOW);
  }

  #place(related: RelatedEntry): void {
    this.placed++;
    this.#seen = { address: VIRTUAL.address, port: port(30_000 + (this.placed % 20_000)) };
    this.#control.prepared(related, this.#seen, NOW);
  }
}

const ITERATIONS = 100_000;

/** Nanoseconds for each line of `lines`. */
function timed(name: string, lines: number, turn: (session: Session) => void): Contestant {
  return {
    name,
    measure: async () => {
      const session = new Session();
      const begun = process.hrtime.bigint();
      for (let i = 0; i < ITERATIONS; i++) turn(session);
      return Number(process.hrtime.bigint() - begun) / (ITERATIONS * lines);
    },
  };
}

export async function controlLines({ rounds }: Settings): Promise<Result[]> {
  const whole = [...ORDINARY, ...PASSIVE, ...TRANSFER];
  const contestants = [
    timed("control line, ordinary commands and replies", ORDINARY.length, (session) => session.say(ORDINARY)),
    timed("control line, dialogue with one PASV transfer", whole.length, (session) => {
      session.say(whole);
      session.claim();
    }),
    timed("PASV and its 227: announced, rewritten, claimed", 1, (session) => {
      session.say(PASSIVE);
      session.claim();
    }),
  ];
  const runs = await takeTurns(contestants, rounds);
  return contestants.map(({ name }) => compared({ case: name, unit: "ns", runs: runs.get(name)! }, null));
}
