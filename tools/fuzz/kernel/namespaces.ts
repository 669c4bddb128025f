/**
 * The running kernel's nf_conntrack_ftp, asked directly: two namespaces, a real TCP connection between them, each part
 * of a dialogue in a segment of its own, and the expectations read where the server is.
 */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";

export const CLIENT = { 4: "10.77.9.1", 6: "fd77:9::1" } as const;
export const SERVER = { 4: "10.77.9.2", 6: "fd77:9::2" } as const;

/** Whose segment, and what is in it. */
export type Part = readonly [by: "C" | "S", text: string];

/** What came of one segment. */
export interface Heard {
  /** `address port` of what the kernel expects because of it. */
  readonly expected: string | null;
  /** It did not arrive. */
  readonly dropped: boolean;
}

const TOOLS = ["ip", "nft", "conntrack"];
const FOLDERS = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
/** A segment that has not arrived by then was dropped; TCP has sent it again meanwhile. Milliseconds. */
const PATIENCE = 1500;

/** Why the kernel cannot be asked here, and what to do, or false. */
export function kernelMissing(): string | false {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "needs Linux and root (sudo)";
  const absent = TOOLS.filter((tool) => !FOLDERS.some((folder) => existsSync(`${folder}/${tool}`)));
  if (absent.length > 0) return `${absent.join(", ")} not installed (Debian: iproute2, nftables, conntrack)`;
  try {
    const probe = `kindred-probe-${process.pid}`;
    run("ip", "netns", "add", probe);
    run("ip", "netns", "del", probe);
    return false;
  } catch {
    return "network namespaces cannot be made here (CAP_SYS_ADMIN is missing)";
  }
}

function run(...command: readonly string[]): string {
  return execFileSync(command[0]!, command.slice(1), { encoding: "utf8", stdio: ["pipe", "pipe", "pipe"] });
}

/** One end: reads commands, a JSON value a line, and says what arrived, and what conntrack expects. */
const AGENT = `
const net = require("node:net");
const { execFileSync } = require("node:child_process");
const { readFileSync } = require("node:fs");
// Spares a process where there is nothing to list; kernels without this file list always.
const nothing = () => {
  try {
    return readFileSync("/proc/self/net/nf_conntrack_expect", "utf8") === "";
  } catch {
    return false;
  }
};
const say = (value) => process.stdout.write(JSON.stringify(value) + "\\n");
const conntrack = (...words) => execFileSync("conntrack", words, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
let socket = null;
const use = (one) => {
  socket = one.setNoDelay(true).on("error", () => {});
  let bytes = 0;
  socket.on("data", (data) => say({ got: (bytes += data.length) }));
  say({ open: true });
};
require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const { listen, connect, send, reset, expectations, forget } = JSON.parse(line);
  if (listen) net.createServer(use).listen(21, "::", () => say({ listening: true }));
  if (connect) { const one = net.connect(21, connect, () => use(one)); }
  if (send !== undefined) socket.write(Buffer.from(send, "latin1"));
  if (reset && socket) socket.resetAndDestroy();
  if (expectations) {
    const expected = nothing() ? "" : conntrack("-L", "expect", "-f", expectations);
    if (expected.includes("proto=6")) conntrack("-F", "expect");
    say({ expected });
  }
  if (forget) { conntrack("-F"); say({ forgotten: true }); }
});
`;

type Told = Record<string, unknown>;

class Agent {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #said: Told[] = [];
  #wake: () => void = () => undefined;

