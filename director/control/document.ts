/**
 * Changes to a configuration as it is written. They are made to a copy, which is then checked like a file: what the API
 * lets through is what a file may say, and nothing else.
 */
import { endpointText } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { endpoint } from "../config/formats.ts";
import { quote } from "../config/problem.ts";
import type { Config, Document, RealserverConfig } from "../config.ts";
import { Refusal } from "./refusal.ts";

type Draft = Record<string, unknown>;
type Section = "services" | "groups";

export const keyOf = ({ address, port }: Pick<RealserverConfig, "address" | "port">): string =>
  port === null ? address.toString() : endpointText({ address, port });

/** `[2001:DB8::1]:21` as it is written everywhere. */
export function canonical(text: string): string {
  const address = Address.parse(text);
  if (address !== null) return address.toString();
  const both = endpoint(text);
  return "port" in both ? endpointText(both) : text;
}

interface Place {
  readonly section: Section;
  readonly index: number;
}

function placeOf({ services, groups }: Config, name: string): Place {
  for (const [section, list] of Object.entries({ services, groups }) as [Section, Config[Section]][]) {
    const index = list.findIndex((one) => one.name === name);
    if (index >= 0) return { section, index };
  }
  const known = [...services, ...groups].map((one) => one.name).join(", ");
  throw new Refusal(404, "no-such-service", `${quote(name)} is no service`, `known: ${known}`);
}

/** Where the realserver stands among those of its service, and how it is written everywhere. */
export function findRealserver(config: Config, name: string, text: string): { index: number; key: string } {
  const { section, index: at } = placeOf(config, name);
  const { realservers } = config[section][at]!;
  const key = canonical(text);
  const index = realservers.findIndex((one) => keyOf(one) === key);
  if (index >= 0) return { index, key };
  const known = realservers.map(keyOf).join(", ");
  throw new Refusal(404, "no-such-realserver", `${quote(text)} is no realserver of ${quote(name)}`, `known: ${known}`);
}

/** A copy of what `config` was read from, and its service `name` in that. */
function draft(
  config: Config,
  name: string,
): { readonly document: Draft; readonly list: Draft[]; readonly index: number } {
  const { section, index } = placeOf(config, name);
  const document = structuredClone(config.document) as Draft;
  return { document, list: document[section] as Draft[], index };
}

function merge(into: Draft, changes: Draft): void {
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) delete into[key];
    else into[key] = value;
  }
}

/** `service` comes, as a group where it says so. */
export function addService({ document }: Config, service: Draft, group: boolean): Document {
  const section: Section = group ? "groups" : "services";
  const before = (document[section] ?? []) as readonly Draft[];
  return { ...structuredClone(document), [section]: [...structuredClone(before), service] };
}

/** null takes a key away. */
export function editService(config: Config, name: string, changes: Draft): Document {
  const { document, list, index } = draft(config, name);
  merge(list[index]!, changes);
  return document;
}

export function deleteService(config: Config, name: string): Document {
  const { document, list, index } = draft(config, name);
  list.splice(index, 1);
  return document;
}

export function addRealserver(config: Config, name: string, realserver: Draft): Document {
  const { document, list, index } = draft(config, name);
  (list[index]!["realservers"] as Draft[]).push(realserver);
  return document;
}

export function editRealserver(config: Config, name: string, key: string, changes: Draft): Document {
  const { document, list, index } = draft(config, name);
  merge((list[index]!["realservers"] as Draft[])[findRealserver(config, name, key).index]!, changes);
  return document;
}

export function deleteRealserver(config: Config, name: string, key: string): Document {
  const { document, list, index } = draft(config, name);
  (list[index]!["realservers"] as Draft[]).splice(findRealserver(config, name, key).index, 1);
  return document;
}
