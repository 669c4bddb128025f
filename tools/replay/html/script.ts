/** The page's script: the functions of `client/` as they are compiled, then a call of the one that starts. */
import * as grouped from "../grouped.ts";
import * as clock from "./client/clock.ts";
import * as columns from "./client/columns.ts";
import * as dom from "./client/dom.ts";
import * as ladder from "./client/ladder.ts";
import * as main from "./client/main.ts";
import * as table from "./client/table.ts";
import * as timeline from "./client/timeline.ts";

export function scriptText(): string {
  const functions = [grouped, dom, clock, table, columns, ladder, timeline, main].flatMap((module) =>
    Object.values(module),
  );
  return `"use strict";\n${functions.map(String).join("\n")}\nstart();\n`;
}
