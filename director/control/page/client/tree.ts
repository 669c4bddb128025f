import type { ConnectionState, RelatedState } from "../../operated.ts";
import type { Moment } from "./api.ts";
import { keyed, make, say, within } from "./dom.ts";

/** Control connections with what they announced below them; then the others. */
export function connectionTree(): { readonly root: HTMLElement; readonly show: (moment: Moment) => void } {
  const list = make("ul", "tree");
  const note = make("p", "empty");
  const show = ({ connections, related }: Moment): void => {
    const controls = new Set(connections.items.filter(({ role }) => role === "control").map(({ handle }) => handle));
    const isTop = ({ control }: ConnectionState): boolean => control === null || !controls.has(control);
    const below = (handle: number) => ({
      came: connections.items.filter(({ control }) => control === handle),
      waiting: related.items.filter(({ control }) => control === handle),
    });
    const update = (element: HTMLElement, one: ConnectionState): void => showBranch(element, one, below(one.handle));
    keyed(list, connections.items.filter(isTop), ({ handle, role }) => `${role} ${handle}`, branch, update);
    const more = connections.next !== null || related.next !== null ? "There are more than are shown here." : "";
    say(note, connections.items.length === 0 ? "None." : more);
  };
  return { root: within(make("div"), list, note), show };
}

export function branch({ role }: ConnectionState): HTMLElement {
  if (role !== "control") return make("li");
  const details = make("details") as HTMLDetailsElement;
  details.open = true;
  return within(make("li"), within(details, make("summary"), make("ul")));
}

export function showBranch(
  element: HTMLElement,
  one: ConnectionState,
  { came, waiting }: { readonly came: readonly ConnectionState[]; readonly waiting: readonly RelatedState[] },
): void {
  const text = `${one.role} ${one.transport} ${one.service}: ${one.client} → ${one.virtual} → ${one.real}`;
  const summary = element.querySelector("summary");
  if (summary === null) return say(element, text);
  say(summary, `${text} (${came.length} open, ${waiting.length} awaited)`);
  const leaves = [
    ...came.map((leaf) => ({
      key: `open ${leaf.handle}`,
      text: `${leaf.role} ${leaf.transport}: ${leaf.client} → ${leaf.virtual} → ${leaf.real}`,
    })),
    ...waiting.map(({ id, kind, transport, from, seen, target, state, expires }) => ({
      key: `awaited ${id}`,
      text: `${state} ${kind} ${transport}: ${from} → ${seen ?? "?"} → ${target}, for ${Math.ceil(expires / 1000)} s`,
    })),
  ];
  const list = element.querySelector("ul")!;
  keyed(
    list,
    leaves,
    ({ key }) => key,
    ({ key }) => make("li", key.startsWith("open") ? "open" : "awaited"),
    (leaf, { text }) => say(leaf, text),
  );
}
