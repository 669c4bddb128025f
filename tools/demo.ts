/**
 * The main job, shown: a director on loopback, two FTP servers behind one address, real transfers in every mode.
 * The director is handed in, since the tools know none (ARCHITECTURE.md, import rules).
 */
import { createHash, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { FtpClient, type Mode, modes } from "./demo/ftp-client.ts";
import { canListen, freePort, type Realserver, startDemoServer } from "./demo/realserver.ts";

/** What the demonstration needs of a director that was started from `configuration` (YAML). */
export interface DemoDirector {
  stop(): Promise<void>;
}

/** A related entry, as the director's event tells it. */
export interface DemoRelated {
  readonly kind: string;
  readonly opener: string;
  readonly from: string;
  readonly seen: string;
  readonly to: string;
}

export interface DemoOptions {
  /** Transfer, report, end; otherwise keep serving until a signal. */
  readonly once: boolean;
  /** The port to listen on; another one is taken when it is in use. */
  readonly port: number;
  readonly print: (line: string) => void;
  readonly start: (configuration: string, related: (entry: DemoRelated) => void) => Promise<DemoDirector>;
  /** Resolves when the user wants to end. */
  readonly interrupted: Promise<void>;
}

const HOST = "127.0.0.1";
const SIZE = 1_000_000;

/** Exit status: 0 when every transfer was byte-identical. */
export async function runDemo({ once, port: wanted, print, start, interrupted }: DemoOptions): Promise<number> {
  const realservers = [await startDemoServer("A", HOST, SIZE), await startDemoServer("B", HOST, SIZE)];
  const port = await portOrAnother(wanted);
  const configuration = configurationFor(port, realservers);
  const seen: DemoRelated[] = [];
  const director = await start(configuration, (entry) => seen.push(entry));
  try {
    print(`A director on ${HOST}:${port}, two FTP servers behind it:\n`);
    print(indent(configuration));
    const failures = await transferInEveryMode(port, realservers, seen, print);
    if (once) return failures === 0 ? 0 : 1;
    print(invitation(port, realservers));
    await interrupted;
    return failures === 0 ? 0 : 1;
  } finally {
    await director.stop();
    await Promise.all(realservers.map((realserver) => realserver.close()));
  }
}

const configurationFor = (port: number, realservers: readonly Realserver[]): string =>
  `services:
  - name: ftp
    vip: ${HOST}
    ports: [tcp/${port}]
    helper: ftp
    scheduler: rr
    realservers:
${realservers.map((realserver) => `      - { address: ${HOST}, port: ${realserver.port} }   # ${realserver.name}`).join("\n")}
helpers:
  ftp: { ports: [${port}] }
`;

const portOrAnother = async (wanted: number): Promise<number> =>
  (await canListen(wanted, HOST)) ? wanted : freePort(HOST);

/** Two clients a mode, so that both realservers serve each; returns how many transfers went wrong. */
async function transferInEveryMode(
  port: number,
  realservers: readonly Realserver[],
  seen: DemoRelated[],
  print: (line: string) => void,
): Promise<number> {
  let failures = 0;
  let transfers = 0;
  for (const mode of modes) {
    for (let i = 0; i < realservers.length; i++) {
      const results = await session(port, mode, realservers);
      print(`${mode.padEnd(5)} realserver ${results.realserver}`);
      for (const [at, { name, problem }] of results.transfers.entries()) {
        transfers++;
        if (problem !== null) failures++;
        print(`      ${name.padEnd(21)} ${problem ?? "byte-identical"}`);
        if (seen[at] !== undefined) print(`        ${relatedText(seen[at])}`);
      }
      seen.length = 0;
    }
  }
  print(`\n${transfers - failures} of ${transfers} transfers byte-identical, in ${modes.join(", ")} mode.`);
  return failures;
}

interface Transfer {
  readonly name: string;
  /** null: byte-identical. */
  readonly problem: string | null;
}

async function session(
  port: number,
  mode: Mode,
  realservers: readonly Realserver[],
): Promise<{ readonly realserver: string; readonly transfers: readonly Transfer[] }> {
  const transfers: Transfer[] = [];
  const attempt = async (name: string, job: () => Promise<boolean>): Promise<void> => {
    try {
      transfers.push({ name, problem: (await job()) ? null : "DIFFERS" });
    } catch (error) {
      transfers.push({ name, problem: `FAILED: ${(error as Error).message}` });
    }
  };
  const client = await FtpClient.login(HOST, port);
  let at = realservers[0]!;
  await attempt("download hello.txt", async () => {
    const text = (await client.download(mode, "hello.txt")).toString();
    at = realservers.find(({ name }) => text.includes(`realserver ${name}`)) ?? at;
    return text === `Hello from realserver ${at.name}.\n`;
  });
  await attempt("list", async () => (await client.list(mode)).includes("data.bin"));
  await attempt("download 1,000,000 B", async () =>
    same(await client.download(mode, "data.bin"), await readFile(join(at.root, "data.bin"))),
  );
  const sent = randomBytes(SIZE);
  await attempt("upload 1,000,000 B", async () => {
    await client.upload(mode, `upload-${mode}.bin`, sent);
    return same(sent, await readFile(join(at.root, `upload-${mode}.bin`)));
  });
  await client.quit().catch(() => client.close());
  return { realserver: at.name, transfers };
}

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
const same = (a: Buffer, b: Buffer): boolean => sha256(a) === sha256(b);

const relatedText = ({ kind, opener, from, seen, to }: DemoRelated): string =>
  `related entry: ${kind}, the ${opener} opens ${from} -> ${seen} => ${to}`;

const invitation = (port: number, realservers: readonly Realserver[]): string => `
It keeps serving. Try, in another terminal:

  curl ftp://${HOST}:${port}/                                                     list (EPSV)
  curl --disable-epsv --no-ftp-skip-pasv-ip ftp://${HOST}:${port}/hello.txt       PASV, taking the 227 at its word
  curl --ftp-port - --disable-eprt ftp://${HOST}:${port}/hello.txt                PORT
  curl --ftp-port - ftp://${HOST}:${port}/hello.txt                               EPRT
  curl -T README.md ftp://${HOST}:${port}/                                        upload

Each control connection goes to the next of the realservers on ports ${realservers.map(({ port }) => port).join(" and ")}. Ctrl-C ends it.`;

const indent = (text: string): string => text.replace(/^(?=.)/gm, "  ");
