/** Whether what was announced was opened, and let through; and what the server itself says of that. */
import { endpointText } from "../../../core/units.ts";
import type { Flows } from "../flows.ts";
import type { Related } from "../match.ts";
import type { Transfer } from "../transfers.ts";
import { type Finding, finding, type NumberedControl, type Scene } from "./finding.ts";
import {
  answerText,
  endOf,
  endText,
  flowText,
  holeIn,
  listenerOf,
  otherEnd,
  resetterOf,
  secondsText,
  unanswered,
  wasClosed,
} from "./flow.ts";
import { Strays } from "./strays.ts";

/** Whoever has not opened it by then will not, or waits for something. */
const AT_ONCE_SECONDS = 1;

/** A transfer that has something to send begins sooner. */
const SILENT_SECONDS = 10;

/** RFC 959 §5.4: what says that the data connection is what failed. */
const DATA_FAILED: ReadonlySet<number> = new Set([421, 425, 426]);

const NOT_CAPTURED =
  "Capture without a filter for the control port, and where both connections pass; nothing has failed here.";

const NO_TRANSFERS: ReadonlyMap<Related, Transfer> = new Map();

/** The transfer that each announcement was made for: of those before the server's answer the last. */
export function transfersBy({ control, related }: NumberedControl): ReadonlyMap<Related, Transfer> {
  if (control.transfers.length === 0) return NO_TRANSFERS;
  const found = new Map<Related, Transfer>();
  let next = 0;
  let last: Related | null = null;
  for (const transfer of control.transfers) {
    const until = transfer.answered || transfer.asked;
    while (next < related.length && related[next]!.observed.frame <= until) last = related[next++]!;
    if (last !== null && !found.has(last)) found.set(last, transfer);
  }
  return found;
}

/** A server that refuses the command needs no connection, nor opens one that no command asks for. */
function isSpared({ observed: { announcement } }: Related, transfer: Transfer | undefined): boolean {
  if (transfer === undefined) return announcement.kind === "ftp-active" || announcement.kind === "ftp-eprt";
  return transfer.code > 0 && !transfer.begun && !DATA_FAILED.has(transfer.code);
}

export const wasDone = (transfer: Transfer | undefined): boolean =>
  transfer?.begun === true && transfer.code > 0 && transfer.code < 300;

/** The server had begun, or says that it could not because of the connection. */
const isFailed = ({ code, begun }: Transfer): boolean => code >= 400 && (begun || DATA_FAILED.has(code));

/** How long a connection that was opened carried nothing at all, in seconds. */
function silenceOf(flows: Flows, row: number): number {
  if (!flows.isTcp(row) || flows.bytes(row) > 0) return 0;
  return (wasClosed(flows, row) ? flows.lastTime(row) : endOf(flows)) - flows.firstTime(row);
}

/** `; 10.0.0.5:40001 reset it` */
function endedText(flows: Flows, row: number): string {
  const by = resetterOf(flows, row);
  return by === null ? "" : `; ${endText(flows, row, by)} reset it`;
}

/** `, the server says 425 in frame 12` */
export const saysText = (transfer: Transfer | undefined): string =>
  transfer === undefined || transfer.code === 0 ? "" : `; the server says ${transfer.code} in frame ${transfer.frame}`;

const NOTHING: readonly Finding[] = [];

