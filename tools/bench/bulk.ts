/** Bytes a second through plain TCP, in either direction, on one and on several connections. */
import { must } from "../lab/process.ts";
import { inSandbox } from "../lab/sandbox.ts";
import { startKindred } from "./kindred.ts";
import { compile } from "./native.ts";
import { startHaproxy } from "./peers.ts";
import { freePorts, HOST, LOAD, pinned } from "./place.ts";
import { compared, type Result } from "./report.ts";
import { type Contestant, type Settings, takeTurns } from "./rounds.ts";

const CASES = [
  { verb: "get", streams: 1 },
  { verb: "get", streams: 4 },
  { verb: "put", streams: 1 },
  { verb: "put", streams: 4 },
] as const;
const HAPROXY = "haproxy";
const HAPROXY_SPLICE = "haproxy, splicing";

export const bulk = (settings: Settings): Promise<Result[]> =>
  inSandbox(async (sandbox) => {
    const [server, kindred, copying, splicing] = (await freePorts(4)) as [number, number, number, number];
    const program = await compile(sandbox, "bulk");
    const source = sandbox.start([program, "serve", HOST, String(server)], pinned(LOAD));
    await source.listening(server);
    await startKindred(sandbox, "bulk", { port: kindred, server }, settings);
    const peer = await startHaproxy(sandbox, copying, splicing, server);

    const results: Result[] = [];
    for (const { verb, streams } of CASES) {
      const contestant = (name: string, port: number): Contestant => ({
        name,
        measure: () => move(program, verb, port, settings.seconds, streams),
      });
      const contestants = [contestant("direct", server), contestant("kindred", kindred)];
      if (peer !== null) contestants.push(contestant(HAPROXY, copying), contestant(HAPROXY_SPLICE, splicing));
      const runs = await takeTurns(contestants, settings.rounds);
      const subject = { case: `bulk ${verb}, ${streams} at once`, unit: "Gb/s", runs: runs.get("kindred")! };
      const absent = peer === null ? "not installed" : undefined;
      results.push(compared(subject, { name: "direct", runs: runs.get("direct")! }));
      for (const name of [HAPROXY, HAPROXY_SPLICE]) {
        results.push(compared(subject, { name, runs: runs.get(name) ?? [], absent }));
      }
    }
    return results;
  });

async function move(
  program: string,
  verb: "get" | "put",
  port: number,
  seconds: number,
  streams: number,
): Promise<number> {
  const command = [program, verb, HOST, String(port), String(seconds), String(streams)];
  const { gigabits } = JSON.parse(await must(command, pinned(LOAD))) as { gigabits: number };
  return gigabits;
}
