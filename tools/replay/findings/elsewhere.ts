/** Addresses that are not their speaker's own: announced, and what came from them or went past them. */
import type { Address } from "../../../core/wire/address.ts";
import type { Flows } from "../flows.ts";
import type { Related } from "../match.ts";
import type { Transfer } from "../transfers.ts";
import { type Finding, finding, type NumberedControl, REMEDIES, type Scene, type Severity } from "./finding.ts";
import { answerText, flowText, listenerOf, saidText, unanswered } from "./flow.ts";
import { saysText, wasDone } from "./opening.ts";

/** Announced, and not the speaker's own address. */
export const isForeign = ({ observed: { refusal } }: Related): boolean =>
  refusal === "bounce" || refusal === "family-mismatch";

/**
 * What matters of what was announced. Of several names for one end (XDMCP's addresses) one does: the one that was used, else
 * the one that is let in, else the first.
 */
export function mattering(related: readonly Related[]): readonly Related[] {
  if (!related.some(({ observed: { announcement } }) => announcement.either === true)) return related;
  const bundles = new Map<unknown, Related[]>();
  for (const one of related) {
    const bundle = one.observed.announcement.either === true ? one.observed.message : one;
    bundles.set(bundle, [...(bundles.get(bundle) ?? []), one]);
  }
  return [...bundles.values()].map(
    (names) => names.find(({ flow }) => flow >= 0) ?? names.find((one) => !isForeign(one)) ?? names[0]!,
  );
}

/** Its speaker said its own address, too, as another name for the same end. */
function isSpared(one: Related, related: readonly Related[]): boolean {
  const { announcement, message } = one.observed;
  return (
    announcement.either === true && related.some((other) => other.observed.message === message && !isForeign(other))
  );
}

const OTHER_PROTOCOL = {
  reply: "Have a helper rewrite it, or let the server announce the address that its clients reach it at.",
  original:
    "Have a helper on the client's side rewrite it, or let the client announce the address that it is reached at; directors refuse others.",
} as const;

/** An address that is not the speaker's own. `detour`: the connection that was opened to the speaker instead, or -1. */
export function* elsewhere(
  scene: Scene,
  { id, control, related: all }: NumberedControl,
  related: Related,
  detour: number,
  transfer: Transfer | undefined,
): Generator<Finding> {
  const { flows } = scene;
  const { observed, to, flow } = related;
  const { speaker, frame } = observed;
  const own = speaker === "reply" ? control.server.address : control.client.address;
  const isInner = isPrivate(to.address) && !isPrivate(own);
  const isUsual = isMedia(related) && !isInner && flow >= 0;
  // RTCP goes where RTP goes.
  if (isUsual || observed.announcement.kind.endsWith("-rtcp") || isSpared(related, all)) return;
  const severity = severityOf(flows, related, detour, isInner, transfer);
  const frames = [frame, detour >= 0 ? flows.firstFrame(detour) : null, transfer?.frame ?? null];
  const who = speaker === "reply" ? "server" : "client";
  const message = `${saidText(related)} in frame ${frame} names ${to.address}, the ${who} is ${own}; ${cameText(scene, flow, detour)}${saysText(transfer)}`;
  const code = speaker === "reply" ? "reply-names-another-address" : "command-names-another-address";
  const remedy = control.helper.name === "ftp" ? REMEDIES[code] : OTHER_PROTOCOL[speaker];
  yield finding(code, severity, id, frames, message, remedy);
  // A private address behind one that is not, or one that is reached besides the server's.
  if (speaker === "reply" && isPrivate(to.address) && (isInner || flow >= 0)) {
    const leaked = `${saidText(related)} in frame ${frame} tells the client the inner address ${to.address} behind ${own}`;
    yield finding("realserver-leaked", severity, id, frames, leaked);
  }
}

/** Media usually go past proxies: their address says something only where it cannot be reached. */
const isMedia = ({ control }: Related): boolean => control.helper.name === "sip";

function severityOf(
  flows: Flows,
  related: Related,
  detour: number,
  isInner: boolean,
  transfer: Transfer | undefined,
): Severity {
  const worked = detour >= 0 ? unanswered(flows, detour) === null : related.flow >= 0 || wasDone(transfer);
  if (worked) return "warning";
  return isMedia(related) && !isInner ? "info" : "error";
}

function cameText(scene: Scene, flow: number, detour: number): string {
  const { flows } = scene;
  if (detour >= 0) {
    const how = unanswered(flows, detour);
    const answer = how === null ? "" : `, which was ${answerText(scene, detour, how)}`;
    return `the client ignored that and opened ${flowText(flows, detour)}${answer}`;
  }
  return flow >= 0
    ? `a connection to it was seen from frame ${flows.firstFrame(flow)}`
    : "no connection to it was seen";
}

/** RFC 1918, RFC 4193, RFC 3927, RFC 4291 §2.5.6. */
function isPrivate({ words, family }: Address): boolean {
  const last = words[3]!;
  if (family === 6) return words[0]! >>> 25 === 0x7e || words[0]! >>> 22 === 0x3fa;
  return last >>> 24 === 10 || last >>> 20 === 0xac1 || last >>> 16 === 0xc0a8 || last >>> 16 === 0xa9fe;
}

/** Connections to the speaker's own address that were opened instead of to the one announced. */
export class Detours {
  readonly #byPort = new Map<number, number[]>();
  readonly #scene: Scene;

  constructor(scene: Scene) {
    this.#scene = scene;
    const { flows } = scene;
    for (const { related } of scene.controls) {
      for (const { observed, to } of related) if (observed.refusal === "bounce") this.#byPort.set(to.port, []);
    }
    if (this.#byPort.size === 0) return;
    for (const row of flows.having(this.#byPort.keys())) {
      const listener = flows.isTcp(row) ? listenerOf(flows, row) : null;
      if (listener !== null) this.#byPort.get(flows.port(row, listener))?.push(row);
    }
  }

  /** The row, or -1. */
  of({ control }: NumberedControl, { observed, to }: Related): number {
    const { flows } = this.#scene;
    if (observed.refusal !== "bounce") return -1;
    const own = observed.speaker === "reply" ? control.server.address : control.client.address;
    const rows = this.#byPort.get(to.port) ?? [];
    return (
      rows.find(
        (row) => flows.firstFrame(row) > observed.frame && flows.hasAddress(row, listenerOf(flows, row)!, own),
      ) ?? -1
    );
  }
}
