/** IP headers of packets that are made here. */
import type { Endpoint } from "../../../core/units.ts";
import { putU16, putU32 } from "../../../core/wire/bytes.ts";

const HOPS = 64;

export const ipLength = ({ address }: Endpoint): number => (address.family === 4 ? 20 : 40);

/** A header from one end to the other into `bytes`, without its checksum; `length`: of what follows it. Returns where that is. */
export function putIp(bytes: Uint8Array, from: Endpoint, to: Endpoint, protocol: number, length: number): number {
  const header = ipLength(from);
  bytes.fill(0, 0, header);
  if (header === 20) {
    bytes[0] = 0x45;
    putU16(bytes, 2, header + length);
    bytes[8] = HOPS;
    bytes[9] = protocol;
    putU32(bytes, 12, from.address.words[3]);
    putU32(bytes, 16, to.address.words[3]);
    return header;
  }
  bytes[0] = 0x60;
  putU16(bytes, 4, length);
  bytes[6] = protocol;
  bytes[7] = HOPS;
  for (let i = 0; i < 4; i++) {
    putU32(bytes, 8 + i * 4, from.address.words[i]!);
    putU32(bytes, 24 + i * 4, to.address.words[i]!);
  }
  return header;
}
