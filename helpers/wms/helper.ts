import type { Actions, Connection, Direction, Helper, Inspection, Inspector, Ref } from "../../core/helper/api.ts";
import { type ByteRange, port, seconds } from "../../core/units.ts";
import { latin1 } from "../../core/wire/text.ts";
import { reasons } from "./reasons.ts";
import {
  CONNECT_FUNNEL,
  DISCONNECTED_FUNNEL,
  dataLength,
  type Funnel,
  isPacket,
  type Message,
  nameRange,
  packetLength,
  parseFunnel,
  parseMessages,
  renderFunnel,
  wide,
} from "./wire.ts";

/**
 * Microsoft Media Services: the player names the socket that it wants the stream sent to.
 *
 *   client:C -> virtual:1755   LinkViewerToMacConnectFunnel \\client\UDP\p    announced here: real:any -> client:p
 *   client:p -> virtual:1755   requests for lost packets, by UDP             grouped with the connection
 *
 * `\\client\TCP\p` has the stream sent within the connection, where its packets are passed over by their length.
 */
export const wms: Helper = {
  name: "wms",
  transport: "tcp",
  ports: [port(1755)],
  sources: ["MS-MMSP 2.2.2, 2.2.3, 2.2.4.3, 2.2.4.4, 2.2.4.18"],
  limits: { pending: 10, ttl: seconds(30), hold: 4096, patience: seconds(60) },
  reasons,
  open: (connection, { hold }) => new WmsInspector(connection, hold),
  detect: ({ original }) => (original.length === 0 ? false : isPacket(original)),
  initials: "\u0001",
};

/** A name that no server can send to (2.2.4.18: ports are 1 to 65535): it reports the funnel as disconnected. */
const REFUSED_NAME = "\\\\0.0.0.0\\UDP\\0";

/** One direction. */
interface Stream {
  /** `lost`: where a packet begins is not known. */
  mode: "opening" | "packets" | "lost";
  /** Bytes of a packet that are still to come. */
  skip: number;
  /** They go nowhere. */
  drop: boolean;
}

const makeStream = (): Stream => ({ mode: "opening", skip: 0, drop: false });
const WAIT: Inspection = { verdict: "pass", consumed: 0 };

class WmsInspector implements Inspector {
  readonly #connection: Connection;
  readonly #hold: number;
  readonly #original = makeStream();
  readonly #reply = makeStream();
  #funnel: Ref | null = null;

  constructor(connection: Connection, hold: number) {
    this.#connection = connection;
    this.#hold = hold;
  }

  /** One packet a call. */
  inspect(payload: Uint8Array, direction: Direction, actions: Actions): Inspection {
    const stream = direction === "original" ? this.#original : this.#reply;
    if (stream.skip > 0) return skipped(stream, payload);
    const opens = isPacket(payload);
    if (opens === null) return WAIT;
    if (opens) return this.#packet(stream, payload, direction, actions);
    if (stream.mode === "lost") return search(payload);
    if (stream.mode === "opening") {
      actions.fault("not-mms");
      return { verdict: "detach", consumed: payload.length };
    }
    return this.#data(stream, payload, direction, actions);
  }

  /** A packet of the client's that cannot be waited for may set something up: it goes nowhere. */
  end(payload: Uint8Array, direction: Direction, actions: Actions): void {
    const stream = direction === "original" ? this.#original : this.#reply;
    const at = { start: 0, end: payload.length };
    const packet = isPacket(payload) === true;
    stream.mode = packet ? "packets" : "lost";
    stream.skip = packet ? packetLength(payload) - payload.length : 0;
    stream.drop = direction === "original";
    if (stream.drop) actions.refuse("unfinished", at, { ...at, text: () => "" });
  }

  gap(direction: Direction): void {
    Object.assign(direction === "original" ? this.#original : this.#reply, { ...makeStream(), mode: "lost" });
  }

  #data(stream: Stream, payload: Uint8Array, direction: Direction, actions: Actions): Inspection {
    const length = direction === "reply" ? dataLength(payload) : 0;
    if (length === null) return WAIT;
    if (length === 0) {
      actions.fault("stray-bytes");
      stream.mode = "lost";
      return search(payload);
    }
    stream.skip = length;
    stream.drop = false;
    return skipped(stream, payload);
  }

