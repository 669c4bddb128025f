/** The page's script: uPlot, the functions of `client/` as they are compiled, then a call of the one that starts. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import * as api from "./client/api.ts";
import * as charts from "./client/charts.ts";
import * as dom from "./client/dom.ts";
import * as main from "./client/main.ts";
import * as services from "./client/services.ts";
import * as tree from "./client/tree.ts";

const { resolve } = createRequire(import.meta.url);

/** A file of uPlot's, as it was published. */
export const plotFile = (name: string): string => readFileSync(resolve(`uplot/dist/${name}`), "utf8");

export function scriptText(): string {
  const functions = [dom, api, tree, charts, services, main].flatMap((module) => Object.values(module));
  return `"use strict";\n${plotFile("uPlot.iife.min.js")}\n${functions.map(String).join("\n")}\nstart();\n`;
}
