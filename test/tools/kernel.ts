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

export interface Outcome {
  /** `address port` of the expectation that there is in the end, or null. */
  readonly expected: string | null;
  /** A segment did not arrive. */
  readonly dropped: boolean;
}

const TOOLS = ["/usr/sbin/ip", "/usr/sbin/nft", "/usr/sbin/conntrack"];

/** Why the kernel cannot be asked here, or false. For tap's `skip`. */
export function kernelMissing(): string | false {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "needs Linux and root";
  const absent = TOOLS.filter((tool) => !existsSync(tool) && !existsSync(tool.replace("/usr", "")));
  if (absent.length > 0) return `${absent.join(", ")} not installed`;
  try {
    const probe = `kindred-probe-${process.pid}`;
    run("ip", "netns", "add", probe);
    run("ip", "netns", "del", probe);
    return false;
  } catch {
    return "network namespaces cannot be made here";
  }
}

function run(...command: readonly string[]): string {
  return execFileSync(command[0]!, command.slice(1), { encoding: "utf8", stdio: ["pipe", "pipe", "pipe"] });
}

/** One end: reads commands, a JSON value a line, and says what arrived. */
const AGENT = `
const net = require("node:net");
const say = (value) => process.stdout.write(JSON.stringify(value) + "\\n");
let socket = null;
const use = (one) => {
  socket = one.setNoDelay(true).on("error", () => {});
  let bytes = 0;
  socket.on("data", (data) => say({ got: (bytes += data.length) }));
  say({ open: true });
};
require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const { listen, connect, send, reset } = JSON.parse(line);
  if (listen) net.createServer(use).listen(21, "::", () => say({ listening: true }));
  if (connect) { const one = net.connect(21, connect, () => use(one)); }
  if (send !== undefined) socket.write(Buffer.from(send, "latin1"));
  if (reset && socket) socket.resetAndDestroy();
});
`;

class Agent {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #said: Record<string, unknown>[] = [];
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

  /** Waits until it says so; false: it does not in time. */
  async hears(wanted: (said: Record<string, unknown>) => boolean, patience: number): Promise<boolean> {
    const end = Date.now() + patience;
    while (!this.#said.some(wanted)) {
      const left = end - Date.now();
      if (left <= 0) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return true;
  }

  forget(): void {
    this.#said.length = 0;
  }

  end(): void {
    this.#child.kill("SIGKILL");
  }
}

export class Kernel {
  readonly #names = [`kindred-${process.pid}-c`, `kindred-${process.pid}-s`] as const;
  #client!: Agent;
  #server!: Agent;

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
    this.#server.tell({ listen: true });
    if (!(await this.#server.hears(({ listening }) => listening === true, 10_000))) throw new Error("nobody listens");
  }

  /** A part after the other, each when the one before has arrived; one that does not arrive ends the dialogue. */
  async play(family: 4 | 6, parts: readonly Part[]): Promise<Outcome> {
    for (const agent of [this.#client, this.#server]) agent.forget();
    this.#client.tell({ connect: SERVER[family] });
    for (const agent of [this.#client, this.#server]) {
      if (!(await agent.hears(({ open }) => open === true, 10_000))) throw new Error("no connection");
    }
    const sent = { C: 0, S: 0 };
    let dropped = false;
    for (const [by, text] of parts) {
      sent[by] += text.length;
      const [speaker, hearer] = by === "C" ? [this.#client, this.#server] : [this.#server, this.#client];
      speaker.tell({ send: text });
      dropped = !(await hearer.hears(({ got }) => Number(got) >= sent[by], 1500));
      if (dropped) break;
    }
    const expected = this.#expectation();
    for (const agent of [this.#client, this.#server]) agent.tell({ reset: true });
    this.#conntrack("-F");
    return { expected, dropped };
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

  #expectation(): string | null {
    const lines = [4, 6].map((family) => this.#conntrack("-L", "expect", "-f", `ipv${family}`)).join("\n");
    const line = lines.split("\n").find((one) => one.includes("proto=6"));
    const field = (name: string) =>
      line
        ?.split(" ")
        .find((word) => word.startsWith(`${name}=`))
        ?.slice(name.length + 1);
    return line === undefined ? null : `${field("dst")} ${field("dport")}`;
  }

  #conntrack(...words: readonly string[]): string {
    return run("ip", "netns", "exec", this.#names[1], "conntrack", ...words);
  }
}
