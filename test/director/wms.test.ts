/** WMS's port has datagrams too (requests for lost packets), which its helper does not read. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import t, { type Test } from "tap";
import { freePort } from "../../tools/demo/realserver.ts";
import { CLIENT, Live, REAL_A, VIP } from "./live.ts";

async function bound(t: Test, host: string): Promise<Socket> {
  const socket = createSocket("udp4");
  t.teardown(() => void socket.close());
  socket.bind(0, host);
  await once(socket, "listening");
  return socket;
}

t.test("datagrams on the port of a helper that reads connections go through unread", async (t) => {
  const real = await bound(t, REAL_A);
  real.on("message", (said, from) => real.send(`again: ${said}`, from.port, from.address));
  const port = await freePort(VIP);
  const service = `{ name: media, vip: ${VIP}, ports: [tcp/${port}, udp/${port}], helper: wms, realservers: [{ address: ${REAL_A}, port: ${real.address().port} }] }`;
  const { path } = await Live.start(t, `services: [${service}]\nhelpers: { wms: { ports: [${port}] } }\n`, port);
  const player = await bound(t, CLIENT);
  const answered = once(player, "message");
  player.send("3 10", port, VIP);
  t.equal(String((await answered)[0]), "again: 3 10");
  t.equal(path.counters.get("fault.not-mms"), 0);
  t.equal(path.counters.get("connections.datagram"), 1);
});
