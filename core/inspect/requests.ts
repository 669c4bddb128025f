/**
 * Requests and replies of one flow, observed: which reply answers which request, what was sent again, what was never
 * answered. The same helper and the same table as live decide; nothing expires.
 */
import { type Transaction, TransactionTable } from "../flow/transaction.ts";
import type { Requests, Settings } from "../helper/api.ts";
import { askHelper } from "../helper/run.ts";
import { type Direction, type Endpoint, endpointText, type Ms, ms } from "../units.ts";

export interface ObservedRequest {
  readonly code: number;
  readonly frame: number;
  reply: { readonly code: number; readonly frame: number } | null;
}

/** Requests that may still be answered, or sent again. */
const MOST_OPEN = 65_536;
const FOREVER = Number.POSITIVE_INFINITY as Ms;
const NOW = ms(0);

type Asked = Transaction<null, null>;

export class RequestObserver {
  /** In the order of their frames. */
  readonly requests: ObservedRequest[] = [];
  /** Retransmissions, each with the frame of the request that it repeats. */
  readonly repeated: (readonly [frame: number, first: number])[] = [];
  /** Replies to nothing that was asked. */
  readonly unsolicited: number[] = [];
  readonly #helper: Requests;
  readonly #client: Endpoint;
  readonly #settings: Settings;
  readonly #observed = new Map<Asked, ObservedRequest>();
  readonly #open = new TransactionTable<null, null>({
    capacity: MOST_OPEN,
    patience: FOREVER,
    linger: FOREVER,
    ended: (asked) => this.#observed.delete(asked),
  });

  constructor(helper: Requests, client: Endpoint, settings: Settings) {
    this.#helper = helper;
    this.#client = client;
    this.#settings = settings;
  }

  /** The next datagram of `direction`; the helper's inspector tells what is wrong with one that is neither. */
  datagram(direction: Direction, payload: Uint8Array, frame: number): void {
    if (direction === "original") this.#request(payload, frame);
    else this.#reply(payload, frame);
  }

  #request(payload: Uint8Array, frame: number): void {
    const request = askHelper(() => this.#helper.request(payload, this.#client.address, this.#settings));
    if (typeof request === "string") return;
    const client = endpointText(this.#client);
    const known = this.#open.repeated(client, request, NOW);
    if (known !== null) {
      this.repeated.push([frame, this.#observed.get(known)!.frame]);
      return;
    }
    const observed: ObservedRequest = { code: request.code, frame, reply: null };
    this.requests.push(observed);
    this.#observed.set(this.#open.open(client, request, null, null, NOW), observed);
  }

  #reply(payload: Uint8Array, frame: number): void {
    const reply = askHelper(() => this.#helper.reply(payload, this.#client.address));
    if (typeof reply === "string") return;
    const asked = this.#open.answer(null, reply, NOW);
    if (typeof asked === "string") this.unsolicited.push(frame);
    else this.#observed.get(asked)!.reply ??= { code: reply.code, frame };
  }
}
