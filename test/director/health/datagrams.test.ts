/** Checks over UDP, put to servers that tests script. */
import { createHash, createHmac } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import { folder } from "../live.ts";
import { asked, HOST } from "./asked.ts";

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

t.test("silence lasts until the check is stopped; a closed port refuses", async (t) => {
  for (const kind of ["xdmcp", "tftp"]) {
    t.equal(await asked(await server(t, () => null), `kind: ${kind}`, "test.yaml", 60), "stopped");
  }
  const gone = createSocket("udp4").bind(0, HOST);
  await once(gone, "listening");
  const { port } = gone.address();
  await new Promise<void>((resolve) => gone.close(() => resolve()));
  t.equal(await asked(port, "kind: xdmcp"), "ECONNREFUSED");
});

t.test("XDMCP: who is willing serves, and nobody else", async (t) => {
  const says = async (...answer: number[]) => asked(await server(t, () => bytes(...answer)), "kind: xdmcp");
  t.equal(await says(0, 1, 0, 5, 0, 0), null);
  t.equal(await says(0, 1, 0, 6, 0, 0), "unwilling");
  t.equal(await says(0, 1, 0, 9, 0, 0), "not-xdmcp");
  t.equal(await says(0, 1), "not-xdmcp");
  const heard: Buffer[] = [];
  await asked(await server(t, (query) => (heard.push(query), bytes(0, 1, 0, 5, 0, 0))), "kind: xdmcp");
  t.same(heard, [bytes(0, 1, 0, 2, 0, 1, 0)]);
});

t.test("TFTP: data or an error, from whatever port, is a server; what else comes is none", async (t) => {
  const heard: string[] = [];
  const says = async (...answer: number[]) => {
    const port = await server(t, (request) => (heard.push(request.toString("latin1")), bytes(...answer)), true);
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
