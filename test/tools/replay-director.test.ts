/** `kindred replay --config DIRECTOR --write FILE`: a capture of a director's two sides, as one director would have it. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { CaptureReader } from "../../core/wire/capture/reader.ts";
import { enhancedPacket } from "../../core/wire/capture/writer.ts";
import { opening } from "../../tools/replay/director/write.ts";
import { type ReplayOptions, runReplay } from "../../tools/replay.ts";
import { tcp } from "../packets.ts";

const CLIENT = "10.0.0.5:40000";
const VIP = "203.0.113.10:21";
const REAL = "192.168.0.2:21";
const CONFIG = `services:
  - name: ftp
    vip: 203.0.113.10
    ports: [tcp/21]
    helper: ftp
    realservers: [{ address: 192.168.0.2, port: 21 }]
`;

/** What client and realserver say, each to the director. */
function dialogue(): Uint8Array[] {
  const said: [who: "client" | "real", flags: string, text: string][] = [
    ["client", "S", ""],
    ["real", "SA", ""],
    ["client", "A", ""],
    ["real", "AP", "220 ready\r\n"],
    ["client", "AP", "USER anonymous\r\n"],
    ["real", "AP", "230 in\r\n"],
    ["client", "AP", "PASV\r\n"],
    ["real", "AP", "227 ok (192,168,0,2,"],
    ["real", "AP", "19,137)\r\n"],
  ];
  const next = { client: 1000, real: 9000 };
  return said.map(([who, flags, text]) => {
    const [from, to, other] = who === "client" ? [CLIENT, VIP, "real" as const] : [REAL, CLIENT, "client" as const];
    const payload = Buffer.from(text);
    const packet = tcp({
      from,
      to,
      flags,
      payload,
      sequence: next[who],
      acknowledgment: flags === "S" ? 0 : next[other],
    });
    next[who] += payload.length + (flags.includes("S") ? 1 : 0);
    return packet;
  });
}

function prepared(t: Test) {
  const folder = t.testdir({ "director.yaml": CONFIG, "wrong.yaml": "services: 5\n" });
  const capture = join(folder, "in.pcapng");
  const data = tcp({ from: "10.0.0.5:50000", to: "203.0.113.10:5001", flags: "S" });
  const packets = [...dialogue(), data].map((packet, i) => enhancedPacket(0, 1_700_000_000 + i, 0, packet, ""));
  writeFileSync(capture, Buffer.concat([...opening(), ...packets]));
  const run = async (options: ReplayOptions) => {
    let stdout = "";
    let stderr = "";
    const io = {
      stdout: { write: (text: string) => (stdout += text) },
      stderr: { write: (text: string) => (stderr += text) },
    };
    const status = await runReplay([capture], options, io);
    return { status, stdout, stderr };
  };
  return { folder, run };
}

t.test("scheduling, translations, held packets and decisions are shown", async (t) => {
  const { folder, run } = prepared(t);
  const { status, stdout } = await run({ config: join(folder, "director.yaml") });
  t.equal(status, 0);
  const told = stdout.slice(stdout.indexOf("as director"));
  t.equal(
    told,
    [
      "as director: 10 packets in, 11 out, 10 of them its own",
      "  control 9, opened 1",
      "  held: frame 8",
      "  frame 1: 10.0.0.5:40000 -> 203.0.113.10:21 => 192.168.0.2:21",
      "  frame 10: 10.0.0.5:50000 -> 203.0.113.10:5001 => 192.168.0.2:5001",
      "  frame 9: expected: 227 announces ftp-passive",
      "",
    ].join("\n"),
  );
});

t.test("both sides are written, each packet with what became of it", async (t) => {
  const { folder, run } = prepared(t);
  const write = join(folder, "out.pcapng");
  const { status } = await run({ config: join(folder, "director.yaml"), write, json: true });
  t.equal(status, 0);
  const bytes = readFileSync(write);
  const reader = new CaptureReader();
  reader.room(bytes.length).set(bytes);
  reader.filled(bytes.length);
  let frames = 0;
  while (reader.next()) frames++;
  t.same([frames, reader.damage], [21, null]);
  const text = bytes.toString("latin1");
  t.match(text, "frame 9: control\nexpected: 227 announces ftp-passive");
  t.match(text, "sent by the director after frame 9");
  t.match(text, "227 ok (203,0,113,10,19,137)");
});

t.test("as JSON it is one more list", async (t) => {
  const { folder, run } = prepared(t);
  const { stdout } = await run({ config: join(folder, "director.yaml"), json: true });
  const { director } = JSON.parse(stdout);
  t.match(director, [{ came: 10, sent: 11, own: 10, held: [8], reasons: { control: 9, opened: 1 } }]);
  const lines = (await run({ config: join(folder, "director.yaml"), ndjson: true })).stdout.trim().split("\n");
  t.equal(JSON.parse(lines.at(-1)!).type, "director");
});

t.test("what is wrong is said, and nothing is read", async (t) => {
  const { folder, run } = prepared(t);
  const wrong = await run({ config: join(folder, "wrong.yaml") });
  t.same([wrong.status, wrong.stdout], [2, ""]);
  t.match(wrong.stderr, "wrong.yaml:1:");
  const homeless = await run({ write: join(folder, "out.pcapng") });
  t.same([homeless.status, homeless.stdout], [1, ""]);
  t.match(homeless.stderr, "--write needs --config");
  const nowhere = await run({ config: join(folder, "director.yaml"), write: join(folder, "no", "out.pcapng") });
  t.equal(nowhere.status, 2);
  t.match(nowhere.stderr, "ENOENT");
});
