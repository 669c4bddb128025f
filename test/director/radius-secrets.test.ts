/** Shared secrets of RADIUS, passwords and State are in no event, metric, page, list or dump, whatever goes wrong. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import { routes } from "../../director/control/routes.ts";
import { accessRequest, packet } from "../helpers/radius/packets.ts";
import { ask, operated } from "./control/operated.ts";
import { CLIENT, folder, REAL_A, until, VIP } from "./live.ts";

const CANARY = "swordfish";
const HEX = Buffer.from(CANARY).toString("hex");
const CANARIES = new RegExp(`${CANARY}|${HEX}|${Buffer.from(CANARY).toString("base64url")}`, "i");
const USER_PASSWORD = 2;
const CHAP_PASSWORD = 3;
const STATE = 24;
const CLASS = 25;

async function bound(t: Test, address: string, port = 0): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind(port, address);
  await once(socket, "listening");
  t.teardown(() => socket.close());
  return socket;
}

const secrets: [type: number, value: string][] = [USER_PASSWORD, CHAP_PASSWORD, STATE, CLASS].map((type) => [
  type,
  CANARY,
]);

/** Requests whose every part that is nobody's business says so, whole and broken. */
const requests: readonly Uint8Array[] = [
  accessRequest(1, [[1, "bob"], ...secrets]),
  accessRequest(1, [[1, "bob"], ...secrets]),
  accessRequest(2, [[1, "bob"], ...secrets]).subarray(0, 40),
  Uint8Array.from([...accessRequest(3, secrets), ...Buffer.from(CANARY)]),
  packet(CANARY.charCodeAt(0), 4, secrets),
  Buffer.from(CANARY),
];

t.test("what RADIUS keeps secret is told to nobody who may look", async (t) => {
  const own = await folder(t);
  await writeFile(join(own, "secret"), `${CANARY}\n`, { mode: 0o600 });
  const real = await bound(t, REAL_A);
  const client = await bound(t, CLIENT);
  const { port } = real.address();
  const checked: Buffer[] = [];
  real.on("message", (request: Buffer, from) => {
    if (request[0] === 12) checked.push(request);
    // A challenge with the secret in it; to the check an answer that is signed by nobody.
    real.send(packet(11, request[1]!, [[18, CANARY], ...secrets]), from.port, from.address);
  });
  const check = `check: { kind: radius, secretFile: ${own}/secret, interval: 500ms, fall: 2 }`;
  const service = `{ name: radius, vip: ${VIP}, ports: [udp/${port}], helper: radius, ${check}, realservers: [{ address: ${REAL_A} }] }`;
  const key = "key: [Calling-Station-Id, User-Name]";
  const director = await operated(
    t,
    `services: [${service}]\nhelpers: { radius: { ports: [${port}], ${key} } }\nlog: { level: debug }\n`,
  );
  let answers = 0;
  client.on("message", () => answers++);
  for (const request of requests) client.send(request, port, VIP);
  await until(() => answers > 0 && checked.length > 1, "it has answered, and was checked");
  await until(() => director.log.some(({ event }) => event === "realserver-down"), "it fails its check");

  t.notMatch(JSON.stringify(director.log), CANARIES, "no event");
  for (const { method, path, stream } of routes) {
    if (method !== "GET" || stream) continue;
    const at = path.replace(":service", "radius").replace(":realserver", REAL_A);
    const { status, text } = await ask(director.socket, at);
    t.equal(status, 200, at);
    t.notMatch(text, CANARIES, at);
  }
  t.match((await ask(director.socket, "/v1/config")).text, /secretFile/, "of the secret there is its file's name");
});
