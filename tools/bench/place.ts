/** Where things run: what is measured alone on the first CPU, the load that measures it on the others. */

import { cpus } from "node:os";
import { freePort } from "../demo/realserver.ts";
import { locate } from "../lab/process.ts";

const canPin = cpus().length > 1 && locate("taskset") !== null;

/** As taskset(1) writes them. */
export const MEASURED = canPin ? "0" : undefined;
export const LOAD = !canPin ? undefined : cpus().length === 2 ? "1" : `1-${cpus().length - 1}`;

export const pinning = canPin
  ? `what is measured on CPU ${MEASURED}, load and servers on CPU ${LOAD}; direct: load and servers alone`
  : "none (one CPU, or no taskset)";

export const pinned = (cpus: string | undefined): { cpus?: string } => (cpus === undefined ? {} : { cpus });

export const HOST = "127.0.0.1";

/** Ports on which nobody listens, nor is about to. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await freePort(HOST));
  return ports;
}
