/**
 * `--explain`: for each announcement, refusal and port group its bytes, the rule, and what the helpers that people run today
 * would have made of it.
 */
import type { ObservedMessage } from "../../../core/inspect/observe.ts";
import { endpointText } from "../../../core/units.ts";
import type { Control } from "../control.ts";
import type { NumberedControl } from "../findings/finding.ts";
import type { Related } from "../match.ts";
import { ipVsFtp } from "./models/ip-vs-ftp.ts";
import { libalias } from "./models/libalias.ts";
import type { Judgement, Model, Opened } from "./models/model.ts";
import { nfConntrackFtp } from "./models/nf-conntrack-ftp.ts";
import { oldIpVsFtp } from "./models/old-ip-vs-ftp.ts";
import { messageText } from "./redact.ts";
import { groupRule, refusalRule, ruleOf } from "./rules.ts";

const MODELS: readonly Model[] = [ipVsFtp, oldIpVsFtp, nfConntrackFtp, libalias];
const USUAL_PORT = 21;

/**
 * - `opens`          the entry that was announced
 * - `opens-another`  an entry for something else
 * - `misses`         none
 * - `drops`          none, and the segment is dropped
 * - `unknown`        the segments were not kept
 */
export type Verdict = "opens" | "opens-another" | "misses" | "drops" | "unknown";

export interface HelperVerdict {
  readonly helper: string;
  readonly verdict: Verdict;
  readonly reason: string;
}

export interface Explanation {
  readonly control: number;
  readonly frame: number;
  readonly what: "announcement" | "refusal" | "group";
  /** A kind of announcement, the code of the refusal, or why there is a group. */
  readonly subject: string;
  /** Printable ASCII; the rest escaped, passwords struck out. */
  readonly bytes: string;
  readonly rule: string;
  /** Empty where none of them reads the protocol. */
  readonly helpers: readonly HelperVerdict[];
}

/** In the order of frames. */
export function explain({ id, control, related }: NumberedControl): Explanation[] {
  const judgements = judgementsOf(control);
  const common = (frame: number, message: ObservedMessage) => ({
    control: id,
    frame,
    bytes: messageText(control.helper.name, message.bytes),
  });
  const announced = related.map((one): Explanation => {
    const { announcement, message, frame } = one.observed;
    return {
      ...common(frame, message),
      what: "announcement",
      subject: announcement.kind,
      rule: ruleOf(announcement.kind, control.helper.sources),
      helpers: verdicts(control, judgements, message, toOf(one)),
    };
  });
  const refused = control.faults.map(
    ({ code, frame, message, source }): Explanation => ({
      ...common(frame, source),
      what: "refusal",
      subject: code,
      rule: refusalRule(control.helper.name, code, message),
      helpers: verdicts(control, judgements, source, toOf(related.find(({ observed }) => observed.message === source))),
    }),
  );
  const grouped = control.groups.map(
    ({ reason, frame, source }): Explanation => ({
      ...common(frame, source),
      what: "group",
      subject: reason,
      rule: groupRule(reason),
      helpers: [],
    }),
  );
  return [...announced, ...refused, ...grouped].sort((one, other) => one.frame - other.frame);
}

const toOf = (related: Related | undefined): Opened | null =>
  related === undefined ? null : { address: related.listener, port: related.to.port };

type Judgements = ReadonlyMap<Model, ReadonlyMap<number, Judgement>>;

function judgementsOf(control: Control): Judgements {
  if (control.helper.name !== "ftp") return new Map();
  const { said } = control.transcript;
  return new Map(
    MODELS.map((model) => [
      model,
      new Map(model.judge(control, said).map((judgement) => [judgement.frame, judgement])),
    ]),
  );
}

/** `to`: what was announced; null: nothing that could be. */
function verdicts(
  control: Control,
  judgements: Judgements,
  message: ObservedMessage,
  to: Opened | null,
): HelperVerdict[] {
  const { begun, complete, speaker } = message;
  const frames = control.transcript.said
    .filter(({ frame, direction }) => direction === speaker && frame >= begun && frame <= complete)
    .map(({ frame }) => frame);
  const told = control.server.port === USUAL_PORT ? "" : `told to read port ${control.server.port}, `;
  return [...judgements].map(([{ name }, byFrame]) => {
    const judged = frames.map((frame) => byFrame.get(frame)).filter((one) => one !== undefined);
    const { verdict, reason } = verdictOf(judged, to);
    return {
      helper: name,
      verdict,
      reason: name === "libalias" || verdict === "unknown" ? reason : `${told}${reason}`,
    };
  });
}

function verdictOf(judged: readonly Judgement[], to: Opened | null): Pick<HelperVerdict, "verdict" | "reason"> {
  const last = judged.at(-1);
  if (last === undefined) return { verdict: "unknown", reason: "its segments were not kept" };
  const opened = judged.find(({ opens }) => opens !== null)?.opens;
  if (opened != null) {
    const same = to !== null && opened.port === to.port && opened.address.equals(to.address);
    return same
      ? { verdict: "opens", reason: `an entry for ${endpointText(opened)}` }
      : { verdict: "opens-another", reason: `an entry for ${endpointText(opened)}` };
  }
  const split = judged.length > 1 ? `it is split over ${judged.length} segments; ` : "";
  const dropped = judged.find(({ drops }) => drops);
  if (dropped !== undefined) return { verdict: "drops", reason: `${split}${dropped.reason}` };
  return { verdict: "misses", reason: split === "" ? last.reason : `${split}none of them is whole` };
}
