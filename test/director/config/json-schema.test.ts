import { readFile } from "node:fs/promises";
import t from "tap";
import { parse } from "yaml";
import { z } from "zod";
import { configSchema } from "../../../director/config/json-schema.ts";

/** Judged by the JSON Schema alone, as an editor would. */
const editor = z.fromJSONSchema(JSON.parse(JSON.stringify(configSchema())));
const accepts = (value: unknown): boolean => editor.safeParse(value).success;

t.test("the JSON Schema takes the example that says everything", async (t) => {
  const example = parse(await readFile("fixtures/config/kindred.yaml", "utf8"));
  t.ok(accepts(example));
  t.ok(accepts({ services: [{ name: "a", vip: "::1", ports: ["tcp/1"], realservers: [{ address: "::2" }] }] }));
});

t.test("and refuses what is no configuration", async (t) => {
  const good = { name: "a", vip: "192.0.2.1", ports: ["tcp/1"], realservers: [{ address: "192.0.2.2", weight: 1 }] };
  const wrong: readonly [why: string, value: unknown][] = [
    ["an unknown key", { sevices: [] }],
    ["an unknown key of a service", { services: [{ ...good, sheduler: "rr" }] }],
    ["a scheduler that is none", { services: [{ ...good, scheduler: "wlcc" }] }],
    ["a service without a VIP", { services: [{ name: "a", ports: ["tcp/1"], realservers: [] }] }],
    ["a port without its transport", { services: [{ ...good, ports: [21] }] }],
    ["a weight that is too large", { services: [{ ...good, realservers: [{ address: "192.0.2.2", weight: 65536 }] }] }],
    ["a duration without a unit", { timeouts: { idle: "30" } }],
    ["a log level that is none", { log: { level: "loud" } }],
    ["text where a flag belongs", { watch: "yes" }],
  ];
  t.ok(accepts({ services: [good] }));
  for (const [why, value] of wrong) t.notOk(accepts(value), why);
});
