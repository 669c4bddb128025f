/** Keys of flows, for tests of the connection table. */
import { IPV6, KEY, KIND, PORTS } from "../../../core/flow/key.ts";
import { address } from "../../addresses.ts";

export interface Flow {
  readonly client: string;
  readonly clientPort: number;
  readonly virtual: string;
  readonly virtualPort: number;
  readonly real: string;
  readonly realPort: number;
  readonly protocol: number;
}

export const flow = (n: number, parts: Partial<Flow> = {}): Flow => ({
  client: `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`,
  clientPort: 40_000,
  virtual: "203.0.113.10",
  virtualPort: 80,
  real: "192.168.0.2",
  realPort: 8080,
  protocol: 6,
  ...parts,
});

export const flow6 = (n: number, parts: Partial<Flow> = {}): Flow =>
  flow(n, {
    client: `2001:db8::${(n >> 16).toString(16)}:${(n & 0xffff).toString(16)}`,
    virtual: "2001:db8:1::10",
    real: "fd00::2",
    ...parts,
  });

function key(source: string, sourcePort: number, destination: string, destinationPort: number, protocol: number) {
  const from = address(source);
  const to = address(destination);
  const words = new Int32Array(KEY);
  words.set([...from.words.slice(0, 3), ...to.words.slice(0, 3), from.words[3], to.words[3]]);
  if (from.family === 4) words.fill(0, 0, 6);
  words[PORTS] = (sourcePort << 16) | destinationPort;
  words[KIND] = protocol | (from.family === 6 ? IPV6 : 0);
  return words;
}

export const original = (f: Flow): Int32Array => key(f.client, f.clientPort, f.virtual, f.virtualPort, f.protocol);
export const reply = (f: Flow): Int32Array => key(f.real, f.realPort, f.client, f.clientPort, f.protocol);
export const realWords = (f: Flow): Int32Array => Int32Array.from(address(f.real).words);
