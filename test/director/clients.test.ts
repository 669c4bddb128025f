/**
 * FTP clients as they are, through the director, in every mode that their own options can be made to use. Each lists,
 * downloads and uploads; what arrives is compared byte by byte, and what it was told is read for addresses that it must
 * not know.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { accessSync, constants } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { Client, enterPassiveModeIPv4, enterPassiveModeIPv6 } from "basic-ftp";
import t, { type Test } from "tap";
import { type Realserver, startRealserver } from "../../tools/demo/realserver.ts";
import { CLIENT, folder, ftpDirector, type Live, REAL_A, REAL_B, sha256, VIP } from "./live.ts";
import { record } from "./recorder.ts";

const run = promisify(execFile);
const SIZE = 300_000;

/** One director and one realserver, of these families. */
interface Place {
  readonly name: string;
  readonly vip: string;
  readonly real: string;
  /** Where clients come from that can be told. */
  readonly client: string;
}

const V4: Place = { name: "IPv4", vip: VIP, real: REAL_A, client: CLIENT };
/** basic-ftp cannot be told where to come from: the kernel takes the first loopback address. */
const V4_UNBOUND: Place = { name: "IPv4, from any address", vip: VIP, real: REAL_B, client: "127.0.0.1" };
const V6: Place = { name: "IPv6", vip: "::1", real: "::1", client: "::1" };
const V6_TO_V4: Place = { name: "an IPv6 VIP and an IPv4 realserver", vip: "::1", real: REAL_A, client: "::1" };
const V4_TO_V6: Place = { name: "an IPv4 VIP and an IPv6 realserver", vip: VIP, real: "::1", client: CLIENT };

interface Errand {
  readonly vip: string;
  readonly port: number;
  readonly client: string;
  /** Downloads go here, the listing is `listing`; `upload.bin` is here. */
  readonly home: string;
}

interface Case {
  readonly program: string | null;
  readonly name: string;
  readonly kind: string;
  readonly places: readonly Place[];
  readonly transfer: (errand: Errand) => Promise<void>;
}

const hostOf = ({ vip }: Errand): string => (vip.includes(":") ? `[${vip}]` : vip);

const curl =
  (...options: string[]) =>
  async (errand: Errand): Promise<void> => {
    const url = `ftp://${hostOf(errand)}:${errand.port}`;
    const common = ["--silent", "--show-error", "--globoff", "--max-time", "30", "--interface", errand.client];
    const fetch = (name: string, to: string): string[] => ["--output", join(errand.home, to), `${url}/${name}`];
    await run("curl", [...common, ...options, ...fetch("", "listing"), ...fetch("data.bin", "data.bin")]);
    await run("curl", [...common, ...options, ...fetch("hello.txt", "hello.txt")]);
    await run("curl", [...common, ...options, "--upload-file", join(errand.home, "upload.bin"), `${url}/`]);
  };

const lftp =
  (...options: string[]) =>
  async (errand: Errand): Promise<void> => {
    const bind = errand.vip.includes(":") ? [] : [`set net:socket-bind-ipv4 ${errand.client}`];
    const commands = [
      "set cmd:fail-exit yes",
      "set net:max-retries 1",
      "set net:timeout 10",
      // Of a transfer that stands still it would otherwise try again, in another mode perhaps.
      "set ftp:auto-passive-mode no",
      ...bind,
      ...options.map((option) => `set ${option}`),
      `open -p ${errand.port} ftp://${hostOf(errand)}`,
      "ls > listing",
      "get data.bin -o data.bin",
      "get hello.txt -o hello.txt",
      "put upload.bin",
      "bye",
    ];
    await writeFile(join(errand.home, "commands"), `${commands.join("\n")}\n`);
    const env = { ...process.env, HOME: errand.home };
    await run("lftp", ["--norc", "-f", "commands"], { cwd: errand.home, env, timeout: 300_000 });
  };

const basicFtp =
  (mode: Client["prepareTransfer"]) =>
  async ({ vip, port, home }: Errand): Promise<void> => {
    const client = new Client(30_000);
    client.prepareTransfer = mode;
    try {
      await client.access({ host: vip, port });
      await writeFile(join(home, "listing"), (await client.list()).map(({ name }) => name).join("\n"));
      await client.downloadTo(join(home, "data.bin"), "data.bin");
      await client.downloadTo(join(home, "hello.txt"), "hello.txt");
      await client.uploadFrom(join(home, "upload.bin"), "upload.bin");
    } finally {
      client.close();
    }
  };

