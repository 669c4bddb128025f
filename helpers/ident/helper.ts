import type { Actions, Direction, Helper, Inspection, Inspector, PortPair } from "../../core/helper/api.ts";
import { port, seconds } from "../../core/units.ts";
import { LF, latin1 } from "../../core/wire/text.ts";
import { reasons } from "./reasons.ts";
import { type Line, parseLine } from "./wire.ts";

/** RFC 1413 §6: a line has no more characters. */
const LONGEST = 1000;

/**
 * A server asks the client's host whose a connection is, naming it by its ports. Behind a director the client knows that
 * connection by another port than the realserver does, where the realserver's port is not the virtual service's:
 *
 *   client:6191 -> virtual:23 => real:2323      the connection that is asked about
 *   real:any -> client:113                      leaves as the virtual service
 *   real   "6191 , 2323"                        reaches the client as  "6191 , 23"
 *   client "6191 , 23 : USERID : UNIX : joe"    reaches the realserver as it asked, "6191 , 2323 : ..."
 *
 * Whichever end opened this connection, whoever asks first is the one that asks.
 */
export const ident: Helper = {
  name: "ident",
  transport: "tcp",
  ports: [port(113)],
  sources: ["RFC 1413"],
  limits: { pending: 0, ttl: seconds(0), hold: LONGEST, patience: seconds(60) },
  reasons,
  open: (_connection, { hold }) => new IdentInspector(hold),
  asksAbout,
};

/** The first line that a realserver says, to whomever it takes for its client. */
function asksAbout(bytes: Uint8Array): PortPair | string | null {
  const lf = bytes.indexOf(LF);
  if (lf < 0) return bytes.length > LONGEST ? "not-ident" : null;
  const line = parseLine(bytes.subarray(0, lf));
  if (typeof line === "string") return line;
  return line.response ? "unsolicited" : { client: line.asked, server: line.asking };
}

/** Queries without a response. */
const DEPTH = 16;

interface Query {
  /** Its numbers and what is between them, as they were said. */
  readonly text: string;
  /** The ports that the other side was asked for. */
  asked: number;
  asking: number;
}

class IdentInspector implements Inspector {
  readonly #hold: number;
  readonly #queries: Query[] = [];
  #asker: Direction | null = null;
  readonly #midline = { original: false, reply: false };
  #blind = false;

  constructor(hold: number) {
    this.#hold = hold;
  }

  inspect(payload: Uint8Array, direction: Direction, actions: Actions): Inspection {
    const lf = payload.indexOf(LF);
    if (this.#blind || (lf < 0 ? payload.length : lf) > this.#hold) return this.#close(payload, actions);
    if (lf < 0) return { verdict: "pass", consumed: 0 };
    const said = parseLine(payload.subarray(0, lf));
    const partial = this.#midline[direction];
    this.#midline[direction] = false;
    if (typeof said !== "string") this.#read(said, payload, direction, actions);
    else if (said === "bad-port") actions.fault(said, { start: 0, end: lf });
    else if (!partial) return this.#close(payload, actions);
    return { verdict: "pass", consumed: lf + 1 };
  }

  gap(direction: Direction): void {
    this.#midline[direction] = true;
  }

  #read(line: Line, payload: Uint8Array, direction: Direction, actions: Actions): void {
    if (!line.response) this.#asker ??= direction;
    const asks = direction === this.#asker;
    if (asks === line.response) actions.fault("unsolicited", line.at);
    else if (asks) this.#query(line, payload, direction, actions);
    else this.#response(line, actions);
  }

  #query({ asked, asking, at, between }: Line, payload: Uint8Array, direction: Direction, actions: Actions): void {
    const query: Query = { text: latin1(payload, at.start, at.end), asked, asking };
    this.#queries.push(query);
    if (this.#queries.length > DEPTH) {
      this.#queries.shift();
      actions.fault("too-many-queries");
    }
    const separator = latin1(payload, between.start, between.end);
    // Asked by a realserver the first port is the client's, asked by a client the second.
    const byReal = direction === "reply";
    const pair: PortPair = byReal ? { client: asked, server: asking } : { client: asking, server: asked };
    actions.translate(at.start, at.end, pair, (seen) => {
      query.asked = byReal ? seen.client : seen.server;
      query.asking = byReal ? seen.server : seen.client;
      return `${query.asked}${separator}${query.asking}`;
    });
  }

  /** Goes back with the ports of its query, as they were said. */
  #response({ asked, asking, at }: Line, actions: Actions): void {
    const index = this.#queries.findIndex((query) => query.asked === asked && query.asking === asking);
    if (index < 0) return actions.fault("unsolicited", at);
    const [{ text }] = this.#queries.splice(index, 1) as [Query];
    actions.write(at.start, at.end, text);
  }

  #close(payload: Uint8Array, actions: Actions): Inspection {
    if (!this.#blind) actions.fault("not-ident", { start: 0, end: payload.length });
    this.#blind = true;
    return { verdict: "detach", consumed: payload.length };
  }
}
