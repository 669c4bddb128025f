/** The values that stand after ipvsadm's options, and in the configurations that go with it. */
import { type SchedulerName, schedulerNames } from "../../core/schedule/scheduler.ts";
import type { Transport } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { quote } from "../config/problem.ts";
import { type RealServer, schedulerOf, type VirtualService } from "./rule.ts";
import { Trouble, type Word } from "./trouble.ts";

/** ipvsadm's: 360 s. */
export const DEFAULT_PERSISTENCE = 360;
const LONGEST_PERSISTENCE = 31 * 24 * 3600;

export function wholeNumber(word: Word, what: string, least: number, most: number): number {
  const value = /^\d{1,10}$/.test(word.text) ? Number(word.text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new Trouble(word, `${quote(word.text)} is no ${what}`, `write a whole number from ${least} to ${most}`);
}

/** No longer than Kindred's timers run. */
export const persistenceOf = (word: Word): number => wholeNumber(word, "number of seconds", 1, LONGEST_PERSISTENCE - 1);

export const weightOf = (word: Word): number => wholeNumber(word, "weight", 0, 65535);

export function addressOf(word: Word): Address {
  const address = Address.parse(word.text);
  if (address !== null) return address;
  const remedy = "write the address itself: names are not looked up (ipvsadm -S -n writes numbers)";
  throw new Trouble(word, `${quote(word.text)} is no IP address`, remedy);
}

/** `192.0.2.1:21`, `[2001:db8::1]:21`, an address alone. */
export function hostPortOf(word: Word): { address: Address; port: number } {
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/.exec(word.text);
  const host = match === null ? word.text : (match[1] ?? match[2]!);
  const address = addressOf({ ...word, text: host });
  if (match?.[3] === undefined) return { address, port: 0 };
  const column = word.column + word.text.length - match[3].length;
  return { address, port: wholeNumber({ ...word, text: match[3], column }, "port", 0, 65535) };
}

export const virtualOf = (transport: Transport, word: Word): VirtualService => ({ transport, ...hostPortOf(word) });

export const markOf = (word: Word, family: 4 | 6): VirtualService => ({
  mark: wholeNumber(word, "firewall mark", 1, 0xffffffff),
  family,
});

export const realOf = (word: Word): RealServer => hostPortOf(word);

const BY_DESTINATION: readonly string[] = ["dh", "lblc", "lblcr"];

export function schedulerIn(word: Word): SchedulerName {
  const name = schedulerOf(word.text);
  const scheduler = schedulerNames.find((known) => known === name && word.text !== "maglev");
  if (scheduler !== undefined) return scheduler;
  if (BY_DESTINATION.includes(word.text)) {
    const message = `${word.text} chooses by the packet's destination, for caches; a service here has one, its VIP`;
    throw new Trouble(word, message, "write sh to keep clients together, wlc to share the load");
  }
  const known = schedulerNames.map((one) => (one === "maglev" ? "mh" : one)).join(", ");
  const remedy = word.text === "twos" ? "write wlc" : `write one of ${known}`;
  throw new Trouble(word, `${quote(word.text)} is no scheduler that there is here`, remedy);
}

/** A dotted mask (IPv4) or a number of bits (IPv6); null when each client is by itself. */
export function netmaskOf(word: Word, family: 4 | 6): number | null {
  const most = family === 4 ? 32 : 128;
  const mask = family === 4 ? Address.parse(word.text) : null;
  if (mask === null) {
    const bits = wholeNumber(word, "netmask", 1, most);
    return bits === most ? null : bits;
  }
  const bits = prefixLength(mask.words[3]);
  if (bits === null || bits === 0) {
    throw new Trouble(word, `${quote(word.text)} is no netmask`, "write ones before zeros, as in 255.255.255.0");
  }
  return bits === most ? null : bits;
}

function prefixLength(mask: number): number | null {
  const bits = Math.clz32(~mask);
  return mask === (bits === 0 ? 0 : (0xffffffff << (32 - bits)) >>> 0) ? bits : null;
}

/** 24 as 255.255.255.0. */
export const maskText = (bits: number): string => Address.ipv4((0xffffffff << (32 - bits)) >>> 0).toString();
