/** What a configuration may be, for editors: JSON Schema (draft 2020-12) made of the one schema there is. */
import { z } from "zod";
import { schema } from "./schema.ts";

export function configSchema(): Readonly<Record<string, unknown>> {
  const made = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return { $id: "kindred.schema.json", title: "kindred.yaml: the configuration of a Kindred director", ...made };
}
