/**
 * A plain FTP client that takes every address as it is told: where a mild client would quietly correct a wrong 227, this
 * one fails. Loopback demonstration and tests only.
 */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

export type Mode = "PORT" | "PASV" | "EPRT" | "EPSV";
export const modes: readonly Mode[] = ["PORT", "PASV", "EPRT", "EPSV"];

/** A data connection that is agreed on: its socket comes once the transfer command is out. */
type Data = () => Promise<Socket>;

const TIMEOUT = 60_000;

export class FtpClient {
  readonly #socket: Socket;
  #text = "";
  #wake: () => void = () => {};
  #ended: Error | null = null;
  /** All that the server side sent, for those who look for addresses in it. */
  received = "";

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("latin1").setTimeout(TIMEOUT, () => socket.destroy(new Error("no answer in 60 s")));
    socket.on("data", (text: string) => {
      this.#text += text;
      this.received += text;
      this.#wake();
    });
    const ended = (error?: Error): void => {
      this.#ended ??= error ?? new Error("the control connection closed");
      this.#wake();
    };
    socket.on("error", ended).on("close", () => ended());
  }

  /** Connects (from `localAddress`, if given), reads the greeting and logs in. */
  static async login(host: string, port: number, localAddress?: string): Promise<FtpClient> {
    const socket = connect({ host, port, ...(localAddress === undefined ? {} : { localAddress }) });
    const client = new FtpClient(socket);
    await client.reply(220);
    await client.command("USER anonymous", 331, 230, 232);
    await client.command("PASS guest@example.net", 230, 202, 232);
    await client.command("TYPE I", 200);
    return client;
  }

  async list(mode: Mode): Promise<string> {
    return (await this.#receive(mode, "LIST")).toString("latin1");
  }

  download(mode: Mode, name: string): Promise<Buffer> {
    return this.#receive(mode, `RETR ${name}`);
  }

  async upload(mode: Mode, name: string, content: Buffer): Promise<void> {
    const socket = await this.#transfer(mode, `STOR ${name}`);
    socket.end(content);
    socket.resume();
    await Promise.all([once(socket, "close"), this.reply(226, 250)]);
  }

  async quit(): Promise<void> {
    await this.command("QUIT", 221);
    this.#socket.destroy();
  }

  close(): void {
    this.#socket.destroy();
  }

  async command(line: string, ...codes: number[]): Promise<string> {
    this.#socket.write(`${line}\r\n`, "latin1");
    return this.reply(...codes);
  }

  /** The next whole reply, which must have one of `codes`. */
  async reply(...codes: number[]): Promise<string> {
    for (;;) {
      const reply = takeReply(this.#text);
      if (reply !== null) {
        this.#text = this.#text.slice(reply.length);
        if (codes.includes(Number(reply.slice(0, 3)))) return reply;
        throw new Error(`expected ${codes.join(" or ")}, got: ${reply.trim()}`);
      }
      if (this.#ended !== null) throw this.#ended;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async #receive(mode: Mode, command: string): Promise<Buffer> {
    const socket = await this.#transfer(mode, command);
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk)).resume();
    await Promise.all([once(socket, "end"), this.reply(226, 250)]);
    socket.end();
    return Buffer.concat(chunks);
  }

  async #transfer(mode: Mode, command: string): Promise<Socket> {
    const data = mode === "PORT" || mode === "EPRT" ? await this.#listen(mode) : await this.#passive(mode);
    const answered = this.command(command, 150, 125);
    const [socket] = await Promise.all([data(), answered]);
    return socket.setTimeout(TIMEOUT, () => socket.destroy(new Error("the data connection stood still for 60 s")));
  }

  async #passive(mode: "PASV" | "EPSV"): Promise<Data> {
    const reply = await this.command(mode, mode === "PASV" ? 227 : 229);
    const inside = reply.slice(reply.indexOf("(") + 1, reply.indexOf(")"));
    const [a, b, c, d, high, low] = inside.split(",").map(Number);
    const [host, port] =
      mode === "PASV" ? [`${a}.${b}.${c}.${d}`, high! * 256 + low!] : [this.#peer(), Number(inside.split("|")[3])];
    const { localAddress } = this.#socket;
    const socket = connect({ host, port, ...(localAddress === undefined ? {} : { localAddress }) });
    const connected = once(socket, "connect");
    return async () => {
      await connected;
      return socket;
    };
  }

  async #listen(mode: "PORT" | "EPRT"): Promise<Data> {
    const host = this.#socket.localAddress!;
    const server: Server = createServer({ pauseOnConnect: true }).listen(0, host);
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const coming = once(server, "connection");
    const argument =
      mode === "PORT"
        ? `${host.replaceAll(".", ",")},${port >> 8},${port & 255}`
        : `|${host.includes(":") ? 2 : 1}|${host}|${port}|`;
    await this.command(`${mode} ${argument}`, 200);
    return async () => {
      const timeout = setTimeout(() => server.emit("error", new Error("no data connection in 60 s")), TIMEOUT);
      const [socket] = (await coming) as [Socket];
      clearTimeout(timeout);
      server.close();
      return socket;
    };
  }

  #peer(): string {
    return this.#socket.remoteAddress!;
  }
}

/** The first whole reply in `text`, with its line ends; null when it is not complete. */
function takeReply(text: string): string | null {
  const code = text.slice(0, 3);
  for (let start = 0; ; ) {
    const end = text.indexOf("\n", start);
    if (end < 0) return null;
    const line = text.slice(start, end);
    if (line.startsWith(code) && line[3] !== "-") return text.slice(0, end + 1);
    start = end + 1;
  }
}
