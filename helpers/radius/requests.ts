/** Requests and their responses, one by one. */
import type { Affinity, Reply, Request, Requests, Settings } from "../../core/helper/api.ts";
import { seconds } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { bytesOf } from "../../core/wire/text.ts";
import { Attribute, attribute, authenticator, Code, KEYS, type Packet, readPacket } from "./wire.ts";

/** A user may be asked for a password or a token between a Challenge and the next Request. */
const CHALLENGE = seconds(120);
/** From an authentication to the accounting of its session, and between two interim updates of it (RFC 2869 §2.1). */
const SESSION = seconds(3600);

const FROM_CLIENT: ReadonlySet<number> = new Set([Code.AccessRequest, Code.AccountingRequest, Code.StatusServer]);
const FROM_REALSERVER: ReadonlySet<number> = new Set([Code.DisconnectRequest, Code.CoaRequest]);
const REPLIES: ReadonlySet<number> = new Set([
  Code.AccessAccept,
  Code.AccessReject,
  Code.AccessChallenge,
  Code.AccountingResponse,
  Code.DisconnectAck,
  Code.DisconnectNak,
  Code.CoaAck,
  Code.CoaNak,
]);

export const isRequest = (code: number): boolean => FROM_CLIENT.has(code) || FROM_REALSERVER.has(code);
export const isReply = (code: number): boolean => REPLIES.has(code);

export const requests: Requests = {
  request,
  reply,
  // A server may take this long (FreeRADIUS: response_window 20 s), and a client sends again before (RFC 5080 §2.2.1).
  patience: seconds(30),
  // RFC 5080 §2.2.2: servers keep a response for those who ask again; 5 to 30 seconds.
  linger: seconds(5),
};

function request(payload: Uint8Array, client: Address, settings: Settings): Request | string {
  const packet = readPacket(payload);
  if (typeof packet === "string") return packet;
  const { code, id } = packet;
  if (!isRequest(code)) return "not-a-request";
  // RFC 5080 §2.2.2: a retransmission has the same identifier and authenticator.
  const common = { code, same: `${id} ${authenticator(payload)}`, ids: [`${id}`] };
  if (FROM_CLIENT.has(code)) {
    const affinity = affinityOf(payload, packet, client, settings);
    return { ...common, affinity, ...conversationOf(payload, packet, client) };
  }
  return { ...common, affinity: null, to: nasOf(payload, packet) };
}

function reply(payload: Uint8Array, client: Address): Reply | string {
  const packet = readPacket(payload);
  if (typeof packet === "string") return packet;
  const { code, id } = packet;
  if (!isReply(code)) return "not-a-reply";
  const state = code === Code.AccessChallenge ? attribute(payload, packet, Attribute.State) : null;
  if (state === null) return { code, id: `${id}` };
  return { code, id: `${id}`, remember: [stateKey(client, state)], ttl: CHALLENGE };
}

/** RFC 2865 §5.24: State goes back, as it is, to the server that gave it. */
function affinityOf(payload: Uint8Array, packet: Packet, client: Address, { key }: Settings): Affinity | null {
  const state = attribute(payload, packet, Attribute.State);
  const session = key === undefined || packet.code === Code.StatusServer ? null : sessionKey(payload, packet, key);
  const recall = state === null ? [] : [stateKey(client, state)];
  if (session === null) return state === null ? null : { recall };
  return { recall: [...recall, session], hash: session, remember: [session], ttl: SESSION };
}

/** A user's requests of one conversation follow each other: who is asked for more says so with the same name. */
function conversationOf(payload: Uint8Array, packet: Packet, client: Address): Pick<Request, "conversation"> {
  const user = attribute(payload, packet, Attribute.UserName);
  if (user === null) return {};
  const continues = attribute(payload, packet, Attribute.State) !== null;
  return { conversation: { key: `user ${client} ${user}`, continues } };
}

/** By the first of `names` that the packet has. */
function sessionKey(payload: Uint8Array, packet: Packet, names: readonly string[]): string | null {
  for (const name of names) {
    const value = attribute(payload, packet, KEYS[name]!);
    if (value !== null) return `key ${name} ${value}`;
  }
  return null;
}

const stateKey = (client: Address, state: string): string => `state ${client} ${state}`;

/** The NAS that a Disconnect or CoA is for, by its address (RFC 5176 §3); null: it is named otherwise. */
function nasOf(payload: Uint8Array, packet: Packet): Address | null {
  const four = attribute(payload, packet, Attribute.NasIpAddress);
  if (four?.length === 4) return Address.fromBytes(bytesOf(four), 0, 4);
  const six = attribute(payload, packet, Attribute.NasIpv6Address);
  return six?.length === 16 ? Address.fromBytes(bytesOf(six), 0, 6) : null;
}
