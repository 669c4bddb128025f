/** BIND 9 twice, behind one address: dig asks. */
import { startDirector, untilReady } from "../director.ts";
import { DNS_PORT, startNamed, ZONE } from "../named.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import { type FarmMaker, makeFarm } from "../topology.ts";

const NAMES = ["real-a", "real-b"];

interface Answer {
  /** Whose it is. */
  readonly name: string;
  readonly truncated: boolean;
  readonly answered: boolean;
}

type Question = readonly string[];
/** One dig asks them one after the other, each from a socket of its own. */
type Dig = (...questions: readonly Question[]) => Promise<readonly Answer[]>;

async function startDns(sandbox: Sandbox, make: FarmMaker): Promise<Dig> {
  const farm = await make(sandbox, 4, 1, 2);
  for (const [i, host] of farm.realservers.entries()) await startNamed(sandbox, host, NAMES[i]!);
  const service = {
    name: "dns",
    vip: farm.vip,
    ports: [`udp/${DNS_PORT}`, `tcp/${DNS_PORT}`],
    helper: "dns",
    scheduler: "rr",
    realservers: farm.targets,
  };
  await untilReady(
    startDirector(sandbox, { services: [service], log: { level: "info", format: "json" } }, farm.director.start, {
      path: farm.path,
    }),
  );
  return async (...questions) => {
    const told = await farm.clients[0]!.must([
      "dig",
      `@${farm.vip}`,
      "+nsid",
      "+tries=1",
      "+time=60",
      ...questions.flat(),
    ]);
    const answers = told.split(";; Got answer:").slice(1).map(read);
    if (answers.length === questions.length) return answers;
    throw new Error(`${answers.length} of ${questions.length} questions were answered:\n${told}`);
  };
}

const PLAIN: Question = [`www.${ZONE}`, "A"];

/** dig writes NSID as hexadecimal, then as text: `; NSID: 72 65 … ("real-a")`. */
function read(told: string): Answer {
  return {
    name: NAMES.find((name) => told.includes(`("${name}")`)) ?? "nobody",
    truncated: told.split("\n").some((line) => line.startsWith(";; flags:") && line.includes(" tc")),
    answered: told.includes("status: NOERROR"),
  };
}

export async function spread(sandbox: Sandbox, make: FarmMaker): Promise<string> {
  const dig = await startDns(sandbox, make);
  const served = new Map(NAMES.map((name) => [name, 0]));
  for (const [i, { name, answered }] of (await dig(...Array<Question>(40).fill(PLAIN))).entries()) {
    if (!answered || !served.has(name)) throw new Error(`query ${i} was not answered`);
    served.set(name, served.get(name)! + 1);
  }
  const counts = [...served.values()];
  if (counts.some((count) => count !== 20)) throw new Error(`40 queries were served ${counts.join(" and ")}`);
  return `40 queries: ${counts.join(" and ")} served`;
}

export async function retry(sandbox: Sandbox, make: FarmMaker, count = 100): Promise<string> {
  const dig = await startDns(sandbox, make);
  const met = new Map(NAMES.map((name) => [name, 0]));
  for (let i = 0; i < count; i++) {
    const question = [`n${i}.big.${ZONE}`, "TXT", "+bufsize=512"];
    // What others ask in between: by the scheduler alone every other retry would miss.
    const others = Array<Question>(i % 3).fill(PLAIN);
    const answers = await dig([...question, "+ignore"], ...others, [...question, "+tcp"]);
    const [first, second] = [answers[0]!, answers.at(-1)!];
    if (!first.truncated) throw new Error(`answer ${i} was not truncated`);
    if (second.truncated || second.name !== first.name) {
      throw new Error(`${first.name} cut the answer to ${question[0]}, ${second.name} was asked over TCP`);
    }
    met.set(second.name, met.get(second.name)! + 1);
  }
  // dig by itself: the query, and over TCP again.
  const [alone] = await dig([`by-itself.big.${ZONE}`, "TXT", "+bufsize=512"]);
  if (!alone!.answered || alone!.truncated) throw new Error("dig's own retry was not answered");
  return `${count} of ${count} TCP retries met the server that cut the answer (${[...met.values()].join(" and ")})`;
}

export const dns: readonly Scenario[] = [
  {
    name: "dns-spread",
    about: "queries of dig reach both BIND servers",
    needs: ["named", "dig"],
    run: (sandbox) => spread(sandbox, makeFarm),
  },
  {
    name: "dns-tcp-retry",
    about: "the TCP retry of a truncated answer reaches the BIND server that gave it, 100 of 100 times",
    needs: ["named", "dig"],
    run: (sandbox) => retry(sandbox, makeFarm),
  },
];
