/** Makes what shows a finding smaller, as long as it shows the same property broken (delta debugging). */
import type { Direction } from "../../../core/units.ts";
import type { Dialogue, Message, Turn } from "../generate/ftp/model.ts";
import type { Property, Violation } from "../properties/finding.ts";
import type { Finding, Inputs } from "./inputs.ts";

/** What `dialogue` shows broken. The same each time. */
export type Check = (dialogue: Dialogue) => Violation | null;

/** More tries than this are not worth the time. */
const MOST_TRIES = 2000;

/** How often it is cut another way. */
const STREAMS = 3;

/** The finding with as little said as shows it; as it is, where only the model knows that it is wrong. */
export function smallest(finding: Finding, inputs: Inputs): Finding {
  const small = minimise(finding.dialogue, finding.property, (held) => {
    for (let i = 0; i < STREAMS; i++) {
      const found = inputs.hold("corpus", i, held);
      if (found !== null) return found;
    }
    return null;
  });
  return small === null ? finding : { ...finding, dialogue: small };
}

type Spoken = readonly [speaker: Direction, message: Message];

/** The smallest that was found; null when `dialogue`, of which nobody knows what must come, does not show it. */
export function minimise({ ends, turns }: Dialogue, property: Property, check: Check): Dialogue | null {
  let tries = 0;
  const made = (spoken: readonly Spoken[]): Dialogue => ({ ends, turns: spoken.map(turnOf), exact: false });
  const shows = (spoken: readonly Spoken[]): boolean =>
    tries++ < MOST_TRIES && check(made(spoken))?.property === property;
  let spoken: readonly Spoken[] = turns.flatMap(({ speaker, messages }) =>
    messages.map((message): Spoken => [speaker, { said: message.said, outcome: "same", about: message.about }]),
  );
  if (!shows(spoken)) return null;
  spoken = smaller(spoken, shows);
  for (let i = 0; i < spoken.length; i++) {
    const [speaker, message] = spoken[i]!;
    const withText = (text: string): Spoken[] => spoken.with(i, [speaker, { ...message, said: text }]) as Spoken[];
    const bytes = smaller([...message.said], (left) => shows(withText(left.join(""))));
    spoken = withText(bytes.join(""));
  }
  return made(spoken);
}

const turnOf = ([speaker, message]: Spoken): Turn => ({ speaker, messages: [message] });

/** `items` without what is not needed for `shows`: ever smaller pieces of it are left out. */
function smaller<T>(items: readonly T[], shows: (left: readonly T[]) => boolean): readonly T[] {
  let left = items;
  for (let size = Math.ceil(left.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < left.length; ) {
      const without = [...left.slice(0, at), ...left.slice(at + size)];
      if (without.length < left.length && shows(without)) left = without;
      else at += size;
    }
  }
  return left;
}
