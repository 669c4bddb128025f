import type { Actions, Announcement, Direction, Helper, Inspection, Inspector, Ref } from "../../core/helper/api.ts";
import { type ByteRange, type Endpoint, port, seconds } from "../../core/units.ts";
import { latin1 } from "../../core/wire/text.ts";
import { reasons } from "./reasons.ts";
import { ANSWER, type Greeting, isPnm, type PortOption, parseAnswer, parseGreeting } from "./wire.ts";

/**
 * RealAudio's players before RTSP. Their greeting names the UDP ports that they listen on; without any the stream comes
 * within the connection.
 *
 *   client:C -> virtual:7070   option 1: p    announced here: real:any -> client:p
 *                              option 7: q    announced here: real:any -> client:q      robust delivery
 *   real:7070 -> client:C      option 7: r    announced here: client:any -> real:r
 *
 * Nothing behind the greetings announces anything, so nothing more is read.
 */
export const pnm: Helper = {
  name: "pnm",
  transport: "tcp",
  ports: [port(7070)],
  sources: ["IPFilter ip_raudio_pxy.c", "Linux 2.2 ip_masq_raudio.c"],
  limits: { pending: 4, ttl: seconds(60), hold: 4096, patience: seconds(10) },
  reasons,
  open: (_connection, { hold }) => new PnmInspector(hold),
  detect: ({ original }) => (original.length === 0 ? false : isPnm(original)),
  initials: "P",
};

const WAIT: Inspection = { verdict: "pass", consumed: 0 };
const passing = ({ length }: Uint8Array): Inspection => ({ verdict: "pass", consumed: length });

const renderPort = ({ port }: Endpoint): string => String.fromCharCode(port >> 8, port & 255);

const announcement = (said: string, bytes: ByteRange, text: string) =>
  ({
    kind: "pnm-udp",
    said,
    transport: "udp",
    uses: 1,
    answered: false,
    bytes,
    instead: { ...bytes, text: () => text },
  }) as const;

class PnmInspector implements Inspector {
  readonly #hold: number;
  /** What of each direction was read; `refused`: what follows goes nowhere. */
  readonly #state: Record<Direction, "opening" | "done" | "refused"> = { original: "opening", reply: "opening" };
  #ref: Ref | null = null;
  /** Which of what the client announced is for robust delivery; -1: none. */
  #robust = -1;

  constructor(hold: number) {
    this.#hold = hold;
  }

  inspect(payload: Uint8Array, direction: Direction, actions: Actions): Inspection {
    const state = this.#state[direction];
    if (state === "refused") return { verdict: "drop", consumed: payload.length };
    if (state === "done") return passing(payload);
    const opens = isPnm(payload);
    if (opens === null) return WAIT;
    if (!opens) {
      actions.note("not-pnm");
      return { verdict: "detach", consumed: payload.length };
    }
    return direction === "original" ? this.#greeting(payload, actions) : this.#answer(payload, actions);
  }

  end(payload: Uint8Array, direction: Direction, actions: Actions): void {
    if (direction === "reply") this.#state.reply = "done";
    else this.#refuseAll(payload, "unfinished", actions);
  }

  /** Bytes are missing: what may have been said with them is not known, and what follows says nothing. */
  gap(direction: Direction): void {
    this.#state[direction] = "done";
  }

  #greeting(payload: Uint8Array, actions: Actions): Inspection {
    const greeting = parseGreeting(payload.subarray(0, this.#hold));
    if (greeting === null && payload.length < this.#hold) return WAIT;
    if (greeting === null || greeting === "bad-option") {
      this.#refuseAll(payload, greeting ?? "hello-too-long", actions);
      return passing(payload);
    }
    this.#state.original = "done";
    if (greeting.options.length > 0) this.#offer(payload, greeting, actions);
    return { verdict: "pass", consumed: greeting.end };
  }

  /** The client can only be told by ending the connection, which is the server's to do: it gets nothing to answer. */
  #refuseAll(payload: Uint8Array, code: string, actions: Actions): void {
    const at = { start: 0, end: payload.length };
    this.#state.original = "refused";
    actions.refuse(code, at, { ...at, text: () => "" });
  }

  #offer(payload: Uint8Array, { options }: Greeting, actions: Actions): void {
    const bytes = { start: options[0]!.start, end: options.at(-1)!.end };
    const shared = announcement("PNA", bytes, between(payload, options));
    const bundle = options.map(
      ({ port }): Announcement => ({
        ...shared,
        opener: "reply",
        from: { address: null, port: null },
        to: { address: null, port },
      }),
    );
    const ref = actions.expect(...bundle);
    for (const [index, { value }] of options.entries()) actions.rewrite(value.start, value.end, ref, renderPort, index);
    this.#ref = ref;
    this.#robust = options.findIndex(({ robust }) => robust);
  }

  #answer(payload: Uint8Array, actions: Actions): Inspection {
    // A failure is shorter than the answer that names a port.
    const wanted = this.#robust >= 0 && !parseAnswer(payload).failed ? ANSWER : ANSWER - 7;
    if (payload.length < wanted) return WAIT;
    const { failed, robust } = parseAnswer(payload);
    this.#state.reply = "done";
    if (failed && this.#ref !== null) actions.revoke(this.#ref);
    if (robust !== null && this.#robust >= 0 && this.#ref !== null) {
      const ref = actions.expect({
        ...announcement("PNA", robust.value, "\0\0"),
        opener: "original",
        from: { address: null, port: null },
        to: { address: null, port: robust.port },
        answers: this.#ref,
        answersIndex: this.#robust,
      });
      actions.rewrite(robust.value.start, robust.value.end, ref, renderPort);
    }
    return { verdict: "pass", consumed: Math.min(payload.length, ANSWER) };
  }
}

/** What stands between the first and the last of these options: without them the stream comes within the connection. */
function between(payload: Uint8Array, options: readonly PortOption[]): string {
  let text = "";
  for (const [index, { end }] of options.entries()) {
    const next = options[index + 1];
    if (next !== undefined) text += latin1(payload, end, next.start);
  }
  return text;
}
