/** Rules of nftables that may meet a VIP's packets, out of what `nft -j list ruleset` prints (libnftables-json(5)). */

export type Verdict = "translates" | "masquerades" | "drops" | "untracks";

export interface NftRule {
  readonly verdict: Verdict;
  /** Of the destination, as they stand in the rule; empty: any. */
  readonly addresses: readonly string[];
  /** Of the destination; null: any. */
  readonly ports: readonly PortSpan[] | null;
  /** It matches something that is not looked at: it may never meet what the rest of it says. */
  readonly narrowed: boolean;
}

export interface PortSpan {
  readonly first: number;
  readonly last: number;
}

export interface NftChain {
  readonly table: string;
  readonly family: string;
  readonly name: string;
  /** null: only jumped to. */
  readonly hook: string | null;
  /** What becomes of what no rule decides. */
  readonly policy: "accept" | "drop";
  readonly rules: readonly NftRule[];
}

type Field =
  | ("nftables" | "chain" | "rule" | "family" | "table" | "name" | "hook" | "policy" | "expr")
  | ("match" | "op" | "left" | "right" | "payload" | "field" | "set" | "prefix" | "addr" | "len" | "range");
type Json = Readonly<Partial<Record<Field, unknown>>>;
type Open = { -readonly [K in keyof NftChain]: NftChain[K] } & { rules: NftRule[] };

/** Empty where the text is none of nft's. */
export function readRuleset(text: string): NftChain[] {
  const chains = new Map<string, Open>();
  for (const item of itemsOf(text)) {
    const { chain, rule } = item as { chain?: Json; rule?: Json };
    if (chain !== undefined) chains.set(keyOf(chain, "name"), chainOf(chain));
    if (rule !== undefined) {
      const read = readRule(rule.expr);
      if (read !== null) chains.get(keyOf(rule, "chain"))?.rules.push(read);
    }
  }
  return [...chains.values()];
}

function itemsOf(text: string): readonly Json[] {
  try {
    const { nftables } = JSON.parse(text) as { nftables?: unknown };
    return Array.isArray(nftables) ? (nftables as Json[]) : [];
  } catch {
    return [];
  }
}

const keyOf = (at: Json, name: "name" | "chain"): string => [at.family, at.table, at[name]].join(" ");

const chainOf = ({ family, table, name, hook, policy }: Json): Open => ({
  family: String(family),
  table: String(table),
  name: String(name),
  hook: typeof hook === "string" ? hook : null,
  policy: policy === "drop" ? "drop" : "accept",
  rules: [],
});

const VERDICTS: Readonly<Record<string, Verdict>> = {
  dnat: "translates",
  redirect: "translates",
  tproxy: "translates",
  masquerade: "masquerades",
  snat: "masquerades",
  drop: "drops",
  reject: "drops",
  notrack: "untracks",
};

function readRule(expr: unknown): NftRule | null {
  const statements = Array.isArray(expr) ? (expr as Json[]) : [];
  const verdict = statements.flatMap((one) => Object.keys(one)).find((name) => Object.hasOwn(VERDICTS, name));
  if (verdict === undefined) return null;
  const matches = statements.flatMap((one) => (one.match === undefined ? [] : [one.match as Json]));
  const addresses = matches.filter((match) => isDestination(match, "daddr"));
  const ports = matches.filter((match) => isDestination(match, "dport"));
  return {
    verdict: VERDICTS[verdict]!,
    addresses: addresses.flatMap(({ right }) => valuesOf(right).map(addressText)),
    ports: ports.length === 0 ? null : ports.flatMap(({ right }) => valuesOf(right).flatMap(spanOf)),
    narrowed: matches.length > addresses.length + ports.length,
  };
}

/** `ip daddr 192.0.2.1`, `tcp dport 21`; not `!=`. */
function isDestination({ op, left }: Json, field: string): boolean {
  const { payload } = left as { payload?: Json };
  return payload?.field === field && (op === "==" || op === "in");
}

const valuesOf = (right: unknown): readonly unknown[] => {
  const { set } = (typeof right === "object" && right !== null ? right : {}) as { set?: unknown };
  return Array.isArray(set) ? set : [right];
};

function addressText(value: unknown): string {
  const { prefix, range } = (typeof value === "object" && value !== null ? value : {}) as {
    prefix?: Json;
    range?: unknown[];
  };
  if (prefix !== undefined) return `${prefix.addr}/${prefix.len}`;
  return range === undefined ? String(value) : `${range[0]}-${range[1]}`;
}

function spanOf(value: unknown): PortSpan[] {
  if (typeof value === "number") return [{ first: value, last: value }];
  const { range } = (typeof value === "object" && value !== null ? value : {}) as { range?: number[] };
  return range === undefined ? [] : [{ first: range[0]!, last: range[1]! }];
}
