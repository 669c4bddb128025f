/** Checks put to servers that tests script. */
import type { Socket } from "node:net";
import type { Test } from "tap";
import { parseConfig } from "../../../director/config.ts";
import type { Target, Verdict } from "../../../director/health/check.ts";
import { checks } from "../../../director/health/checks.ts";
import { targetsOf } from "../../../director/health/targets.ts";
import { freePort } from "../../../tools/demo/realserver.ts";
import { listen } from "../live.ts";

export const HOST = "127.0.0.1";

/** `check`: as in a configuration. */
export function target(port: number, check: string, file = "test.yaml"): Target {
  const service = `{ name: s, vip: 192.0.2.1, ports: [tcp/9], check: { ${check} }, realservers: [{ address: ${HOST}, port: ${port} }] }`;
  return targetsOf(parseConfig(`services: [${service}]`, file))[0]!;
}

/** What the check makes of whoever is there; `patience`: milliseconds until it is stopped. */
export async function asked(port: number, check: string, file = "test.yaml", patience = 20_000): Promise<Verdict> {
  const one = target(port, check, file);
  return checks[one.check.kind](one, AbortSignal.timeout(patience));
}

/** A server of TCP whose every byte is heard by `script`. */
export const server = (t: Test, script: (socket: Socket) => void): Promise<number> =>
  listen(t, HOST, (socket) => {
    socket.resume();
    script(socket);
  });

export const nobody = (): Promise<number> => freePort(HOST);

/** What every check of a protocol over TCP makes of servers that are none. */
export function refusals(t: Test, check: string, file = "test.yaml"): void {
  t.test("a port where nobody listens is refused", async (t) => {
    t.equal(await asked(await nobody(), check, file), "ECONNREFUSED");
  });
  t.test("one that says nothing is waited for until the check is stopped, and then let go", async (t) => {
    let closed: Promise<unknown> | null = null;
    const port = await server(t, (socket) => {
      closed = new Promise((resolve) => socket.once("end", resolve).once("close", resolve));
    });
    t.equal(await asked(port, check, file, 100), "stopped");
    await closed;
  });
  t.test("one that closes at once has not answered", async (t) => {
    t.equal(await asked(await server(t, (socket) => void socket.end()), check, file), "closed");
  });
  t.test("one that never ends a line is not heard for long", async (t) => {
    const port = await server(t, (socket) => void socket.write("2".repeat(100_000)));
    t.equal(await asked(port, check, file), "answer-too-long");
  });
}
