/** What the documents say must stay true. */
import { readFile } from "node:fs/promises";
import t from "tap";
import { loadConfig, parseConfig } from "../director/config.ts";
import { loadHelper } from "../director/helpers.ts";
import { scenarios } from "../tools/lab/scenarios/index.ts";

const EXAMPLE = "fixtures/config/kindred.yaml";

/** The fenced blocks of `language` in a Markdown text. */
function blocks(text: string, language: string): string[] {
  const parts = text.split(`\n\`\`\`${language}\n`).slice(1);
  return parts.map((part) => `${part.split("\n```")[0]}\n`);
}

t.test("each configuration in the README is right, and the long one is the example file", async (t) => {
  const configurations = blocks(await readFile("README.md", "utf8"), "yaml");
  t.ok(configurations.length >= 2);
  for (const [i, text] of configurations.entries()) {
    t.doesNotThrow(() => parseConfig(text, EXAMPLE), `block ${i + 1}`);
  }
  t.ok(configurations.includes(await readFile(EXAMPLE, "utf8")), "the example stands there as it is");
});

t.test("the example loads as it is, with the third-party helper beside it", async (t) => {
  const config = await loadConfig(EXAMPLE);
  const acme = config.helpers.find(({ name }) => name === "acme");
  const helper = await loadHelper("acme", acme!.module!);
  t.match(helper, { name: "acme", transport: "tcp", ports: [9000] });
});

t.test("the README names only scripts and commands that there are", async (t) => {
  const { scripts } = JSON.parse(await readFile("package.json", "utf8")) as { scripts: Record<string, string> };
  const text = (await readFile("README.md", "utf8")) + (await readFile("CONTRIBUTING.md", "utf8"));
  const named = text
    .split("npm run ")
    .slice(1)
    .map((rest) => rest.split(/[^a-z]/)[0]!);
  t.ok(named.length > 3);
  for (const name of named) t.ok(scripts[name] !== undefined, `npm run ${name}`);
});

t.test("each service of docs/services.md has a configuration that is right", async (t) => {
  const text = await readFile("docs/services.md", "utf8");
  const configurations = blocks(text, "yaml");
  t.ok(configurations.length >= 12);
  for (const part of configurations) {
    const { warnings, services, groups } = parseConfig(part, "docs/services.md");
    t.same(warnings, [], [...services, ...groups].map(({ name }) => name).join(", "));
  }
});

t.test("the configuration of docs/tutorial.md is right", async (t) => {
  const [configuration] = blocks(await readFile("docs/tutorial.md", "utf8"), "yaml");
  t.same(parseConfig(configuration!, "docs/tutorial.md").warnings, []);
});

t.test("the configuration of docs/failover.md is right, and what the laboratory takes from it is there", async (t) => {
  const text = await readFile("docs/failover.md", "utf8");
  const [configuration] = blocks(text, "yaml");
  t.same(parseConfig(configuration!, "docs/failover.md").warnings, []);
  t.match(blocks(text, "keepalived"), [/virtual_ipaddress/]);
  t.match(blocks(text, "sh"), [/^#!\/bin\/sh\n/]);
});

t.test("each scenario that docs/services.md names is one of the laboratory's", async (t) => {
  const text = await readFile("docs/services.md", "utf8");
  const named = [...text.matchAll(/Scenarios?: (.*)/g)].flatMap(([, rest]) => [
    ...rest!.replaceAll(/\([^)]*\)|\[[^\]]*\]\([^)]*\)/g, "").matchAll(/`([a-z0-9-]+)`/g),
  ]);
  t.ok(named.length >= 15);
  for (const [, name] of named)
    t.ok(
      scenarios.some((one) => one.name.startsWith(name!)),
      name!,
    );
});
