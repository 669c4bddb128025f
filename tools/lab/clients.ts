/**
 * Real FTP clients, unmodified, each in the modes that its own options can be made to use. Each lists, downloads and
 * uploads every file of `FILES`.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Mode } from "./dialogue.ts";
import { FILES } from "./files.ts";
import type { Family, Host } from "./topology.ts";

export interface Errand {
  readonly host: Host;
  readonly vip: string;
  readonly family: Family;
  /** Where downloads go, with the listing in `LISTING`. */
  readonly downloads: string;
  /** Where the files to upload are. */
  readonly outbox: string;
}

export interface Client {
  /** The program that must be installed, if any. */
  readonly program: string | null;
  readonly variants: readonly Variant[];
  /** It can only download. */
  readonly readsOnly?: boolean;
  transfer(errand: Errand, options: readonly string[]): Promise<void>;
}

export interface Variant {
  /** What the scenario's name says of it. */
  readonly name: string;
  readonly mode: Mode;
  readonly family: Family;
  readonly options: readonly string[];
}

export const LISTING = "listing.txt";
/** One listing, and each file both ways, or one. */
export const transfersOf = ({ readsOnly = false }: Client): number =>
  1 + Object.keys(FILES).length * (readsOnly ? 1 : 2);

const names = Object.keys(FILES);
const host = ({ vip, family }: Errand): string => (family === 6 ? `[${vip}]` : vip);

/** curl offers EPRT before PORT and EPSV before PASV unless told not to; and it takes no address from a 227 by default. */
const curl: Client = {
  program: "curl",
  variants: [
    { name: "port", mode: "port", family: 4, options: ["--ftp-port", "-", "--disable-eprt"] },
    { name: "eprt", mode: "eprt", family: 4, options: ["--ftp-port", "-"] },
    { name: "pasv", mode: "pasv", family: 4, options: ["--ftp-pasv", "--disable-epsv"] },
    {
      name: "pasv-address",
      mode: "pasv",
      family: 4,
      options: ["--ftp-pasv", "--disable-epsv", "--no-ftp-skip-pasv-ip"],
    },
    { name: "epsv", mode: "epsv", family: 4, options: ["--ftp-pasv"] },
    { name: "eprt-ipv6", mode: "eprt", family: 6, options: ["--ftp-port", "-"] },
    { name: "epsv-ipv6", mode: "epsv", family: 6, options: ["--ftp-pasv"] },
  ],
  async transfer(errand, options) {
    const url = `ftp://${host(errand)}`;
    const common = ["curl", "--silent", "--show-error", "--globoff", "--max-time", "90", ...options];
    const targets = names.flatMap((name) => ["--output", name, `${url}/files/${name}`]);
    await errand.host.must([...common, "--output", LISTING, `${url}/files/`, ...targets], {
      directory: errand.downloads,
    });
    const sources = names.flatMap((name) => ["--upload-file", join(errand.outbox, name), `${url}/uploads/`]);
    await errand.host.must([...common, ...sources]);
  },
};

const lftp: Client = {
  program: "lftp",
  variants: [
    { name: "port", mode: "port", family: 4, options: ["set ftp:passive-mode no"] },
    { name: "pasv", mode: "pasv", family: 4, options: ["set ftp:fix-pasv-address no"] },
    { name: "epsv", mode: "epsv", family: 4, options: ["set ftp:prefer-epsv yes"] },
    {
      name: "eprt-ipv6",
      mode: "eprt",
      family: 6,
      options: ["set ftp:passive-mode no", "set ftp:fix-pasv-address no"],
    },
    { name: "epsv-ipv6", mode: "epsv", family: 6, options: ["set ftp:fix-pasv-address no"] },
  ],
  async transfer(errand, options) {
    const script = join(errand.downloads, "lftp-commands");
    const commands = [
      "set cmd:fail-exit yes",
      "set net:max-retries 1",
      "set net:timeout 60",
      // Of a transfer that stands still it would otherwise try again, in another mode perhaps.
      "set ftp:auto-passive-mode no",
      ...options,
      `open ftp://${host(errand)}`,
      `ls files > ${LISTING}`,
      ...names.map((name) => `get files/${name} -o ${name}`),
      ...names.map((name) => `put -O uploads ${join(errand.outbox, name)}`),
      "bye",
    ];
    writeFileSync(script, `${commands.join("\n")}\n`);
    await errand.host.must(["lftp", "--norc", "-f", script], { directory: errand.downloads });
  },
};