  constructor(namespace: string) {
    this.#child = spawn("ip", ["netns", "exec", namespace, process.execPath, "-e", AGENT]);
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      this.#said.push(JSON.parse(line));
      this.#wake();
    });
  }

  tell(command: object): void {
    this.#child.stdin.write(`${JSON.stringify(command)}\n`);
  }

  /** Waits until it says so; null: it does not in time. */
  async hears(wanted: (said: Told) => boolean, patience = 10_000): Promise<Told | null> {
    const end = Date.now() + patience;
    for (;;) {
      const found = this.#said.find(wanted);
      const left = end - Date.now();
      if (found !== undefined || left <= 0) return found ?? null;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** The answer to `command`, which has `name` in it. */
  async ask(command: object, name: string): Promise<unknown> {
    this.forget((said) => name in said);
    this.tell(command);
    const answer = await this.hears((said) => name in said);
    if (answer === null) throw new Error(`an end in its namespace does not answer ${JSON.stringify(command)}`);
    return answer[name];
  }

  forget(which: (said: Told) => boolean = () => true): void {
    const kept = this.#said.filter((said) => !which(said));
    this.#said.splice(0, this.#said.length, ...kept);
  }

  end(): void {
    this.#child.kill("SIGKILL");
  }
}

let made = 0;

export class Kernel {
  readonly #names: readonly [client: string, server: string];
  #client!: Agent;
  #server!: Agent;
  readonly #patience: number;
  #family: 4 | 6 = 4;
  #sent = { C: 0, S: 0 };
  /** Who said what is expected. */
  #told = new Map<string, Part[0]>();

  /** `patience`: of a segment, milliseconds. */
  constructor(patience = PATIENCE) {
    this.#patience = patience;
    const prefix = `kindred-${process.pid}-${made++}`;
    this.#names = [`${prefix}-c`, `${prefix}-s`];
  }

  async start(): Promise<void> {
    const [client, server] = this.#names;
    for (const name of this.#names) run("ip", "netns", "add", name);
    run("ip", "link", "add", "veth0", "netns", client, "type", "veth", "peer", "name", "veth0", "netns", server);
    for (const [name, addresses] of [
      [client, CLIENT],
      [server, SERVER],
    ] as const) {
      run("ip", "-n", name, "addr", "add", `${addresses[4]}/24`, "dev", "veth0");
      run("ip", "-n", name, "addr", "add", `${addresses[6]}/64`, "dev", "veth0", "nodad");
      for (const link of ["lo", "veth0"]) run("ip", "-n", name, "link", "set", link, "up");
    }
    const rules =
      'table inet kindred {\n ct helper ftp {\n type "ftp" protocol tcp;\n }\n chain c {\n' +
      ' type filter hook prerouting priority 0;\n tcp dport 21 ct helper set "ftp"\n }\n}\n';
    execFileSync("ip", ["netns", "exec", server, "nft", "-f", "-"], { input: rules });
    this.#client = new Agent(client);
    this.#server = new Agent(server);
    await this.#server.ask({ listen: true }, "listening");
  }

  /** A new control connection. */
  async open(family: 4 | 6): Promise<void> {
    for (const agent of [this.#client, this.#server]) agent.forget();
    this.#family = family;
    this.#sent = { C: 0, S: 0 };
    this.#told.clear();
    this.#client.tell({ connect: SERVER[family] });
    for (const agent of [this.#client, this.#server]) {
      if ((await agent.hears(({ open }) => open === true)) === null) throw new Error("no connection in the namespaces");
    }
  }

  /** The next segment, once the one before has arrived. After one that was dropped there is nothing more to say. */
  async say([by, text]: Part): Promise<Heard> {
    this.#sent[by] += text.length;
    const all = this.#sent[by];
    const [speaker, hearer] = by === "C" ? [this.#client, this.#server] : [this.#server, this.#client];
    speaker.tell({ send: text });
    const arrived = await hearer.hears(({ got }) => Number(got) >= all, this.#patience);
    hearer.forget(({ got }) => Number(got) < all);
    const listed = await this.#server.ask({ expectations: `ipv${this.#family}` }, "expected");
    const end = expectation(String(listed));
    // TCP may send the other side's last segment again, and the kernel reads it again.
    const expected = end !== null && (this.#told.get(end) ?? by) === by ? end : null;
    if (expected !== null) this.#told.set(expected, by);
    return { expected, dropped: arrived === null };
  }

  async close(): Promise<void> {
    for (const agent of [this.#client, this.#server]) agent.tell({ reset: true });
    await this.#server.ask({ forget: true }, "forgotten");
  }

  end(): void {
    this.#client?.end();
    this.#server?.end();
    for (const name of this.#names) {
      try {
        run("ip", "netns", "del", name);
      } catch {
        // It was never made.
      }
    }
  }
}

/** From what `conntrack -L expect` lists. */
function expectation(listed: string): string | null {
  const line = listed.split("\n").find((one) => one.includes("proto=6"));
  const field = (name: string) =>
    line
      ?.split(" ")
      .find((word) => word.startsWith(`${name}=`))
      ?.slice(name.length + 1);
  return line === undefined ? null : `${field("dst")} ${field("dport")}`;
}
