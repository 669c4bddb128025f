import { type Actions, type Direction, type Helper, type Inspector, passed, type Ref } from "../../core/helper/api.ts";
import { port, seconds } from "../../core/units.ts";
import { reasons } from "./reasons.ts";
import { isAnswer, parseRequest, type Request } from "./wire.ts";

/**
 * A TFTP server does not answer from port 69. It takes a port of its own for every transfer (its transfer identifier,
 * RFC 1350 §4), answers from there to the port that the request came from, and the client goes on with that port.
 *
 *   client:C -> virtual:69    RRQ, WRQ         announced here: real:any -> client:C
 *   real:T   -> client:C      DATA, ACK, OACK, ERROR
 *
 * Some small servers answer from port 69 after all: then the transfer is this flow, and nothing else is waited for.
 */
export const tftp: Helper = {
  name: "tftp",
  transport: "udp",
  ports: [port(69)],
  sources: ["RFC 1350", "RFC 2347"],
  limits: { pending: 1, ttl: seconds(30), hold: 0, patience: seconds(0) },
  reasons,
  foreign: ["not-a-request", "not-an-answer"],
  open: ({ client }) => new TftpInspector(client.port),
};

/** The request that was seen last. */
interface Asked {
  readonly payload: Uint8Array;
  readonly ref: Ref;
}

class TftpInspector implements Inspector {
  readonly #client: number;
  #asked: Asked | null = null;
  /** The server has answered on this flow. */
  #here = false;

  constructor(client: number) {
    this.#client = client;
  }

  inspect(payload: Uint8Array, direction: Direction, actions: Actions) {
    if (direction === "reply") this.#answered(payload, actions);
    else this.#request(payload, actions);
    return passed(payload);
  }

  #request(payload: Uint8Array, actions: Actions): void {
    const request = parseRequest(payload);
    if (typeof request !== "string") this.#announce(request, payload, actions);
    else if (request !== "not-a-request" || !this.#here) actions.fault(request);
  }

  #announce({ operation, optionsWhole }: Request, payload: Uint8Array, actions: Actions): void {
    if (!optionsWhole) actions.fault("bad-options");
    const whole = { start: 0, end: payload.length };
    const before = this.#asked !== null && equal(this.#asked.payload, payload) ? { repeats: this.#asked.ref } : {};
    const ref = actions.expect({
      kind: "tftp",
      said: operation,
      transport: "udp",
      opener: "reply",
      from: { address: null, port: null },
      to: { address: null, port: this.#client },
      uses: 1,
      // Wherever the request came from.
      lowest: port(1),
      answered: false,
      ...before,
      bytes: whole,
      // Nothing goes on: the client asks again.
      instead: { ...whole, text: () => "" },
    });
    this.#asked = { payload: new Uint8Array(payload), ref };
    this.#here = false;
  }

  #answered(payload: Uint8Array, actions: Actions): void {
    if (!isAnswer(payload)) return actions.fault("not-an-answer");
    if (this.#asked !== null) actions.revoke(this.#asked.ref);
    this.#asked = null;
    this.#here = true;
  }
}

const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);
