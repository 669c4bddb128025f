/** What a row of the flow table says, in words of connections. */
import { endpointText } from "../../../core/units.ts";
import { A, B, type End, type Flows, UNKNOWN } from "../flows.ts";
import type { Related } from "../match.ts";
import type { Unreachable } from "../unreachables.ts";
import type { Scene } from "./finding.ts";

const FIN = 1;
export const SYN = 2;
const RST = 4;
const PSH = 8;
const ACK = 16;

const ends = new WeakMap<Flows, number>();

/** When the last packet of the capture was sent. Every flow is asked, once. */
export function endOf(flows: Flows): number {
  const known = ends.get(flows);
  if (known !== undefined) return known;
  const end = flows.end();
  ends.set(flows, end);
  return end;
}

export const otherEnd = (end: End): End => (end === A ? B : A);

/** Who listens on a connection whose SYN was captured. */
export const listenerOf = (flows: Flows, row: number): End | null =>
  flows.listener(row) === UNKNOWN ? null : (flows.listener(row) as End);

export const wasClosed = (flows: Flows, row: number): boolean =>
  ((flows.flagsOf(row, A) | flows.flagsOf(row, B)) & (FIN | RST)) !== 0;

export const wasReset = (flows: Flows, row: number): boolean =>
  ((flows.flagsOf(row, A) | flows.flagsOf(row, B)) & RST) !== 0;

export const wasResetBy = (flows: Flows, row: number, end: End): boolean => (flows.flagsOf(row, end) & RST) !== 0;

/** Who reset it; null: nobody. */
export const resetterOf = (flows: Flows, row: number): End | null =>
  ([A, B] as const).find((end) => wasResetBy(flows, row, end)) ?? null;

/** What one end sent and nobody captured, though smaller segments behind it were. */
interface Hole {
  readonly sender: End;
  /** Where the last payload that was captured begins: so many bytes are before it, and fewer came. */
  readonly offset: number;
}

/** More than a sender sends that hears of no byte's arrival. */
const MOST_UNHEARD = 1 << 20;

/** Of a connection on which one end alone sent, and no large segment of it came. */
export function holeIn(flows: Flows, row: number): Hole | null {
  const sender = ([A, B] as const).find((end) => (flows.flagsOf(row, end) & PSH) !== 0);
  if (sender === undefined || (flows.flagsOf(row, otherEnd(sender)) & PSH) !== 0) return null;
  const syn = flows.beginning(row, sender);
  if (syn === null) return null;
  const offset = (flows.lastSequence(row) - syn - 1) >>> 0;
  return offset >= flows.bytes(row) && offset < MOST_UNHEARD ? { sender, offset } : null;
}

/** A SYN was captured, and of its listener nothing, or only a reset. */
export function unanswered(flows: Flows, row: number): "silence" | "reset" | null {
  const listener = listenerOf(flows, row);
  if (!flows.isTcp(row) || listener === null) return null;
  const opener = flows.flagsOf(row, otherEnd(listener));
  const answer = flows.flagsOf(row, listener);
  // Whoever acknowledges has been answered, captured or not.
  if ((opener & SYN) === 0 || (opener & ACK) !== 0 || (answer & SYN) !== 0) return null;
  if (flows.framesOf(row, listener) === 0) return "silence";
  return (answer & RST) !== 0 ? "reset" : null;
}

/** What became of a SYN that has no answer of its own. */
export function answerText(scene: Scene, row: number, how: "silence" | "reset"): string {
  const icmp = icmpText(scene, row, otherEnd(listenerOf(scene.flows, row) ?? B));
  if (icmp !== "") return `answered${icmp}`;
  const tries = scene.flows.frames(row);
  return how === "reset" ? "answered by a reset" : `not answered (${tries} frame${tries === 1 ? "" : "s"})`;
}

/** ` by ICMP: port unreachable, from 10.0.0.1 in frame 9`, where something `end` sent was; else nothing. */
export function icmpText(scene: Scene, row: number, end: End): string {
  const found = scene.unreachables.of(...endsFrom(scene.flows, row, end));
  return found === undefined ? "" : ` by ICMP: ${saidBy(found)}`;
}

/** `; ICMP says: too big ...` where something `end` sent was larger than a link on its way lets pass; else nothing. */
export function icmpTooBigText(scene: Scene, row: number, end: End): string {
  const found = scene.unreachables.tooBig(...endsFrom(scene.flows, row, end));
  return found === undefined ? "" : `; ICMP tells it why: ${saidBy(found)}`;
}

const saidBy = ({ reason, by, frame }: Unreachable): string => `${reason}, from ${by} in frame ${frame}`;

/** The ends of what `end` sends. */
function endsFrom(flows: Flows, row: number, end: End) {
  const to = otherEnd(end);
  return [flows.address(row, end), flows.port(row, end), flows.address(row, to), flows.port(row, to)] as const;
}

/** `227 (192.0.2.1:5001)` */
export const saidText = ({ observed, to }: Related): string => `${observed.announcement.said} (${endpointText(to)})`;

export const endText = (flows: Flows, row: number, end: End): string =>
  endpointText({ address: flows.address(row, end), port: flows.port(row, end) });

/** `10.0.0.5:40001 -> 192.0.2.1:5001`, the opener first where it is known. */
export function flowText(flows: Flows, row: number): string {
  const listener = listenerOf(flows, row) ?? B;
  return `${endText(flows, row, otherEnd(listener))} -> ${endText(flows, row, listener)}`;
}

export const secondsText = (seconds: number): string =>
  seconds >= 120 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds)} s`;