const cases: readonly Case[] = [
  {
    program: "curl",
    name: "PORT",
    kind: "ftp-active",
    places: [V4, V4_TO_V6],
    transfer: curl("--ftp-port", "-", "--disable-eprt"),
  },
  { program: "curl", name: "PASV", kind: "ftp-passive", places: [V4], transfer: curl("--disable-epsv") },
  {
    program: "curl",
    name: "PASV, taking the address in the 227 at its word,",
    kind: "ftp-passive",
    places: [V4],
    transfer: curl("--disable-epsv", "--no-ftp-skip-pasv-ip"),
  },
  {
    program: "curl",
    name: "EPRT",
    kind: "ftp-eprt",
    places: [V4, V6, V6_TO_V4, V4_TO_V6],
    transfer: curl("--ftp-port", "-"),
  },
  { program: "curl", name: "EPSV", kind: "ftp-epsv", places: [V4, V6, V6_TO_V4, V4_TO_V6], transfer: curl() },
  {
    program: "lftp",
    name: "PORT",
    kind: "ftp-active",
    places: [V4, V4_TO_V6],
    transfer: lftp("ftp:passive-mode no"),
  },
  {
    program: "lftp",
    name: "PASV, taking the address in the 227 at its word,",
    kind: "ftp-passive",
    places: [V4],
    transfer: lftp("ftp:fix-pasv-address no"),
  },
  { program: "lftp", name: "PASV", kind: "ftp-passive", places: [V4], transfer: lftp() },
  {
    program: "lftp",
    name: "EPSV",
    kind: "ftp-epsv",
    places: [V4, V6, V6_TO_V4],
    transfer: lftp("ftp:prefer-epsv yes"),
  },
  {
    program: "lftp",
    name: "EPRT",
    kind: "ftp-eprt",
    places: [V6, V6_TO_V4],
    transfer: lftp("ftp:passive-mode no"),
  },
  {
    program: "lftp",
    name: "EPRT without fix-pasv-address",
    kind: "ftp-eprt",
    places: [V6],
    transfer: lftp("ftp:passive-mode no", "ftp:fix-pasv-address no"),
  },
  {
    program: "lftp",
    name: "EPSV without fix-pasv-address",
    kind: "ftp-epsv",
    places: [V6],
    transfer: lftp("ftp:fix-pasv-address no"),
  },
  {
    program: null,
    name: "PASV",
    kind: "ftp-passive",
    places: [V4_UNBOUND],
    transfer: basicFtp(enterPassiveModeIPv4),
  },
  {
    program: null,
    name: "EPSV",
    kind: "ftp-epsv",
    places: [V4_UNBOUND, V6, V6_TO_V4],
    transfer: basicFtp(enterPassiveModeIPv6),
  },
];

const { PATH = "" } = process.env;
const installed = (program: string): boolean =>
  PATH.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

async function transfer(t: Test, one: Case, place: Place, live: Live, real: Realserver): Promise<void> {
  const { client } = place;
  const recorder = await record(t, place.vip, live.port, client);
  const home = await folder(t);
  const sent = randomBytes(SIZE);
  await writeFile(join(home, "upload.bin"), sent);
  const before = live.events.length;
  await one.transfer({ vip: place.vip, port: recorder.port, client, home });

  const listing = await readFile(join(home, "listing"), "latin1");
  for (const name of ["data.bin", "hello.txt"]) {
    t.ok(listing.includes(name), `${name} is in the listing`);
    const [got, had] = [await readFile(join(home, name)), await readFile(join(real.root, name))];
    t.equal(sha256(got), sha256(had), `${name} came as it is (${had.length} bytes)`);
  }
  const stored = await readFile(join(real.root, "upload.bin"));
  t.equal(sha256(stored), sha256(sent), `upload.bin arrived as it is (${sent.length} bytes)`);

  const made = live.events.slice(before).filter(({ event }) => event === "related");
  t.ok(made.length >= 4, "a related entry for the listing and each file");
  t.same([...new Set(made.map(({ kind }) => kind))], [one.kind], `all of them ${one.kind}`);

  const told = recorder.received();
  t.match(told, /^220/);
  const named = told.match(/127[.,]\d+[.,]\d+[.,]\d+/g) ?? [];
  const strange = named
    .map((text) => text.replaceAll(",", "."))
    .filter((text) => text !== place.vip && text !== client);
  t.same(strange, [], "the client is told no address but the VIP and its own");
  const ports = [...told.matchAll(/\|\|\|(\d+)\|/g)].map(([, port]) => `:${port}`);
  const seen = made.map((entry) => String(entry.seen));
  t.ok(
    ports.every((port) => seen.some((end) => end.endsWith(port))),
    "and no port but the director's",
  );
}

// lftp takes EPSV over IPv4 only from a server that lists it.
const { EPSV } = createRequire(import.meta.url)("ftp-srv/src/commands/registry.js") as { EPSV: { flags: object } };
EPSV.flags = { feat: "EPSV" };

for (const place of [V4, V4_UNBOUND, V6, V6_TO_V4, V4_TO_V6]) {
  t.test(`through ${place.name}`, async (t) => {
    const real = await startRealserver("A", place.real, SIZE);
    t.teardown(() => real.close());
    const live = await ftpDirector(t, [{ address: place.real, port: real.port }], place.vip);
    const attempt = async (one: Case): Promise<unknown> => {
      const { program, name } = one;
      const options = program !== null && !installed(program) ? { skip: `needs ${program}` } : {};
      const title = `${program ?? "basic-ftp"} lists, downloads and uploads in ${name} mode`;
      return t.test(title, options, (t) => transfer(t, one, place, live, real));
    };
    for (const one of cases.filter(({ places }) => places.includes(place))) await attempt(one);
    const warnings = live.events.filter(({ level }) => level === "warn" || level === "error");
    t.same(warnings, [], "nothing to warn of");
  });
}
