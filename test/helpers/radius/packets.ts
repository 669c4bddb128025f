/** RADIUS packets for tests. */
import { putU16 } from "../../../core/wire/bytes.ts";

export type Attributes = readonly (readonly [type: number, value: string | Uint8Array])[];

/** `fill`: the byte that its authenticator is made of. */
export function packet(code: number, id: number, attributes: Attributes = [], fill = id): Uint8Array {
  const parts = attributes.map(([type, value]) => {
    const bytes = Buffer.from(typeof value === "string" ? Buffer.from(value, "latin1") : value);
    return Buffer.concat([Buffer.from([type, bytes.length + 2]), bytes]);
  });
  const body = Buffer.concat([Buffer.alloc(20, fill), ...parts]);
  const bytes = new Uint8Array(body);
  bytes[0] = code;
  bytes[1] = id;
  putU16(bytes, 2, bytes.length);
  return bytes;
}

export const accessRequest = (id: number, attributes: Attributes = [[1, "bob"]], fill = id): Uint8Array =>
  packet(1, id, attributes, fill);
