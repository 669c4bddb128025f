/** ARP over Ethernet (RFC 826): one question, and the answers to it. */
import { Address } from "../../core/wire/address.ts";

export const ETHERTYPE_ARP = 0x0806;
const HEADER = 14;
const LENGTH = 28;
const REQUEST = 1;
const REPLY = 2;
/** Ethernet, IPv4, their addresses' lengths. */
const KIND = [0, 1, 8, 0, 6, 4];

/** `own`, `asker`: who asks; 0.0.0.0 where the device has no address (RFC 5227 §1.1). */
export function arpRequest(own: Uint8Array, asker: Address, target: Address): Uint8Array {
  const frame = new Uint8Array(HEADER + LENGTH);
  const view = new DataView(frame.buffer);
  frame.fill(0xff, 0, 6);
  frame.set(own, 6);
  view.setUint16(12, ETHERTYPE_ARP);
  frame.set(KIND, HEADER);
  view.setUint16(HEADER + 6, REQUEST);
  frame.set(own, HEADER + 8);
  view.setUint32(HEADER + 14, asker.words[3]);
  view.setUint32(HEADER + 24, target.words[3]);
  return frame;
}

/** Whose hardware address a frame says that `target` has; null: it says nothing of it. */
export function answeredBy(frame: Uint8Array, target: Address): string | null {
  if (frame.length < HEADER + LENGTH) return null;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (view.getUint16(12) !== ETHERTYPE_ARP || KIND.some((byte, i) => frame[HEADER + i] !== byte)) return null;
  if (view.getUint16(HEADER + 6) !== REPLY || !Address.fromBytes(frame, HEADER + 14, 4).equals(target)) return null;
  return hardwareText(frame.subarray(HEADER + 8, HEADER + 14));
}

export const hardwareText = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");

/** Null: no hardware address of Ethernet. */
export function hardwareBytes(text: string): Uint8Array | null {
  if (!/^([\da-f]{2}:){5}[\da-f]{2}$/i.test(text)) return null;
  return Uint8Array.from(text.split(":"), (part) => Number.parseInt(part, 16));
}
