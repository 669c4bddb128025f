/** `kindred doctor`: what is wrong with this host's set-up. It looks, asks its neighbours, and changes nothing. */
import { networkInterfaces } from "node:os";
import { Command } from "commander";
import { Address } from "../../core/wire/address.ts";
import { type Config, ConfigError, formatConfigError, loadConfig } from "../config.ts";
import type { CaptureFinding, ReadCapture } from "./capture.ts";
import { findingsOf } from "./checks/index.ts";
import { gather } from "./gather.ts";
import { type Role, type Served, servedBy, servicesOf } from "./scene.ts";
import { reportJson, reportText } from "./text.ts";

const FOUND = 1;
const WRONG_INPUT = 2;
const ROLES: readonly string[] = ["director", "realserver", "client"];

interface DoctorOptions {
  readonly json?: boolean;
  readonly capture?: string;
  readonly host?: string;
  readonly path?: string;
  readonly gateway?: readonly string[];
  readonly probe: boolean;
}

const several = (value: string, previous: readonly string[] = []): string[] => [...previous, value];

export function doctorCommand(readCapture: ReadCapture): Command {
  return new Command("doctor")
    .description("what is wrong with this host as director, realserver or client of a farm, and what to do about it")
    .argument("[config]", "the farm's configuration", "kindred.yaml")
    .option("--json", "one JSON document: findings, what could not be looked at, the facts")
    .option("--capture <file>", "a capture of the farm's traffic, for what only that shows")
    .option("--host <role>", "director, realserver or client; default: by this host's addresses, else director")
    .option("--path <path>", "socket or tun; default: tun where a realserver's method is dr or tunnel, else socket")
    .option("--gateway <address>", "the director's address towards the realservers (repeatable)", several)
    .option("--no-probe", "ask no neighbour who has the VIP")
    .addHelpText("after", "\nExit status: 0 nothing found, 1 something found, 2 wrong input.")
    .action(async (file: string, options: DoctorOptions) => {
      process.exitCode = await doctor(file, options, readCapture);
    });
}

async function doctor(file: string, options: DoctorOptions, readCapture: ReadCapture): Promise<number> {
  const wrong = wrongOptions(options);
  if (wrong !== null) return complain(wrong);
  let config: Config;
  try {
    config = await read(file, options.path);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${formatConfigError(error)}\n`);
    return WRONG_INPUT;
  }
  const services = servicesOf(config);
  const own = ownOf(servedBy(services));
  const role = (options.host as Role | undefined) ?? (own.length > 0 ? "realserver" : "director");
  if (role === "realserver" && own.length === 0) {
    return complain("--host realserver: no realserver of the configuration has an address of this host");
  }
  const captured = options.capture === undefined ? [] : await readCapture(options.capture);
  if (typeof captured === "string") return complain(`--capture: ${captured}`);
  return report({ services, own, role, captured, config }, options);
}

interface Known {
  readonly config: Config;
  readonly services: ReturnType<typeof servicesOf>;
  readonly own: readonly Served[];
  readonly role: Role;
  readonly captured: readonly CaptureFinding[];
}

async function report({ services, own, role, captured }: Known, options: DoctorOptions): Promise<number> {
  const direct = servedBy(services).some(({ realserver }) => realserver.method !== "nat");
  const path = (options.path as "socket" | "tun" | undefined) ?? (direct ? "tun" : "socket");
  const gateways = (options.gateway ?? []).map((text) => Address.parse(text)!);
  const facts = await gather({ role, services, own, probe: options.probe });
  const findings = findingsOf({ role, path, services, own, gateways, facts, captured });
  const text = options.json === true ? reportJson(role, findings, facts) : reportText(role, findings, facts.unseen);
  process.stdout.write(text);
  return findings.length === 0 ? 0 : FOUND;
}

function wrongOptions({ host, path, gateway }: DoctorOptions): string | null {
  if (host !== undefined && !ROLES.includes(host)) return `--host: "${host}" is none; write ${ROLES.join(", ")}`;
  if (path !== undefined && path !== "socket" && path !== "tun")
    return `--path: "${path}" is none; write socket or tun`;
  const bad = gateway?.find((text) => Address.parse(text) === null);
  return bad === undefined ? null : `--gateway: "${bad}" is no address`;
}

/** What the packet path refuses may be right for the socket path. */
async function read(file: string, path: string | undefined): Promise<Config> {
  if (path === "socket") return loadConfig(file);
  try {
    return await loadConfig(file, { path: "tun" });
  } catch (error) {
    if (path === "tun") throw error;
    return loadConfig(file);
  }
}

function ownOf(served: readonly Served[]): Served[] {
  const addresses = Object.values(networkInterfaces())
    .flat()
    .flatMap((at) => (at === undefined ? [] : [String(Address.parse(at.address))]));
  return served.filter(({ realserver }) => addresses.includes(String(realserver.address)));
}

function complain(text: string): number {
  process.stderr.write(`kindred doctor: ${text}\n`);
  return WRONG_INPUT;
}
