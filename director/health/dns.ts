/** DNS: the SOA of a zone (RFC 1035 §4.1), and whether its serial is that of the authoritative server. */
import { Buffer } from "node:buffer";
import { port } from "../../core/units.ts";
import { type Check, GOOD, type Target, type Verdict } from "./check.ts";
import { ask } from "./udp.ts";

const DNS_PORT = port(53);
const HEADER = 12;
const SOA = 6;
const INTERNET = 1;
const RECURSION_DESIRED = 0x0100;
/** Of one server there is one question at a time, on a socket of its own. */
const ID = 0x4b69;

export const dns: Check = async (target, signal) => {
  const { authority, zone } = target.check;
  const question = soaQuestion(zone!);
  const [answered, serial] = await askFor(target, question, signal);
  if (answered !== GOOD || authority === null) return answered;
  const [reached, current] = await askFor({ ...target, address: authority, port: DNS_PORT }, question, signal);
  // Who says what is right cannot be asked: no fault of the realserver's.
  if (reached !== GOOD) return GOOD;
  return serial === current ? GOOD : "old-serial";
};

async function askFor(target: Target, message: Buffer, signal: AbortSignal): Promise<[Verdict, number | null]> {
  let serial: number | null = null;
  const verdict = await ask(target, signal, {
    message,
    heard: (answer) => {
      if (answer.length < HEADER || answer.readUInt16BE(0) !== ID || (answer[2]! & 0x80) === 0) return "not-dns";
      const code = answer[3]! & 15;
      if (code !== 0) return `rcode-${code}`;
      serial = serialIn(answer);
      return serial === null ? "no-soa" : GOOD;
    },
  });
  return [verdict, serial];
}

function soaQuestion(zone: string): Buffer {
  const labels = zone.split(".").filter((label) => label !== "");
  const name = labels.map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label, "latin1")]));
  const head = Buffer.alloc(HEADER);
  head.writeUInt16BE(ID, 0);
  head.writeUInt16BE(RECURSION_DESIRED, 2);
  head.writeUInt16BE(1, 4);
  return Buffer.concat([head, ...name, Buffer.of(0, 0, SOA, 0, INTERNET)]);
}

/** The serial of the first SOA of an answer, wherever it stands; null: there is none, or the message is cut. */
function serialIn(message: Buffer): number | null {
  const questions = message.readUInt16BE(4);
  const records = message.readUInt16BE(6) + message.readUInt16BE(8);
  let at: number | null = HEADER;
  for (let i = 0; i < questions && at !== null; i++) {
    const end: number | null = afterName(message, at);
    at = end === null ? null : end + 4;
  }
  for (let i = 0; i < records && at !== null; i++) {
    const fixed: number | null = afterName(message, at);
    if (fixed === null || fixed + 10 > message.length) return null;
    const data: number = fixed + 10;
    if (message.readUInt16BE(fixed) === SOA) return soaSerial(message, data);
    at = data + message.readUInt16BE(fixed + 8);
  }
  return null;
}

function soaSerial(message: Buffer, data: number): number | null {
  const primary = afterName(message, data);
  const mailbox = primary === null ? null : afterName(message, primary);
  return mailbox === null || mailbox + 4 > message.length ? null : message.readUInt32BE(mailbox);
}

/** Where a name ends: at its root, or after a pointer (RFC 1035 §4.1.4). */
function afterName(message: Buffer, start: number): number | null {
  for (let at = start; at < message.length; ) {
    const length = message[at]!;
    if (length === 0) return at + 1;
    if (length >= 0xc0) return at + 2 <= message.length ? at + 2 : null;
    if (length > 63) return null;
    at += 1 + length;
  }
  return null;
}
