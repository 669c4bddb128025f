import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import t from "tap";
import { replyCodes } from "../../../director/health/reply.ts";
import { folder, REAL_A } from "../live.ts";
import { scripted } from "../scripted.ts";
import { asked, refusals, server } from "./asked.ts";

refusals(t, "kind: ftp");

t.test("a greeting of 220 is enough where nobody is to log in", async (t) => {
  t.equal(await asked((await scripted(t, REAL_A)).port, "kind: ftp"), null);
});

t.test("a greeting of several lines, and one that comes later than 120, are greetings", async (t) => {
  const greeting = "120 in a while\r\n220-welcome\r\n220-still\r\n 220 no\r\n220 ready\r\n";
  t.equal(await asked((await scripted(t, REAL_A, { greeting })).port, "kind: ftp"), null);
});

t.test("a server that is too busy, or speaks something else, does not serve", async (t) => {
  const says = async (text: string) => asked(await server(t, (socket) => void socket.write(text)), "kind: ftp");
  t.equal(await says("421 too many\r\n"), "greeting-421");
  t.equal(await says("SSH-2.0-x\r\n"), "not-ftp");
});

t.test("who is configured logs in, with the password that stands in a file", async (t) => {
  const path = await folder(t);
  await writeFile(join(path, "secret"), "tell nobody\n");
  const real = await scripted(t, REAL_A);
  const check = "kind: ftp, login: probe, secretFile: ./secret";
  t.equal(await asked(real.port, check, join(path, "kindred.yaml")), null);
  t.same(real.commands, ["USER probe", "PASS tell nobody"]);
});

t.test("without a password of one's own the customary one is given; who needs none is asked for none", async (t) => {
  const real = await scripted(t, REAL_A);
  t.equal(await asked(real.port, "kind: ftp, login: anonymous"), null);
  t.same(real.commands, ["USER anonymous", "PASS kindred@"]);
  const open = await scripted(t, REAL_A, { answer: (_, control) => control.write("230 come in\r\n") });
  t.equal(await asked(open.port, "kind: ftp, login: anonymous"), null);
  t.same(open.commands, ["USER anonymous"]);
});

t.test("a login that is refused is a failure, with its code and no more of what was said", async (t) => {
  const answer = (line: string, control: { write(text: string): unknown }): boolean => {
    control.write(line.startsWith("USER") ? "331 password\r\n" : `530 not with ${line}\r\n`);
    return true;
  };
  t.equal(await asked((await scripted(t, REAL_A, { answer })).port, "kind: ftp, login: probe"), "login-530");
});

t.test("a secret that cannot be read is the director's fault, and nobody is asked", async (t) => {
  const real = await scripted(t, REAL_A);
  t.equal(await asked(real.port, "kind: ftp, login: probe, secretFile: /nowhere/secret"), "no-secret");
  t.equal(real.controls.length, 0);
});

t.test("codes are those of whole replies, however these are cut", async () => {
  const text = Buffer.from("120 a\r\n220-b\r\n220c\r\n331 d\r\n220 e\r\n331 f\n");
  fc.assert(
    fc.property(fc.integer({ min: 0, max: text.length }), (n) => {
      const codes = replyCodes(text.subarray(0, n));
      const whole = [120, 220, 331].filter((_, i) => n >= [7, text.length - 6, text.length][i]!);
      return JSON.stringify(codes) === JSON.stringify(whole);
    }),
  );
});
