import type { Actions, Connection, Direction, Helper, Inspection, Inspector } from "../../core/helper/api.ts";
import { passed } from "../../core/helper/api.ts";
import { port, seconds } from "../../core/units.ts";
import { u16 } from "../../core/wire/bytes.ts";
import { latin1 } from "../../core/wire/text.ts";
import { reasons } from "./reasons.ts";
import { questionOf, requests } from "./requests.ts";
import { HEADER, type Header, LONGEST_OPENING, PREFIX, readHeader, readQuestion } from "./wire.ts";

/**
 * DNS asks and answers in single datagrams, each scheduled by itself. An answer that does not fit is cut off, and asked
 * for again over TCP (RFC 7766 §5):
 *
 *   client:C -> virtual:53/udp    query                 to the realserver of its choice
 *   real:53  -> client:C          answer with TC set    announced here: client:any -> real:53/tcp, about that question
 *
 * Over TCP the queries of a connection go where its first one went, answers in any order (RFC 7766 §6.2.1).
 */
export const dns: Helper = {
  name: "dns",
  transport: "both",
  ports: [port(53)],
  sources: ["RFC 1035", "RFC 1996", "RFC 2136", "RFC 7766"],
  limits: { pending: 10, ttl: seconds(30), hold: LONGEST_OPENING, patience: seconds(30) },
  reasons,
  foreign: ["not-dns", "short-header", "bad-label", "bad-pointer", "long-name"],
  options: { primary: true },
  requests,
  open: ({ transport, real }) => (transport === "udp" ? new Datagrams(real.port) : new Stream()),
};

class Datagrams implements Inspector {
  readonly #port: number;
  /** Something was said that is DNS. */
  #known = false;

  constructor(port: Connection["real"]["port"]) {
    this.#port = port;
  }

  inspect(payload: Uint8Array, direction: Direction, actions: Actions): Inspection {
    const header = readHeader(payload);
    const problem = typeof header === "string" ? header : complaintOf(header, payload, direction);
    if (!this.#known && foreign(header, problem)) {
      actions.note("not-dns");
      return { verdict: "detach", consumed: payload.length };
    }
    this.#known = true;
    if (problem !== null) actions.fault(problem);
    if (typeof header !== "string" && direction === "reply" && header.reply && header.truncated) {
      this.#retry(header, payload, actions);
    }
    return passed(payload);
  }

  /** Announces the TCP connection. Nothing has to be let in for it: the service is open to all of its clients. */
  #retry(header: Header, payload: Uint8Array, actions: Actions): void {
    const question = questionOf(header, payload, HEADER, payload.length);
    const bytes = { start: 0, end: HEADER };
    actions.expect({
      kind: "dns-tcp-retry",
      said: "TC",
      transport: "tcp",
      opener: "original",
      from: { address: null, port: null },
      to: { address: null, port: this.#port },
      lowest: port(1),
      answered: false,
      uses: 1,
      ...(question === null ? {} : { about: question }),
      bytes,
      instead: { ...bytes, text: () => latin1(payload, bytes.start, bytes.end) },
    });
  }
}

/** What opens a flow and asks nothing that can be read is of another protocol. An answer may be cut anywhere. */
const foreign = (header: Header | string, problem: string | null): boolean =>
  typeof header === "string" || (problem !== null && !header.reply);

/** What is wrong with a message of `direction`, or null. */
function complaintOf(header: Header, message: Uint8Array, direction: Direction): string | null {
  const question = header.questions === 0 ? null : readQuestion(message, HEADER);
  if (typeof question === "string") return question;
  if (header.reply === (direction === "reply")) return null;
  return header.reply ? "not-a-query" : "not-an-answer";
}

/** Messages with their lengths before them, of which only the first bytes are looked at. */
class Stream implements Inspector {
  readonly #left = { original: 0, reply: 0 };
  /** Bytes are missing: where the next message begins cannot be told. */
  readonly #lost = { original: false, reply: false };

  inspect(payload: Uint8Array, direction: Direction, actions: Actions): Inspection {
    if (this.#lost[direction]) return passed(payload);
    if (this.#left[direction] > 0) return this.#skip(payload, direction);
    if (payload.length < PREFIX) return { verdict: "pass", consumed: 0 };
    const length = PREFIX + u16(payload, 0);
    const needed = Math.min(length, LONGEST_OPENING);
    if (payload.length < needed) return { verdict: "pass", consumed: 0 };
    this.#look(payload.subarray(PREFIX, needed), direction, actions);
    this.#left[direction] = length - needed;
    return { verdict: "pass", consumed: needed };
  }

  gap(direction: Direction): void {
    this.#lost[direction] = true;
  }

  #look(message: Uint8Array, direction: Direction, actions: Actions): void {
    const header = readHeader(message);
    if (typeof header === "string") {
      actions.fault(header);
      return;
    }
    const problem = complaintOf(header, message, direction);
    if (problem !== null) actions.fault(problem);
    const question = questionOf(header, message, HEADER, message.length);
    if (direction === "original" && question !== null) actions.about(question);
  }

  #skip(payload: Uint8Array, direction: Direction): Inspection {
    const consumed = Math.min(payload.length, this.#left[direction]);
    this.#left[direction] -= consumed;
    return { verdict: "pass", consumed };
  }
}
