/** Calls through the socket path: scripted telephones, real sockets, media both ways through places of the director's own. */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import t, { type Test } from "tap";
import { freePort } from "../../tools/demo/realserver.ts";
import { CLIENT, Live, REAL_A, until, VIP } from "./live.ts";

const STRANGER = "127.0.0.5";

async function bound(t: Test, address: string, port = 0): Promise<Socket> {
  const socket = createSocket("udp4");
  t.teardown(() => void socket.close());
  socket.bind(port, address);
  await once(socket, "listening");
  return socket;
}

/** Media and reports of one telephone, on ports side by side. */
async function mediaAt(t: Test, address: string): Promise<readonly [Socket, Socket]> {
  for (;;) {
    const [low, high] = [createSocket("udp4"), createSocket("udp4")];
    low.bind(0, address);
    await once(low, "listening");
    high.bind(low.address().port + 1, address);
    // An error ends the waiting, too.
    const free = await once(high, "listening").then(
      () => true,
      () => false,
    );
    if (free && low.address().port % 2 === 0) {
      for (const socket of [low, high]) t.teardown(() => void socket.close());
      return [low, high];
    }
    low.close();
    if (free) high.close();
  }
}

/** One end of the signalling. */
interface Phone {
  readonly address: string;
  /** Where it is reached, as it says itself. */
  readonly contact: string;
  readonly media: readonly [Socket, Socket];
  readonly heard: string[];
  say(message: string): void;
}

const lines = (...said: string[]): string => said.map((line) => `${line}\r\n`).join("");

function message(first: string, from: Phone, method: string, media: number | null): string {
  const body =
    media === null
      ? ""
      : lines(
          "v=0",
          `o=- 1 1 IN IP4 ${from.address}`,
          "s=-",
          `c=IN IP4 ${from.address}`,
          "t=0 0",
          `m=audio ${media} RTP/AVP 0`,
        );
  return `${lines(
    first,
    `Via: SIP/2.0/X ${from.contact};branch=z9hG4bK1;rport`,
    "Call-ID: one",
    `CSeq: 1 ${method}`,
    `Contact: <sip:x@${from.contact}>`,
    "Content-Type: application/sdp",
    `Content-Length: ${body.length}`,
  )}\r\n${body}`;
}

const portOf = ([socket]: readonly Socket[]): number => socket!.address().port;
const invite = (from: Phone, to: string): string =>
  message(`INVITE sip:x@${to} SIP/2.0`, from, "INVITE", portOf(from.media));
const bye = (from: Phone, to: string): string => message(`BYE sip:x@${to} SIP/2.0`, from, "BYE", null);
const answer = (from: Phone): string => message("SIP/2.0 200 OK", from, "INVITE", portOf(from.media));

/** Where the last description that `phone` heard says that media go. */
function described({ heard }: Phone): { readonly host: string; readonly port: number } {
  const text = heard.at(-1) ?? "";
  return { host: /c=IN IP4 (\S+)/.exec(text)?.[1] ?? "", port: Number(/m=audio (\d+)/.exec(text)?.[1]) };
}

/** `said`, once `socket` hears it; whence. */
async function hears(socket: Socket, say: () => void): Promise<RemoteInfo & { readonly text: string }> {
  const coming = once(socket, "message") as Promise<[Buffer, RemoteInfo]>;
  say();
  const [bytes, from] = await coming;
  return { ...from, text: bytes.toString() };
}

interface Call {
  readonly live: Live;
  readonly client: Phone;
  readonly real: Phone;
  /** The service's address, as clients know it. */
  readonly service: string;
}

async function overUdp(t: Test): Promise<Call> {
  const server = await bound(t, REAL_A);
  const telephone = await bound(t, CLIENT);
  const port = await freePort(VIP);
  const live = await start(t, `udp/${port}`, port, server.address().port);
  let source: RemoteInfo | null = null;
  const real = await phone(t, REAL_A, server.address().port, (said) =>
    server.send(said, source!.port, source!.address),
  );
  server.on("message", (said, from) => {
    source = from;
    real.heard.push(said.toString("latin1"));
  });
  const client = await phone(t, CLIENT, telephone.address().port, (said) => telephone.send(said, port, VIP));
  telephone.on("message", (said) => client.heard.push(said.toString("latin1")));
  return { live, client, real, service: `${VIP}:${port}` };
}

async function overTcp(t: Test): Promise<Call> {
  const server = createServer();
  t.teardown(() => void server.close());
  server.listen(0, REAL_A);
  await once(server, "listening");
  const realPort = (server.address() as { port: number }).port;
  const port = await freePort(VIP);
  const live = await start(t, `tcp/${port}`, port, realPort);
  const accepted = once(server, "connection");
  const telephone = connect({ host: VIP, port, localAddress: CLIENT });
  t.teardown(() => void telephone.destroy());
  await once(telephone, "connect");
  const [stream] = (await accepted) as [typeof telephone];
  t.teardown(() => void stream.destroy());
  const real = await phone(t, REAL_A, realPort, (said) => stream.write(said, "latin1"));
  stream.on("data", (said) => real.heard.push(said.toString("latin1")));
  const client = await phone(t, CLIENT, telephone.localPort!, (said) => telephone.write(said, "latin1"));
  telephone.on("data", (said) => client.heard.push(said.toString("latin1")));
  return { live, client, real, service: `${VIP}:${port}` };
}

function start(t: Test, listen: string, port: number, real: number): Promise<Live> {
  const service = `{ name: calls, vip: ${VIP}, ports: [${listen}], helper: sip, realservers: [{ address: ${REAL_A}, port: ${real} }] }`;
  return Live.start(t, `services:\n  - ${service}\nhelpers:\n  sip: { ports: [${port}] }\n`, port);
}

