/** Both sides of the director as a pcapng file: two interfaces, a comment on each packet. */
import {
  enhancedPacket,
  interfaceDescription,
  LINK_TYPE_RAW,
  sectionHeader,
} from "../../../core/wire/capture/writer.ts";
import type { Passing } from "./captured.ts";

/** What comes before the packets. */
export const opening = (): readonly Uint8Array[] => [
  sectionHeader(),
  interfaceDescription(LINK_TYPE_RAW, "client-side"),
  interfaceDescription(LINK_TYPE_RAW, "realserver-side"),
];

export const written = (passing: Passing): Uint8Array =>
  enhancedPacket(passing.side, passing.seconds, passing.nanoseconds, passing.packet, commentOf(passing));

function commentOf({ came, frame, reason, decisions }: Passing): string {
  const head = came ? `frame ${frame}: ${reason}` : `sent by the director after frame ${frame}`;
  return [head, ...decisions.map(({ outcome, message }) => `${outcome}: ${message}`)].join("\n");
}
