/** `kindred ctl -A -t …`: ipvsadm's own words to a running director (ipvsadm(8)). */
import { text as readAll } from "node:stream/consumers";
import type { Plan } from "../control/operator.ts";
import type { Printed } from "../ipvs/print.ts";
import type { Client } from "./client.ts";
import { listIpvs } from "./ipvs-list.ts";

const RULE = /^(-[AEDCaed]|--(add|edit|delete)-(service|server)|--clear)/;
const SAVE = /^(-S|--save)/;
const RESTORE = /^(-R|--restore)/;
const LIST = /^(-[Ll]|--list)/;
const ZERO = /^(-Z|--zero)/;

/** Whether the first word after `ctl` is one of ipvsadm's. */
export const isIpvsadm = (word: string): boolean =>
  [RULE, SAVE, RESTORE, LIST, ZERO].some((pattern) => pattern.test(word));

interface Told {
  /** What ipvsadm would print. */
  readonly text: string;
  /** What else there is to say. */
  readonly notes: readonly string[];
}

/** Does what `words` ask for. What the director refuses is thrown. */
export async function tellIpvs(client: Client, words: readonly string[], input: NodeJS.ReadableStream): Promise<Told> {
  const first = words[0]!;
  if (SAVE.test(first)) {
    const { text, leftOut } = await client.send<Printed>({ method: "GET", path: "/v1/ipvs" });
    return { text, notes: leftOut };
  }
  if (LIST.test(first)) return { text: await listIpvs(client, words), notes: [] };
  if (ZERO.test(first))
    return { text: "", notes: ["counters are never set to zero here: they are for all who read them"] };
  const text = RESTORE.test(first) ? await readAll(input) : words.join(" ");
  const { warnings } = await client.send<Plan>({ method: "POST", path: "/v1/ipvs", body: { text } });
  return { text: "", notes: warnings.map((warning) => `warning: ${warning}`) };
}
