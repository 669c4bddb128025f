/** The director under measurement. */
import { mkdirSync } from "node:fs";
import { startDirector } from "../lab/director.ts";
import type { Running } from "../lab/process.ts";
import type { Sandbox } from "../lab/sandbox.ts";
import { HOST, MEASURED, pinned } from "./place.ts";
import type { Settings } from "./rounds.ts";

interface Front {
  readonly port: number;
  readonly server: number;
}

/** FTP with the helper, or plain TCP without one, in front of one server. */
export async function startKindred(
  sandbox: Sandbox,
  kind: "ftp" | "bulk",
  { port, server }: Front,
  { profile }: Settings,
): Promise<Running> {
  const service = { name: kind, vip: HOST, ports: [`tcp/${port}`], realservers: [{ address: HOST, port: server }] };
  const config = {
    ...(kind === "ftp"
      ? { services: [{ ...service, helper: "ftp", scheduler: "wlc" }], helpers: { ftp: { ports: [port] } } }
      : { groups: [service] }),
    related: { standing: 256 },
    log: { level: "warn", format: "json" },
  };
  if (profile !== null) mkdirSync(profile, { recursive: true });
  const nodeOptions = profile === null ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`];
  const start = sandbox.start.bind(sandbox);
  const director = startDirector(sandbox, config, start, { ...pinned(MEASURED), nodeOptions });
  await director.listening(port);
  return director;
}