/** Somebody waits for a connection that did not come, or was not let through. */
export class Openings {
  readonly #scene: Scene;
  readonly #flows: Flows;
  readonly #strays: Strays;

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#flows = scene.flows;
    this.#strays = new Strays(scene);
  }

  /** The control connection itself. One try in vain is anybody's port scan, and ident has a finding of its own. */
  ofControl({ id, control: { row, helper } }: NumberedControl): readonly Finding[] {
    const flows = this.#flows;
    if (helper.name === "ident" || unanswered(flows, row) !== "silence") return NOTHING;
    const stray = this.#strays.of(row);
    if (stray < 0 && flows.frames(row) < 2) return NOTHING;
    const message = `${flowText(flows, row)}, a control connection, was ${this.#answerText(row, "silence", stray)}`;
    const found = finding("opened-not-answered", "error", id, [flows.firstFrame(row)], message);
    return stray < 0 ? [found] : [found, this.#leaked(id, row, stray)];
  }

  of(numbered: NumberedControl, related: Related, transfer: Transfer | undefined): readonly Finding[] {
    if (related.flow < 0) return this.#unopened(numbered, related, transfer);
    if (unanswered(this.#flows, related.flow) !== null) return this.#refused(numbered, related, transfer);
    return transfer === undefined ? NOTHING : this.#inVain(numbered, related, transfer);
  }

  /** What was opened well, and did not help. A client that gives up ends a transfer, too. */
  #inVain({ id }: NumberedControl, related: Related, transfer: Transfer): readonly Finding[] {
    const flows = this.#flows;
    const { observed, flow } = related;
    const { code, begun, aborted } = transfer;
    const failed = isFailed(transfer);
    const isWaitedFor = code === 0 || aborted || failed;
    const silence = isWaitedFor ? silenceOf(flows, flow) : 0;
    const hole = isWaitedFor ? this.#holeFinding(id, related, transfer) : null;
    if (hole !== null) return [hole];
    if (silence < SILENT_SECONDS && (!failed || aborted)) return NOTHING;
    const frames = [observed.frame, flows.firstFrame(flow), transfer.answered, transfer.frame];
    const which = `${flowText(flows, flow)}, announced in frame ${observed.frame} (${observed.announcement.kind}), was opened`;
    if (silence >= SILENT_SECONDS) {
      const said = begun || code > 0 ? "" : "; the server has not answered the command";
      const message = `${which}, and nothing is sent on it for ${secondsText(silence)}${said}${saysText(transfer)}`;
      return [finding("opened-and-silent", "error", id, frames, message)];
    }
    const bytes = flows.bytes(flow);
    const message = `${which} and carried ${bytes} byte${bytes === 1 ? "" : "s"}${endedText(flows, flow)}${saysText(transfer)}`;
    return [finding("transfer-failed", "error", id, frames, message)];
  }

  /** Small segments alone came, from behind others that did not. */
  #holeFinding(id: number, { observed, flow }: Related, transfer: Transfer): Finding | null {
    const flows = this.#flows;
    const hole = holeIn(flows, flow);
    if (hole === null) return null;
    // A reset is no word of whoever gives up: what was heard before it, was of the other end.
    const by = resetterOf(flows, flow);
    const until = by === null ? endOf(flows) : flows.lastTime(flow);
    if (until - flows.lastTimeOf(flow, by === null ? hole.sender : otherEnd(by)) < SILENT_SECONDS) return null;
    const [sender, bytes] = [endText(flows, flow, hole.sender), flows.bytes(flow)];
    const message =
      `${flowText(flows, flow)}, announced in frame ${observed.frame} (${observed.announcement.kind}), was opened; of what ${sender} sends ` +
      `${bytes} byte${bytes === 1 ? "" : "s"} came in small segments, the last from ${hole.offset} bytes behind its beginning, and no large one${saysText(transfer)}`;
    const frames = [observed.frame, flows.firstFrame(flow), flows.lastFrame(flow), transfer.frame];
    return finding("path-mtu-black-hole", "error", id, frames, message);
  }

  #refused({ id }: NumberedControl, related: Related, transfer: Transfer | undefined): readonly Finding[] {
    const flows = this.#flows;
    const { observed, flow } = related;
    const how = unanswered(flows, flow)!;
    const { frame, announcement } = observed;
    const stray = this.#strays.of(flow);
    const message =
      `${flowText(flows, flow)}, announced in frame ${frame} (${announcement.kind}), ` +
      `was ${this.#answerText(flow, how, stray)}${saysText(transfer)}`;
    const frames = [frame, flows.firstFrame(flow), transfer?.frame ?? 0];
    const found = finding("opened-not-answered", "error", id, frames, message);
    return stray < 0 ? [found] : [found, this.#leaked(id, flow, stray)];
  }

  #answerText(row: number, how: "silence" | "reset", stray: number): string {
    const flows = this.#flows;
    return stray < 0
      ? answerText(this.#scene, row, how)
      : `answered by ${endText(flows, stray, listenerOf(flows, stray)!)} instead`;
  }

  /** Whose answer went past the director. */
  #leaked(id: number, row: number, stray: number): Finding {
    const flows = this.#flows;
    const other = endText(flows, stray, listenerOf(flows, stray)!);
    const message = `the SYN of ${flowText(flows, row)} is answered by ${other}, which its sender does not know`;
    return finding("realserver-leaked", "error", id, [flows.firstFrame(row), flows.firstFrame(stray)], message);
  }

  #unopened(numbered: NumberedControl, related: Related, transfer: Transfer | undefined): readonly Finding[] {
    const { observed, to } = related;
    const { frame, state, announcement } = observed;
    if (state === "rejected" || state === "unanswered" || announcement.transport === "udp") return NOTHING;
    if (isSpared(related, transfer)) return NOTHING;
    const { id } = numbered;
    const announced = `${announcement.kind} ${endpointText(to)} was announced in frame ${frame}`;
    const frames = [frame, transfer?.frame ?? 0];
    if (wasDone(transfer)) {
      const message = `${announced}, and the connection is not in the capture${saysText(transfer)}`;
      return [finding("announced-not-opened", "info", id, frames, message, NOT_CAPTURED)];
    }
    const over = this.#isOver(numbered, frame);
    const opener = announcement.opener === "reply" ? "server" : "client";
    const message = over
      ? `${announced}, where the capture of this connection ends`
      : `${announced}, and the ${opener} never opened it${saysText(transfer)}`;
    return [finding("announced-not-opened", over ? "info" : "error", id, frames, message)];
  }

  /** The capture ends before anybody could have done anything about what was announced in `frame`. */
  #isOver({ control: { row, transport, transcript } }: NumberedControl, frame: number): boolean {
    const flows = this.#flows;
    if (transport === "udp") return flows.lastFrame(row) <= frame;
    return transcript.saidFrame <= frame && !wasClosed(flows, row) && this.#endsWith(row);
  }

  #endsWith(row: number): boolean {
    return endOf(this.#flows) - this.#flows.lastTime(row) < AT_ONCE_SECONDS;
  }
}
