/** Whole FTP sessions a second: log in, PASV, fetch 1 KB (each byte checked), log out. */
import { run } from "../lab/process.ts";
import { inSandbox } from "../lab/sandbox.ts";
import { startKindred } from "./kindred.ts";
import { compile } from "./native.ts";
import { startBareNet, startFtpProxy } from "./peers.ts";
import { freePorts, HOST, LOAD, pinned } from "./place.ts";
import { compared, type Result } from "./report.ts";
import { type Contestant, type Settings, takeTurns } from "./rounds.ts";

const CONCURRENCY = 64;
/** 127.0.0.2 and so on: one address would run out of ports. */
const SOURCES = 32;

interface Measured {
  readonly perSecond: number;
  readonly failed: number;
}

export const ftpSessions = (settings: Settings): Promise<Result[]> =>
  inSandbox(async (sandbox) => {
    const [server, kindred, proxy, bare] = (await freePorts(4)) as [number, number, number, number];
    const process = sandbox.start([await compile(sandbox, "ftp-server"), HOST, String(server)], pinned(LOAD));
    await process.listening(server);
    await startKindred(sandbox, "ftp", { port: kindred, server }, settings);
    const peer = await startFtpProxy(sandbox, proxy, server);
    await startBareNet(sandbox, bare, server);

    const load = await compile(sandbox, "ftp-load");
    const failures: string[] = [];
    const contestant = (name: string, port: number): Contestant => ({
      name,
      measure: async () => {
        const { perSecond, failed } = await measure(load, port, settings.seconds);
        if (failed > 0) failures.push(`${name}: ${failed} sessions failed`);
        return perSecond;
      },
    });
    const contestants = [contestant("direct", server), contestant("kindred", kindred), contestant("bare net", bare)];
    if (peer !== null) contestants.push(contestant("ftp-proxy", proxy));
    const runs = await takeTurns(contestants, settings.rounds);

    const note = failures.length > 0 ? failures.join(", ") : undefined;
    const subject = { case: `FTP sessions, ${CONCURRENCY} at once`, unit: "1/s", runs: runs.get("kindred")!, note };
    const absent = peer === null ? "not installed" : undefined;
    return [
      compared(subject, { name: "direct", runs: runs.get("direct")! }),
      compared(subject, { name: "bare Node net", runs: runs.get("bare net")! }),
      compared(subject, { name: "ftp-proxy", runs: runs.get("ftp-proxy") ?? [], absent }),
    ];
  });

async function measure(load: string, port: number, seconds: number): Promise<Measured> {
  const command = [load, HOST, String(port), String(seconds), String(CONCURRENCY), String(SOURCES)];
  const { status, stdout, stderr } = await run(command, pinned(LOAD));
  if (status !== 0) throw new Error(`ftp-load: ${stderr}`);
  return JSON.parse(stdout) as Measured;
}
