/** Ports for tests that run side by side, each in a process of its own. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import t from "tap";
import { freePort } from "../../../tools/demo/realserver.ts";

const HOST = "127.0.0.1";
const module = new URL("../../../tools/demo/realserver.js", import.meta.url).href;
/** Looks for a port where the process `process.argv[2]` does. */
const OTHER = `
Object.defineProperty(process, "pid", { value: Number(process.argv[2]) });
const { freePort } = await import(process.argv[1]);
console.log(await freePort("${HOST}"));
`;

const skip = process.platform === "linux" ? false : "needs Linux's abstract sockets";

t.test("a port that was given is given to nobody else, though nobody listens there yet", { skip }, async (t) => {
  const ours = [await freePort(HOST), await freePort(HOST)];
  t.not(ours[0], ours[1]);
  const node = ["--input-type=module", "--eval", OTHER, module, String(process.pid)];
  const { stdout } = await promisify(execFile)(process.execPath, node);
  t.ok(Number(stdout) > 0, stdout);
  t.notOk(ours.includes(Number(stdout)), `${stdout.trim()} is none of ${ours.join(", ")}`);
});
