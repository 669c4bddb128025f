/**
 * Many FTP sessions that wait, and one that transfers. KINDRED_IDLE_SESSIONS says how many; 10,000 need a limit of
 * about 21,000 open files (`ulimit -n`) and ten to twenty seconds.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import t from "tap";
import { ROOM } from "../../director/datapath/waiting-room.ts";
import { FtpClient } from "../../tools/demo/ftp-client.ts";
import { freePort } from "../../tools/demo/realserver.ts";
import { CLIENT, dial, ftpConfig, REAL_A, sha256, until, VIP } from "./live.ts";
import { built, Process } from "./process.ts";
import { scripted } from "./scripted.ts";

const { KINDRED_IDLE_SESSIONS = "1000" } = process.env;
const SESSIONS = Number(KINDRED_IDLE_SESSIONS);
/** At once: so many are let in at once, and nobody has to wait. */
const BATCH = ROOM.perTurn;

/** Open files that a process may have; Node raises its own limit to it. */
function mostFiles(): number {
  try {
    const [, limit = ""] = /^Max open files +\S+ +(\S+)/m.exec(readFileSync("/proc/self/limits", "latin1")) ?? [];
    return limit === "unlimited" ? Number.POSITIVE_INFINITY : Number(limit);
  } catch {
    return Number.NaN;
  }
}

const residentKilobytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]);

// Two sockets of a session are the director's, two are this process's own.
const needed = SESSIONS * 2 + 600;
const limit = mostFiles();
const skip = limit >= needed ? built : { skip: `needs ${needed} open files a process, the limit here is ${limit}` };

t.test(`${SESSIONS} idle FTP sessions, and a transfer beside them`, skip, async (t) => {
  const content = randomBytes(1_000_000);
  const real = await scripted(t, REAL_A, { content });
  const port = await freePort(VIP);
  const rest = "related: { standing: 16 }\nlog: { level: warn }";
  const director = await Process.start(t, ftpConfig(VIP, port, [real], "", `${rest}\ntimeouts: { drain: 5s }`));
  await until(() => director.over || residentKilobytes(director.child.pid!) > 0, "it runs");
  await until(() => dialable(port), "it listens");

  const login = async (): Promise<Socket> => {
    const socket = await dial(t, VIP, port, CLIENT);
    await expect(socket, "220");
    socket.write("USER me\r\n");
    await expect(socket, "331");
    socket.write("PASS me\r\n");
    await expect(socket, "230");
    return socket;
  };

  const warm = await login();
  const before = residentKilobytes(director.child.pid!);
  const idle: Socket[] = [];
  while (idle.length < SESSIONS) {
    idle.push(...(await Promise.all(Array.from({ length: Math.min(BATCH, SESSIONS - idle.length) }, login))));
  }
  const grown = residentKilobytes(director.child.pid!) - before;
  t.comment(
    `${SESSIONS} idle sessions: ${(grown / SESSIONS).toFixed(1)} KB each, ${Math.round(grown / 1024)} MB in all`,
  );
  t.ok(grown / SESSIONS < 100, "less than 100 KB each");

  const client = await FtpClient.login(VIP, port, "127.0.0.5");
  for (const mode of ["PASV", "EPSV"] as const) {
    t.equal(sha256(await client.download(mode, "it")), sha256(content), `a transfer in ${mode} mode is right`);
  }
  await client.quit();
  for (const socket of [warm, idle[0]!, idle.at(-1)!]) {
    socket.write("NOOP\r\n");
    t.match(String((await once(socket, "data"))[0]), /^200/, "and an idle session goes on");
  }
  const warned = director.events.filter(({ level }) => level !== "info");
  t.same(warned, [], "nothing to warn of");
  for (const socket of idle) socket.resume();
  director.child.kill("SIGTERM");
  t.equal(await director.exited, 0);
});

async function expect(socket: Socket, code: string): Promise<void> {
  const [reply] = await once(socket, "data");
  if (!String(reply).startsWith(code)) throw new Error(`expected ${code}, got: ${reply}`);
}

/** Whether somebody listens on the VIP's port, as the kernel sees it. */
function dialable(port: number): boolean {
  const [a, b, c, d] = VIP.split(".").map((n) => Number(n).toString(16).padStart(2, "0"));
  const end = `${d}${c}${b}${a}:${port.toString(16).padStart(4, "0")}`.toUpperCase();
  return readFileSync("/proc/net/tcp", "latin1").includes(`${end} 00000000:0000 0A`);
}
