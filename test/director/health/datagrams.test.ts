/** Checks over UDP, put to servers that tests script. */
import { createHash, createHmac } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import { Address } from "../../../core/wire/address.ts";
import { checks } from "../../../director/health/checks.ts";
import { folder } from "../live.ts";
import { asked, HOST, nobody, target } from "./asked.ts";

async function server(t: Test, answer: (message: Buffer) => Buffer | null, fromElsewhere = false): Promise<number> {
  const socket = createSocket("udp4");
  const other = createSocket("udp4");
  t.teardown(() => {
    socket.close();
    other.close();
  });
  socket.on("message", (message, { port, address }) => {
    const text = answer(message);
    if (text !== null) (fromElsewhere ? other : socket).send(text, port, address);
  });
  socket.bind(0, HOST);
  await once(socket, "listening");
  return socket.address().port;
}

const bytes = (...numbers: number[]): Buffer => Buffer.from(numbers);

/** `answer`, once what was heard is kept. */
function keeping<T>(heard: T[], what: T, answer: Buffer): Buffer {
  heard.push(what);
  return answer;
}

t.test("silence lasts until the check is stopped; a closed port refuses", async (t) => {
  for (const kind of ["xdmcp", "tftp"]) {
    t.equal(await asked(await server(t, () => null), `kind: ${kind}`, "test.yaml", 60), "stopped");
  }
  t.equal(await asked(await nobody(), "kind: xdmcp"), "ECONNREFUSED");
});

/**
 * The kernel refuses at once to connect where there is no way to: an interface is down, and its routes are gone. What it said
 * was taken for success, and what was sent then ended the whole director (ERR_SOCKET_BAD_PORT). Nor is there a way to all
 * hosts of a network for who has not asked for it.
 */
t.test("where no datagram can be sent to the check has an answer, and nothing else happens", async (t) => {
  for (const kind of ["xdmcp", "tftp", "dns, zone: example.net"]) {
    const one = { ...target(9, `kind: ${kind}`), address: Address.parse("255.255.255.255")! };
    t.equal(await checks[one.check.kind](one, AbortSignal.timeout(20_000)), "EACCES", kind);
  }
});

t.test("XDMCP: who is willing serves, and nobody else", async (t) => {
  const says = async (...answer: number[]) => asked(await server(t, () => bytes(...answer)), "kind: xdmcp");
  t.equal(await says(0, 1, 0, 5, 0, 0), null);
  t.equal(await says(0, 1, 0, 6, 0, 0), "unwilling");
  t.equal(await says(0, 1, 0, 9, 0, 0), "not-xdmcp");
  t.equal(await says(0, 1), "not-xdmcp");
  const heard: Buffer[] = [];
  await asked(await server(t, (query) => keeping(heard, query, bytes(0, 1, 0, 5, 0, 0))), "kind: xdmcp");
  t.same(heard, [bytes(0, 1, 0, 2, 0, 1, 0)]);
});

t.test("TFTP: data or an error, from whatever port, is a server; what else comes is none", async (t) => {
  const heard: string[] = [];
  const says = async (...answer: number[]) => {
    const port = await server(t, (request) => keeping(heard, request.toString("latin1"), bytes(...answer)), true);
    return asked(port, "kind: tftp");
  };
  t.equal(await says(0, 5, 0, 1, 0), null);
  t.equal(await says(0, 3, 0, 1, 65), null);
  t.equal(await says(0, 9, 0, 1), "not-tftp");
  t.equal(await says(0), "not-tftp");
  t.equal(heard[0], "\0\x01kindred-check\0octet\0");
});

t.test("RADIUS: an answer of who has the secret counts, and says whether it serves", async (t) => {
  const path = await folder(t);
  await writeFile(join(path, "secret"), "xyzzy5461\n");
  const says = async (code: number, secret: string) => {
    const port = await server(t, (request) => {
      const unsigned = Buffer.from(request).fill(0, 22);
      const signed = createHmac("md5", "xyzzy5461").update(unsigned).digest();
      if (request[0] !== 12 || request[20] !== 80 || !signed.equals(request.subarray(22))) return null;
      const head = bytes(code, request[1]!, 0, 20);
      const digest = createHash("md5").update(head).update(request.subarray(4, 20)).update(secret).digest();
      return Buffer.concat([head, digest]);
    });
    return asked(port, "kind: radius, secretFile: ./secret", join(path, "kindred.yaml"));
  };
  t.equal(await says(2, "xyzzy5461"), null);
  t.equal(await says(5, "xyzzy5461"), null);
  t.equal(await says(3, "xyzzy5461"), "code-3");
  t.equal(await says(2, "another"), "wrong-authenticator");
});

/** An answer to `query` with the SOA of its zone, in the answer or, as a name server that has none does, behind it. */
function soa(query: Buffer, serial: number, rcode = 0): Buffer {
  const head = Buffer.from(query.subarray(0, 12));
  head[2] = 0x81;
  head[3] = rcode;
  head.writeUInt16BE(rcode === 0 ? 1 : 0, 6);
  const data = Buffer.concat([bytes(2, 110, 115, 0xc0, 12, 1, 109, 0xc0, 12), Buffer.alloc(20)]);
  data.writeUInt32BE(serial, 9);
  const record = Buffer.concat([bytes(0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 60, 0, data.length), data]);
  return Buffer.concat([head, query.subarray(12), record]);
}

const ZONE = "kind: dns, zone: example.net";

t.test("DNS: who has the zone serves, and an error is told by its number", async (t) => {
  const heard: Buffer[] = [];
  const serves = await server(t, (query) => keeping(heard, query, soa(query, 7)));
  t.equal(await asked(serves, ZONE), null);
  t.equal(heard[0]!.subarray(12).toString("latin1"), "\x07example\x03net\0\0\x06\0\x01");
  t.equal(await asked(await server(t, (query) => soa(query, 7, 2)), ZONE), "rcode-2");
  t.equal(await asked(await server(t, (query) => soa(query, 7).subarray(0, 40)), ZONE), "no-soa");
  t.equal(await asked(await server(t, () => bytes(1, 2, 3)), ZONE), "not-dns");
});

t.test("DNS: an answer that is cut anywhere is none, and nothing breaks", async (t) => {
  const whole = soa(Buffer.from("4b6901000001000000000000076578616d706c65036e65740000060001", "hex"), 7);
  const heard = new Map<number, string | null>();
  let length = 0;
  const port = await server(t, () => whole.subarray(0, length));
  // The 16 bytes behind the serial are not read.
  for (; length < whole.length - 16; length++) heard.set(length, await asked(port, ZONE));
  t.notOk([...heard.values()].includes(null));
});

const low = process.getuid?.() === 0 ? {} : { skip: "port 53 needs root" };

t.test("DNS: with an authority the serial must be its own; one that cannot be asked is no fault", low, async (t) => {
  const authority = createSocket("udp4").bind(53, "127.0.0.9");
  await once(authority, "listening");
  t.teardown(() => void authority.close());
  authority.on("message", (query, { port, address }) => authority.send(soa(query, 8), port, address));
  const check = (at: string): string => `${ZONE}, authority: ${at}`;
  t.equal(await asked(await server(t, (query) => soa(query, 8)), check("127.0.0.9")), null);
  t.equal(await asked(await server(t, (query) => soa(query, 7)), check("127.0.0.9")), "old-serial");
  t.equal(await asked(await server(t, (query) => soa(query, 7)), check("127.0.0.10")), null);
});
