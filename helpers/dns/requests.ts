/** Queries and their answers, one by one. */
import type { Affinity, Reply, Request, Requests, Settings } from "../../core/helper/api.ts";
import { ms, seconds } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import { u16 } from "../../core/wire/bytes.ts";
import { HEADER, type Header, LONGEST_OPENING, Opcode, PREFIX, readHeader, readQuestion } from "./wire.ts";

/** A client that got a truncated answer opens its TCP connection at once. */
const RETRY = seconds(30);

export const requests: Requests = {
  request: (payload, client, settings) => requestAt(payload, 0, payload.length, client, settings),
  reply,
  opening,
  // Resolvers give up after 5 to 10 seconds (resolv.conf(5), RFC 1536 §1).
  patience: seconds(10),
  linger: ms(0),
};

function requestAt(
  bytes: Uint8Array,
  start: number,
  end: number,
  client: Address,
  settings: Settings,
): Request | string {
  const header = readHeader(bytes.subarray(start, end));
  if (typeof header === "string") return header;
  if (header.reply) return "not-a-query";
  const { id, opcode } = header;
  const question = questionOf(header, bytes, start + HEADER, end);
  return {
    code: opcode,
    // Of two queries with one id, the question tells the answers apart.
    same: `${id} ${opcode} ${question ?? ""}`,
    ids: question === null ? [`${id}`] : [`${id} ${question}`, `${id}`],
    affinity: affinityOf(opcode, question, client, settings),
  };
}

function reply(payload: Uint8Array, client: Address): Reply | string {
  const header = readHeader(payload);
  if (typeof header === "string") return header;
  if (!header.reply) return "not-an-answer";
  const { id, rcode, truncated } = header;
  const question = questionOf(header, payload, HEADER, payload.length);
  // Errors may come without their question (RFC 1035 §7.3 leaves it open): the id then decides.
  const answer: Reply = { code: rcode, id: question === null ? `${id}` : `${id} ${question}` };
  if (!truncated || question === null) return answer;
  return { ...answer, remember: [retryKey(client, question)], ttl: RETRY };
}

/** The first query of a TCP connection, as soon as its question is there. */
function opening(bytes: Uint8Array, client: Address, settings: Settings): Request | string | null {
  if (bytes.length < PREFIX) return null;
  const length = u16(bytes, 0);
  if (length < HEADER) return "short-header";
  const end = Math.min(PREFIX + length, LONGEST_OPENING);
  return bytes.length < end ? null : requestAt(bytes, PREFIX, end, client, settings);
}

/** Null: none, or none that can be read. The message passes all the same: what is in it is for its receiver to judge. */
export function questionOf({ questions }: Header, bytes: Uint8Array, at: number, end: number): string | null {
  if (questions === 0) return null;
  const question = readQuestion(bytes, at, end);
  return typeof question === "string" ? null : question.text;
}

function affinityOf(opcode: number, question: string | null, client: Address, settings: Settings): Affinity | null {
  const { primary } = settings;
  if (primary !== undefined && (opcode === Opcode.NOTIFY || opcode === Opcode.UPDATE)) {
    return { recall: [], only: primary };
  }
  return question === null ? null : { recall: [retryKey(client, question)] };
}

const retryKey = (client: Address, question: string): string => `tc ${client} ${question}`;
