/** A small FTP server that does as the test says, and says what the test wants. */
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import type { Test } from "tap";
import { listen } from "./live.ts";

export interface ScriptedOptions {
  /** What RETR sends. */
  readonly content?: Buffer;
  /** Where every passive data connection is awaited; 0: the kernel chooses. */
  readonly passivePort?: number;
  /** Instead of what it would do by itself: true when it was dealt with. */
  readonly answer?: (line: string, control: Socket) => boolean;
  readonly greeting?: string;
}

export interface Scripted {
  readonly address: string;
  readonly port: number;
  /** Commands that came, in order. */
  readonly commands: string[];
  readonly controls: Socket[];
  /** What STOR brought. */
  readonly stored: Buffer[];
}

interface Session {
  readonly control: Socket;
  data: Promise<Socket> | null;
}

const REPLIES: Readonly<Record<string, string>> = {
  USER: "331 password please",
  PASS: "230 in",
  TYPE: "200 ok",
  NOOP: "200 ok",
  ACCT: "230 noted",
};

export async function scripted(t: Test, address: string, options: ScriptedOptions = {}): Promise<Scripted> {
  const { greeting = "220 scripted\r\n", answer = () => false } = options;
  const commands: string[] = [];
  const controls: Socket[] = [];
  const stored: Buffer[] = [];
  const port = await listen(t, address, (control) => {
    const session: Session = { control, data: null };
    controls.push(control);
    control.write(greeting);
    let text = "";
    control.on("data", (chunk: Buffer) => {
      const lines = (text + chunk.toString("latin1")).split("\r\n");
      text = lines.pop()!;
      for (const line of lines) {
        commands.push(line);
        if (!answer(line, control)) void command(t, line, session, options, stored);
      }
    });
    control.on("end", () => control.end());
  });
  return { address, port, commands, controls, stored };
}

async function command(t: Test, line: string, session: Session, options: ScriptedOptions, stored: Buffer[]) {
  const { control } = session;
  const say = (text: string): unknown => control.write(`${text}\r\n`);
  const verb = line.slice(0, 4).trim();
  if (verb === "PASV" || verb === "EPSV") return say(await passive(t, verb, session, options));
  if (verb === "RETR" || verb === "STOR") {
    if (session.data === null) return say("425 no data connection");
    say("150 here it comes");
    const data = await session.data;
    session.data = null;
    if (verb === "RETR") data.end(options.content ?? "content");
    else stored.push(await all(data.on("end", () => data.end())));
    return say("226 done");
  }
  if (verb === "QUIT") {
    say("221 bye");
    return control.end();
  }
  return say(REPLIES[verb] ?? "502 no");
}

async function passive(t: Test, verb: string, session: Session, { passivePort = 0 }: ScriptedOptions): Promise<string> {
  const server: Server = createServer({ allowHalfOpen: true });
  t.teardown(() => server.close());
  session.data = new Promise((resolve) => {
    server.once("connection", (socket) => {
      server.close();
      t.teardown(() => socket.destroy());
      resolve(socket.on("error", () => {}));
    });
  });
  const host = session.control.localAddress!;
  server.listen(passivePort, host);
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  if (verb === "EPSV") return `229 Entering Extended Passive Mode (|||${port}|)`;
  return `227 Entering Passive Mode (${host.replaceAll(".", ",")},${port >> 8},${port & 255}).`;
}

async function all(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(socket, "end");
  return Buffer.concat(chunks);
}

/** The port that a 227 or a 229 names, and its address if it names one. */
export function announced(reply: string): { readonly host: string | null; readonly port: number } {
  const inside = reply.slice(reply.indexOf("(") + 1, reply.indexOf(")"));
  if (inside.startsWith("|")) return { host: null, port: Number(inside.split("|")[3]) };
  const numbers = inside.split(",").map(Number);
  return { host: numbers.slice(0, 4).join("."), port: numbers[4]! * 256 + numbers[5]! };
}
