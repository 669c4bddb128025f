import type {
  Actions,
  Announcement,
  Connection,
  Direction,
  Helper,
  Inspection,
  Inspector,
  Ref,
} from "../../core/helper/api.ts";
import { passed } from "../../core/helper/api.ts";
import { type Endpoint, port, seconds } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import { reasons } from "./reasons.ts";
import { displayAt, LENGTH_AT, renderRequest, u16Text } from "./render.ts";
import {
  DISPLAY_AT,
  keptSession,
  Opcode,
  parseForwarded,
  parseHeader,
  parseRequest,
  type Request,
  sessionOf,
  X11,
} from "./wire.ts";

/** An X session lasts a working day, and its windows open when they open. */
const SESSION = seconds(24 * 3600);

/**
 * A display (an X terminal) asks a host for a login over UDP, and is then connected to by everything that runs there:
 *
 *   client:C -> virtual:177    Query, Request (display 0 at client)    announced here: real:any -> client:6000, many
 *   real:177 -> client:C       Willing, Accept (session)               the announcement is accepted
 *   client:C -> virtual:177    Manage (session, display)
 *   real     -> client:6000    X11, as often as windows open
 *   real:177 -> client:C       Decline, Refuse, Failed                 taken back
 *
 * The whole session is one realserver's, from Query to KeepAlive, however long the flow was silent in between.
 */
export const xdmcp: Helper = {
  name: "xdmcp",
  transport: "udp",
  ports: [port(177)],
  sources: ["X Display Manager Control Protocol 1.1"],
  limits: { pending: 4, ttl: SESSION, hold: 0, patience: seconds(0) },
  reasons,
  foreign: ["bad-version"],
  open: (connection) => new XdmcpInspector(connection),
  affinity: (_payload, { address }) => {
    const keys = [`xdmcp ${address}`];
    return { recall: keys, remember: keys, ttl: SESSION };
  },
};

/** Sessions that one display has at once; a real one has one. */
const MOST_SESSIONS = 16;

/** What a client asked for. */
interface Asked {
  readonly payload: Uint8Array;
  readonly request: Request;
  ref: Ref;
  /** What the realserver was told, once it was: it knows the display by this. */
  told: Endpoint | null;
}