async function phone(t: Test, address: string, port: number, say: Phone["say"]): Promise<Phone> {
  return { address, contact: `${address}:${port}`, media: await mediaAt(t, address), heard: [], say };
}

async function says(from: Phone, said: string, to: Phone): Promise<string> {
  const before = to.heard.length;
  from.say(said);
  await until(() => to.heard.length > before, "it is heard");
  return to.heard.at(-1)!;
}

/** Media and reports go both ways between the two ends of a call. */
async function talks(t: Test, { client, real }: Call): Promise<void> {
  const [toReal, toClient] = [described(client), described(real)];
  for (const [i, what] of ["media", "reports"].entries()) {
    const [mine, theirs] = [client.media[i]!, real.media[i]!];
    const there = await hears(theirs, () => mine.send(`client's ${what}`, toReal.port + i, toReal.host));
    t.equal(there.text, `client's ${what}`);
    const here = await hears(mine, () => theirs.send(`server's ${what}`, toClient.port + i, toClient.host));
    t.equal(here.text, `server's ${what}`);
    t.same([here.address, here.port], [toReal.host, toReal.port + i], "from where the client sends to");
    t.same([there.address, there.port], [toClient.host, toClient.port + i], "and the same towards the realserver");
  }
}

for (const [name, open] of [
  ["UDP", overUdp],
  ["TCP", overTcp],
] as const) {
  t.test(
    `${name}: a client calls: both ends see the director, media and reports go both ways, and BYE ends them`,
    async (t) => {
      const call = await open(t);
      const { client, real, live, service } = call;
      const offered = await says(client, invite(client, service), real);
      t.notMatch(offered.replace(/^o=.*$/m, ""), CLIENT, "the realserver is told of no end that is the client's");
      t.notMatch(offered, VIP);
      const answered = await says(real, answer(real), client);
      t.notMatch(answered, REAL_A, "the client is told nothing of the realserver's");
      t.equal(described(client).host, VIP);
      t.match(answered, `o=- 1 1 IN IP4 ${VIP}\r\n`);
      await talks(t, call);
      t.same([...live.kinds], ["sip-rtp", "sip-rtcp", "sip-rtp", "sip-rtcp"]);
      await says(client, bye(client, service), real);
      await until(
        () => live.of("closed").filter(({ role }) => role === "related").length === 2,
        "both flows are closed",
      );
    },
  );

  t.test(`${name}: the realserver calls its client on the flow that the client opened`, async (t) => {
    const call = await open(t);
    const { client, real, service } = call;
    const registered = await says(client, message(`REGISTER sip:${service} SIP/2.0`, client, "REGISTER", null), real);
    const contact = /Contact: <sip:x@(\S+)>/.exec(registered)![1]!;
    const called = await says(real, invite(real, contact), client);
    t.match(called, `INVITE sip:x@${client.contact} SIP/2.0`, "by the name that the client gave");
    t.equal(described(client).host, VIP);
    await says(client, answer(client), real);
    await talks(t, call);
  });
}

t.test("what is sent again is written as before, and the media stay where they are", async (t) => {
  const call = await overUdp(t);
  const { client, real, service } = call;
  const offered = await says(client, invite(client, service), real);
  t.equal(await says(client, invite(client, service), real), offered);
  const answered = await says(real, answer(real), client);
  t.equal(await says(client, invite(client, service), real), offered);
  t.equal(await says(real, answer(real), client), answered);
  await talks(t, call);
  t.equal(await says(real, answer(real), client), answered, "in the middle of the call");
  t.equal(await says(client, invite(client, service), real), offered);
  await talks(t, call);
});

t.test("a hold that is refused, and a refresh that is challenged, cut no call", async (t) => {
  const call = await overUdp(t);
  const { client, real, service } = call;
  await says(client, invite(client, service), real);
  await says(real, answer(real), client);
  await talks(t, call);
  const [agreed, told] = [described(client), described(real)];
  for (const status of ["491 Request Pending", "401 Unauthorized"]) {
    await says(client, invite(client, service), real);
    await says(real, message(`SIP/2.0 ${status}`, real, "INVITE", null), client);
    const heard = await hears(real.media[0], () => client.media[0].send("still", agreed.port, agreed.host));
    t.equal(heard.text, "still");
    t.equal((await hears(client.media[0], () => real.media[0].send("here", told.port, told.host))).text, "here");
  }
});

t.test("a call that goes on from another port of the client's: its media follow", async (t) => {
  const call = await overUdp(t);
  const { client, real, service } = call;
  await says(client, invite(client, service), real);
  await says(real, answer(real), client);
  await talks(t, call);
  const moved = { ...client, media: await mediaAt(t, CLIENT) };
  await says(client, invite(moved, service), real);
  await says(real, answer(real), client);
  await talks(t, { ...call, client: moved });
});

t.test("a stranger's datagrams reach nobody", async (t) => {
  const { client, real, service, live } = await overUdp(t);
  await says(client, invite(client, service), real);
  await says(real, answer(real), client);
  const stranger = await bound(t, STRANGER);
  let strange = 0;
  real.media[0].on("message", (said) => void (said.toString() === "strange" && strange++));
  const { port, host } = described(client);
  stranger.send("strange", port, host);
  const heard = await hears(real.media[0], () => client.media[0].send("mine", port, host));
  t.equal(heard.text, "mine");
  t.equal(strange, 0);
  t.equal((await live.path.counts())["refused.wrong-address"], 1);
});
