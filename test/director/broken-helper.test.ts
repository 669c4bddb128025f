/** What becomes of a connection whose helper breaks, as the configuration says. */
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import { freePort } from "../../tools/demo/realserver.ts";
import { CLIENT, dial, ending, folder, Live, listen, REAL_A, VIP } from "./live.ts";

const BROKEN = `
export const helper = {
  name: "broken", transport: "tcp", ports: [9000], sources: ["none"],
  limits: { pending: 1, ttl: 30_000, hold: 64, patience: 10_000 },
  open: () => ({ inspect() { throw new Error("a bug"); } }),
};
`;

/** A connection through it, to a server that says again what it hears. */
async function connection(t: Test, onFailure: string) {
  const module = join(await folder(t), "broken.mjs");
  await writeFile(module, BROKEN);
  const real = await listen(t, REAL_A, (socket) => void socket.pipe(socket));
  const port = await freePort(VIP);
  const live = await Live.start(
    t,
    `
services:
  - { name: s, vip: ${VIP}, ports: [tcp/${port}], helper: broken, realservers: [{ address: ${REAL_A}, port: ${real} }] }
helpers:
  broken: { module: ${module}, ports: [${port}], onFailure: ${onFailure} }
related: { standing: 1 }
`,
    port,
  );
  const socket = await dial(t, VIP, port, CLIENT);
  socket.write("hello");
  return { live, socket };
}

t.test("open: it goes on, and nobody reads it", async (t) => {
  const { live, socket } = await connection(t, "open");
  t.equal(String((await once(socket, "data"))[0]), "hello");
  t.match(JSON.stringify(live.events), /helper-threw/);
});

t.test("closed: it is ended, and nothing of it gets through", async (t) => {
  const { live, socket } = await connection(t, "closed");
  let heard = "";
  socket.on("data", (bytes) => (heard += String(bytes)));
  await ending(socket);
  t.equal(heard, "");
  t.match(JSON.stringify(live.events), /helper-threw/);
});