const SCRIPT = fileURLToPath(new URL("basic-ftp.js", import.meta.url));

/** basic-ftp is passive only: no PORT, no EPRT. */
const basicFtp: Client = {
  program: null,
  variants: [
    { name: "pasv", mode: "pasv", family: 4, options: ["pasv"] },
    { name: "epsv", mode: "epsv", family: 4, options: ["epsv"] },
    { name: "epsv-ipv6", mode: "epsv", family: 6, options: ["epsv"] },
  ],
  async transfer(errand, [mode]) {
    const command = [process.execPath, SCRIPT, mode!, errand.vip, errand.outbox, ...names];
    await errand.host.must(command, { directory: errand.downloads });
  },
};

/** Offers EPSV and EPRT on IPv6 only. It believes whatever address a 227 names. */
const wget: Client = {
  program: "wget",
  readsOnly: true,
  variants: [
    { name: "port", mode: "port", family: 4, options: ["--no-passive-ftp"] },
    { name: "pasv", mode: "pasv", family: 4, options: [] },
    { name: "eprt-ipv6", mode: "eprt", family: 6, options: ["--no-passive-ftp"] },
    { name: "epsv-ipv6", mode: "epsv", family: 6, options: [] },
  ],
  async transfer(errand, options) {
    const url = `ftp://${host(errand)}/files`;
    const common = ["wget", "--no-config", "--quiet", "--tries=1", "--timeout=60", "--no-proxy", ...options];
    const directory = errand.downloads;
    await errand.host.must([...common, `--output-document=${LISTING}`, `${url}/`], { directory });
    await errand.host.must([...common, ...names.map((name) => `${url}/${name}`)], { directory });
  },
};

/** It takes no address from a 227 unless told to. */
const FTPLIB = `
import ftplib, sys
mode, vip, outbox, *names = sys.argv[1:]
ftp = ftplib.FTP(vip, timeout=60)
ftp.trust_server_pasv_ipv4_address = True
ftp.login()
ftp.set_pasv(mode == "passive")
with open("${LISTING}", "w") as listing:
    ftp.retrlines("LIST files", lambda line: print(line, file=listing))
for name in names:
    with open(name, "wb") as file:
        ftp.retrbinary("RETR files/" + name, file.write)
for name in names:
    with open(outbox + "/" + name, "rb") as file:
        ftp.storbinary("STOR uploads/" + name, file)
ftp.quit()
`;

const ftplib: Client = {
  program: "python3",
  variants: [
    { name: "port", mode: "port", family: 4, options: ["active"] },
    { name: "pasv", mode: "pasv", family: 4, options: ["passive"] },
    { name: "eprt-ipv6", mode: "eprt", family: 6, options: ["active"] },
    { name: "epsv-ipv6", mode: "epsv", family: 6, options: ["passive"] },
  ],
  async transfer(errand, [mode]) {
    const command = ["python3", "-c", FTPLIB, mode!, errand.vip, errand.outbox, ...names];
    await errand.host.must(command, { directory: errand.downloads });
  },
};

/** Those of the socket path's scenarios. */
export const clients: Readonly<Record<string, Client>> = { curl, lftp, "basic-ftp": basicFtp };
export const allClients: Readonly<Record<string, Client>> = { ...clients, wget, ftplib };
