/** Addresses and ports: those that may be announced, and those that may not. */
import { between, type Choices, pick } from "../choices.ts";
import type { Ends } from "./model.ts";

const FIRST_PORT = 1024;
const LAST_PORT = 0xffff;

/** Texts of different lengths, so that what is put in their place is shorter, longer and as long. */
const VIRTUALS = ["1.2.3.4", "203.0.113.210"];
const REALS = ["192.168.0.2", "10.1.1.2", "192.168.100.200"];
const IPV6: Ends = { client: "2001:db8::5", virtual: "2001:db8:1::21", real: "fd00::2" };
/** Nobody's of a dialogue. */
const STRANGERS = ["10.9.9.9", "8.8.8.8", "192.168.0.99", "127.0.0.1", "255.255.255.255", "224.0.0.1"];

export const CLIENT = "10.0.0.5";

export const isIpv6 = ({ real }: Ends): boolean => real.includes(":");

export const ends = (choices: Choices): Ends =>
  choices.below(8) === 7 ? IPV6 : { client: CLIENT, virtual: pick(choices, VIRTUALS), real: pick(choices, REALS) };

export const stranger = (choices: Choices, ends: Ends): string =>
  pick(choices, isIpv6(ends) ? ["2001:db8::99"] : STRANGERS);

/** A port that may be announced; its edges often. */
export function freePort(choices: Choices): number {
  const edge = choices.below(16);
  if (edge === 14) return FIRST_PORT;
  return edge === 15 ? LAST_PORT : between(choices, FIRST_PORT, LAST_PORT);
}

/** One that may not: 0 to 1023 (RFC 2577 §3). */
export const reservedPort = (choices: Choices): number => pick(choices, [21, 0, 1, 20, 22, 80, 255, 256, 1022, 1023]);

/** The six numbers of a host-port (RFC 959 §5.3.2). */
export const sixOf = (address: string, port: number): string[] => [
  ...address.split("."),
  String(port >> 8),
  String(port & 255),
];
