import { once } from "node:events";
import t from "tap";
import { freePort } from "../../tools/demo/realserver.ts";
import { CLIENT, dial, Live, listen, REAL_A, VIP } from "./live.ts";

// Once, RTSP's client_port became the port of a TCP listener: the stream went nowhere, and the player waited for it.
t.test("an announced flow of datagrams is given no TCP listener", async (t) => {
  const real = await listen(t, REAL_A, (socket) => void socket.on("data", (request) => socket.write(request)));
  const port = await freePort(VIP);
  const service = `{ name: media, vip: ${VIP}, ports: [tcp/${port}], helper: rtsp, realservers: [{ address: ${REAL_A}, port: ${real} }] }`;
  await Live.start(t, `services:\n  - ${service}\nhelpers:\n  rtsp: { ports: [${port}] }\n`, port);
  const player = await dial(t, VIP, port, CLIENT);
  player.write("SETUP rtsp://media/ RTSP/1.0\r\nCSeq: 1\r\nTransport: RTP/AVP;unicast;client_port=5000-5001\r\n\r\n");
  t.match(String((await once(player, "data"))[0]), "Transport: x-refused");
});