class XdmcpInspector implements Inspector {
  readonly #connection: Connection;
  #asked: Asked | null = null;
  readonly #sessions = new Map<number, Asked>();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  inspect(payload: Uint8Array, direction: Direction, actions: Actions): Inspection {
    const opcode = parseHeader(payload);
    if (typeof opcode === "string") {
      if (mayBeRequest(payload, direction)) refuse(opcode, payload, actions);
      else actions.fault(opcode);
    } else if (direction === "original") this.#fromClient(opcode, payload, actions);
    else this.#fromReal(opcode, payload, actions);
    return passed(payload);
  }

  #fromClient(opcode: number, payload: Uint8Array, actions: Actions): void {
    switch (opcode) {
      case Opcode.BROADCAST_QUERY:
      case Opcode.QUERY:
      case Opcode.INDIRECT_QUERY:
        return;
      case Opcode.FORWARD_QUERY:
        return this.#forwarded(payload, actions);
      case Opcode.REQUEST:
        return this.#request(payload, actions);
      case Opcode.MANAGE:
        return this.#display(opcode, sessionOf(payload), actions);
      case Opcode.KEEP_ALIVE:
        return this.#display(opcode, keptSession(payload), actions);
      default:
        actions.fault("unknown-opcode");
    }
  }

  #fromReal(opcode: number, payload: Uint8Array, actions: Actions): void {
    switch (opcode) {
      case Opcode.WILLING:
      case Opcode.UNWILLING:
      case Opcode.ALIVE:
        return;
      case Opcode.ACCEPT:
        return this.#accepted(sessionOf(payload), actions);
      case Opcode.DECLINE:
        if (this.#asked !== null) actions.settle(this.#asked.ref, "rejected");
        this.#asked = null;
        return;
      case Opcode.REFUSE:
      case Opcode.FAILED:
        return this.#ended(sessionOf(payload), actions);
      default:
        actions.fault("unknown-opcode");
    }
  }

  /** A manager tells another one of a display, which is to answer that: never somebody else on its behalf. */
  #forwarded(payload: Uint8Array, actions: Actions): void {
    const address = parseForwarded(payload);
    if (address === null) refuse("truncated", payload, actions);
    else if (!address.equals(this.#connection.client.address)) refuse("forwarded-elsewhere", payload, actions);
  }

  #request(payload: Uint8Array, actions: Actions): void {
    const request = parseRequest(payload);
    if (typeof request === "string") return refuse(request, payload, actions);
    const before = this.#asked;
    const again = before !== null && equal(before.payload, payload);
    if (again && before.told !== null) return rewritten(before.told, request, payload, actions);
    this.#announce(request, payload, actions, again ? before.ref : null);
  }

  #announce(request: Request, payload: Uint8Array, actions: Actions, repeats: Ref | null): void {
    const { display, addresses, end } = request;
    const whole = { start: 0, end: payload.length };
    const bundle = addresses.map(
      (address): Announcement => ({
        kind: "x11",
        said: "Request",
        transport: "tcp",
        opener: "reply",
        from: { address: null, port: null },
        ...(this.#foreign(address) ? { anyone: true } : {}),
        to: { address, port: X11 + display },
        either: true,
        uses: "many",
        ...(repeats === null ? {} : { repeats }),
        bytes: whole,
        instead: { ...whole, text: () => "" },
      }),
    );
    const asked: Asked = { payload: new Uint8Array(payload), request, ref: actions.expect(...bundle), told: null };
    actions.rewrite(LENGTH_AT, end, asked.ref, (seen) => {
      const text = renderRequest(seen, payload.length - end);
      if (text !== null) asked.told = seen;
      return text;
    });
    this.#asked = asked;
  }

  /** Which of the realserver's addresses would connect to one of another family is nowhere said. */
  #foreign({ family }: Address): boolean {
    return family !== this.#connection.real.address.family;
  }

  #accepted(session: number, actions: Actions): void {
    const asked = this.#asked;
    if (asked === null || this.#sessions.get(session) === asked) return;
    actions.settle(asked.ref, "accepted");
    this.#sessions.set(session, asked);
    if (this.#sessions.size <= MOST_SESSIONS) return;
    this.#sessions.delete(this.#sessions.keys().next().value!);
    actions.fault("too-many-sessions");
  }

  #ended(session: number, actions: Actions): void {
    const asked = this.#sessions.get(session);
    if (asked === undefined) return;
    actions.revoke(asked.ref);
    this.#sessions.delete(session);
    if (this.#asked === asked) this.#asked = null;
  }

  /** The display number by which the realserver knows the session. */
  #display(opcode: number, session: number, actions: Actions): void {
    const asked = this.#sessions.get(session);
    const told = asked?.told ?? null;
    const display = told === null ? null : displayAt(told.port);
    if (display === null || display === asked!.request.display) return;
    const at = DISPLAY_AT[opcode]!;
    actions.write(at, at + 2, u16Text(display));
  }
}

/** The same as the realserver was told before, when the client says it again. */
function rewritten(told: Endpoint, { end }: Request, payload: Uint8Array, actions: Actions): void {
  actions.write(LENGTH_AT, end, renderRequest(told, payload.length - end)!);
}

/** Nothing goes on; the client asks again. */
function refuse(code: string, payload: Uint8Array, actions: Actions): void {
  const whole = { start: 0, end: payload.length };
  actions.refuse(code, whole, { ...whole, text: () => "" });
}

/** Malformed, and somebody less strict might read a Request in it. */
const mayBeRequest = (payload: Uint8Array, direction: Direction): boolean =>
  direction === "original" && payload.length >= 4 && payload[2] === 0 && payload[3] === Opcode.REQUEST;

const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);
