/**
 * A small FTP server (RFC 959, RFC 2428): one folder, anonymous, one transfer at a time. A realserver for the
 * demonstration where ftp-srv, which is a development dependency, is not installed.
 */
import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { access, readdir, stat } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";

export interface FtpServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Serves the files of `root` on a free port of `host`. */
export async function startFtpServer(host: string, root: string): Promise<FtpServer> {
  const controls = new Set<Socket>();
  const server = createServer((control) => {
    controls.add(control);
    control.on("close", () => controls.delete(control));
    void new Session(control, root).run();
  });
  server.listen(0, host);
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const close = async (): Promise<void> => {
    server.close();
    for (const control of controls) control.destroy();
  };
  return { port, close };
}

/** A data connection that was agreed on; it comes once its transfer is announced. */
interface Data {
  open(): Promise<Socket>;
  /** It is not wanted any more. */
  cancel(): void;
}

class Session {
  readonly #control: Socket;
  readonly #root: string;
  /** Aborted when the control connection is over, and whatever is waited for with it. */
  readonly #over = new AbortController();
  #data: Data | null = null;

  constructor(control: Socket, root: string) {
    this.#control = control.on("error", () => {}).setEncoding("latin1");
    control.on("close", () => this.#over.abort());
    this.#root = root;
  }

  async run(): Promise<void> {
    this.#say("220 A server of the demonstration.");
    for await (const line of createInterface({ input: this.#control })) {
      const [verb = "", ...words] = line.trim().split(" ");
      await this.#obey(verb.toUpperCase(), words.join(" ")).catch(() => this.#say("451 That went wrong."));
      if (this.#control.writableEnded) break;
    }
    this.#data?.cancel();
  }

  #say(line: string): void {
    if (this.#control.writable) this.#control.write(`${line}\r\n`, "latin1");
  }

  async #obey(verb: string, argument: string): Promise<void> {
    const obeyed: Readonly<Record<string, () => unknown>> = {
      USER: () => this.#say("331 Any password."),
      PASS: () => this.#say("230 Logged in."),
      SYST: () => this.#say("215 UNIX Type: L8"),
      TYPE: () => this.#say("200 As you like."),
      NOOP: () => this.#say("200 Nothing done."),
      PWD: () => this.#say('257 "/"'),
      CWD: () => this.#say(argument === "/" ? "250 There you are." : "550 There is one folder."),
      PASV: () => this.#listen((address, port) => `227 Entering Passive Mode (${commas(address, port)}).`),
      EPSV: () => this.#listen((_, port) => `229 Entering Extended Passive Mode (|||${port}|).`),
      PORT: () => this.#connectTo(fromCommas(argument)),
      EPRT: () => this.#connectTo(fromBars(argument)),
      LIST: () => this.#list(),
      RETR: () => this.#send(argument),
      STOR: () => this.#transfer((data) => pipeline(data, createWriteStream(this.#path(argument)), this.#over)),
      QUIT: () => this.#control.end("221 Goodbye.\r\n"),
    };
    const obey = obeyed[verb] ?? (() => this.#say("502 Not here."));
    await obey();
  }

  /** Nothing outside of the folder has a name here. */
  #path(name: string): string {
    return join(this.#root, basename(name));
  }

  async #listen(reply: (address: string, port: number) => string): Promise<void> {
    this.#data?.cancel();
    const address = this.#control.localAddress!;
    const server: Server = createServer().listen(0, address);
    await once(server, "listening");
    const coming = once(server, "connection", this.#over) as Promise<[Socket]>;
    coming.catch(() => {});
    const cancel = (): void => void server.close();
    this.#data = { cancel, open: () => coming.then(([socket]) => socket).finally(cancel) };
    this.#say(reply(address, (server.address() as { port: number }).port));
  }

  /** Only to whom the control connection is with (RFC 2577 §3). */
  #connectTo(end: { readonly host: string; readonly port: number } | null): void {
    this.#data?.cancel();
    this.#data = null;
    if (end === null || end.host !== this.#control.remoteAddress) return this.#say("501 Not there.");
    const open = async (): Promise<Socket> => {
      const socket = connect(end);
      await once(socket, "connect", this.#over);
      return socket;
    };
    this.#data = { open, cancel: () => {} };
    this.#say("200 There, then.");
  }

  async #list(): Promise<void> {
    const names = await readdir(this.#root);
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(this.#root, name))).size));
    const lines = names.map((name, i) => `-rw-r--r-- 1 demo demo ${sizes[i]} Jan  1 00:00 ${name}\r\n`);
    await this.#transfer(async (data) => void (await once(data.end(lines.join("")), "finish")));
  }

  async #send(name: string): Promise<void> {
    const path = this.#path(name);
    const missing = await access(path).then(
      () => false,
      () => true,
    );
    if (missing) return this.#say("550 No such file.");
    await this.#transfer((data) => pipeline(createReadStream(path), data, this.#over));
  }

  async #transfer(run: (data: Socket) => Promise<void>): Promise<void> {
    const agreed = this.#data;
    this.#data = null;
    if (agreed === null) return this.#say("425 Say PASV or PORT first.");
    this.#say("150 Here it comes.");
    await run(await agreed.open());
    this.#say("226 Done.");
  }
}

const commas = (address: string, port: number): string => [...address.split("."), port >> 8, port & 255].join(",");

function fromCommas(argument: string): { host: string; port: number } | null {
  const numbers = argument.split(",").map(Number);
  if (numbers.length !== 6 || numbers.some((n) => !(n >= 0 && n <= 255))) return null;
  return { host: numbers.slice(0, 4).join("."), port: numbers[4]! * 256 + numbers[5]! };
}

/** `|1|192.0.2.1|5001|`, with any delimiter (RFC 2428 §2). */
function fromBars(argument: string): { host: string; port: number } | null {
  const [, , host, port] = argument.split(argument[0] ?? "|");
  return host === undefined || !(Number(port) > 0) ? null : { host, port: Number(port) };
}