  #packet(stream: Stream, payload: Uint8Array, direction: Direction, actions: Actions): Inspection {
    const length = packetLength(payload);
    stream.mode = "packets";
    if (length > this.#hold) return tooLong(stream, payload, length, direction, actions);
    if (payload.length < length) return WAIT;
    const packet = payload.subarray(0, length);
    const messages = parseMessages(packet);
    const whole = { start: 0, end: length };
    if (messages === null && direction === "original") {
      actions.refuse("bad-lengths", whole, { ...whole, text: () => "" });
    } else if (messages === null) actions.fault("bad-lengths", whole);
    else if (direction === "original") this.#request(packet, messages, whole, actions);
    else this.#answer(messages, actions);
    return { verdict: "pass", consumed: length };
  }

  #request(packet: Uint8Array, messages: readonly Message[], whole: ByteRange, actions: Actions): void {
    const [message, another] = messages.filter(({ id }) => id === CONNECT_FUNNEL);
    if (message === undefined) return;
    const name = nameRange(message);
    const instead = { ...name, text: () => wide(REFUSED_NAME, name.end - name.start) };
    const funnel = another === undefined ? parseFunnel(packet, message) : "several-funnels";
    if (another !== undefined) actions.refuse("several-funnels", whole, { ...whole, text: () => "" });
    else if (typeof funnel === "string") actions.refuse(funnel, whole, instead);
    else if (funnel.transport === "udp") this.#expect(packet, message, funnel, { whole, instead }, actions);
  }

  #expect(
    packet: Uint8Array,
    message: Message,
    { address, port }: Funnel,
    { whole, instead }: { readonly whole: ByteRange; readonly instead: ByteRange & { readonly text: () => string } },
    actions: Actions,
  ): void {
    const ref = actions.expect({
      kind: "mms-udp",
      said: "ConnectFunnel",
      transport: "udp",
      opener: "reply",
      from: { address: null, port: null },
      to: { address, port },
      uses: 1,
      answered: false,
      bytes: whole,
      instead,
    });
    const copy = new Uint8Array(packet);
    actions.rewrite(whole.start, whole.end, ref, (seen) =>
      seen.address.equals(address) && seen.port === port
        ? latin1(copy, 0, copy.length)
        : renderFunnel(copy, message, `\\\\${seen.address}\\UDP\\${seen.port}`),
    );
    const own = this.#connection.virtual.port;
    actions.group("mms-udp", [{ transport: "udp", first: own, last: own }]);
    this.#funnel = ref;
  }

  #answer(messages: readonly Message[], actions: Actions): void {
    if (this.#funnel === null || !messages.some(({ id }) => id === DISCONNECTED_FUNNEL)) return;
    actions.revoke(this.#funnel);
    this.#funnel = null;
  }
}

/** Announcements are in the client's packets, and those are short. */
function tooLong(
  stream: Stream,
  payload: Uint8Array,
  length: number,
  direction: Direction,
  actions: Actions,
): Inspection {
  const consumed = Math.min(length, payload.length);
  const at = { start: 0, end: consumed };
  stream.drop = direction === "original";
  stream.skip = length - consumed;
  if (stream.drop) actions.refuse("packet-too-long", at, { ...at, text: () => "" });
  return { verdict: "pass", consumed };
}

/** Bytes that nobody reads: what there is of them goes on, or goes nowhere. */
function skipped(stream: Stream, payload: Uint8Array): Inspection {
  const consumed = Math.min(stream.skip, payload.length);
  stream.skip -= consumed;
  return { verdict: stream.drop ? "drop" : "pass", consumed };
}

/** To where a packet may begin. */
function search(payload: Uint8Array): Inspection {
  let at = 1;
  while (at < payload.length && isPacket(payload.subarray(at)) === false) at++;
  return { verdict: "pass", consumed: at };
}
