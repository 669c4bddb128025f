/** Events as lines, in the manner of `conntrack -E`. */
import type { Event } from "../control/events.ts";
import { inert } from "../inert.ts";

const TAGS: Readonly<Record<string, string>> = {
  connection: "NEW",
  closed: "DESTROY",
  related: "EXPECT",
  "related-gone": "UNEXPECT",
  refusal: "REFUSED",
  group: "GROUP",
  changed: "CHANGED",
};

const ENDS: ReadonlySet<string> = new Set([
  "client",
  "virtual",
  "real",
  "from",
  "seen",
  "to",
  "role",
  "kind",
  "opener",
]);
const HEAD: ReadonlySet<string> = new Set(["time", "level", "event"]);

/** `[NEW]      control  198.51.100.7:40112 -> 203.0.113.10:21 => 192.168.0.2:21  id=1 service=ftp` */
export function eventLine(event: Event): string {
  const tag = `[${TAGS[event.event] ?? event.event}]`.padEnd(10);
  const rest = Object.entries(event).filter(
    ([name, value]) => !HEAD.has(name) && value !== null && value !== undefined && !(ENDS.has(name) && hasEnds(event)),
  );
  const fields = rest.map(([name, value]) => `${name}=${Array.isArray(value) ? value.join("; ") : value}`).join(" ");
  return inert([tag, endsOf(event), fields].filter((text) => text !== "").join(" "));
}

const hasEnds = ({ event }: Event): boolean => event === "connection" || event === "related";

function endsOf(event: Event): string {
  const { client, virtual, real, from, seen, to, role, kind } = event as Readonly<Record<string, unknown>>;
  if (event.event === "connection") return `${String(role).padEnd(8)} ${client} -> ${virtual ?? "?"} => ${real} `;
  return event.event === "related" ? `${kind} ${from} -> ${seen ?? "?"} => ${to} ` : "";
}
