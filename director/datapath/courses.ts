/** Sockets for two flows side by side (RTP, RTCP): a pair towards the client, and one towards the realserver. */
import type { Socket } from "node:dgram";
import type { Direction, Ms } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import { now } from "../clock.ts";
import type { DatagramPorts } from "./datagram-ports.ts";

/** One of the two flows: its sockets, by the side whose datagrams come in there. */
export class Course {
  readonly sockets: Readonly<Record<Direction, Socket>>;
  /** Shared with the flow beside it. */
  readonly activity: { last: Ms };
  #state: "free" | "taken" | "closed" = "free";
  #beside: Course | null = null;

  constructor(sockets: Course["sockets"], beside: Course | null) {
    this.sockets = sockets;
    this.activity = beside?.activity ?? { last: now() };
    this.#beside = beside;
    if (beside !== null) beside.#beside = this;
  }

  /** False: it is closed already. */
  take(): boolean {
    if (this.#state === "free") this.#state = "taken";
    return this.#state === "taken";
  }

  /** With it goes the one beside it, if nobody took that. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    for (const socket of Object.values(this.sockets)) socket.close();
    if (this.#beside !== null && this.#beside.#state === "free") this.#beside.close();
  }
}

/** Both, or none where ports cannot be had. */
export async function openCourses(
  ports: DatagramPorts,
  at: Readonly<Record<Direction, Address>>,
): Promise<readonly Course[]> {
  const [original, reply] = await Promise.all([ports.openPair(at.original), ports.openPair(at.reply)]);
  if (original === null || reply === null) {
    for (const socket of [...(original ?? []), ...(reply ?? [])]) socket.close();
    return [];
  }
  const lower = new Course({ original: original[0], reply: reply[0] }, null);
  return [lower, new Course({ original: original[1], reply: reply[1] }, lower)];
}
