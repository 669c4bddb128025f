/** xdm twice, behind one address: Xvfb is the X terminal. */
import { Capture } from "../capture.ts";
import { startDirector, untilReady } from "../director.ts";
import { prove } from "../prove.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import { type Colour, Terminal, X11_PORT } from "../terminal.ts";
import { type Farm, type FarmMaker, type Host, makeFarm } from "../topology.ts";
import { decoded, untilDecoded } from "../tshark.ts";
import { startXdm, USER, XDMCP_PORT, type Xdm } from "../xdm.ts";

export const NEEDS = ["xdm", "Xvfb", "xsetroot", "tcpdump", "tshark", "mount"];

const COLOURS: readonly { readonly name: string; readonly login: Colour; readonly session: Colour }[] = [
  { name: "real-a", login: [0x10, 0x40, 0x80], session: [0x20, 0x50, 0x90] },
  { name: "real-b", login: [0x80, 0x40, 0x10], session: [0x90, 0x50, 0x20] },
];

/** As Wireshark names them. */
const REQUEST = 7;
const MANAGE = 10;
const KEEP_ALIVE = 13;
const ALIVE = 14;

interface Logins {
  readonly farm: Farm;
  readonly managers: readonly Xdm[];
  readonly wires: ReadonlyMap<Host, Capture>;
}

async function startLogins(sandbox: Sandbox, make: FarmMaker, clients: number): Promise<Logins> {
  const farm = await make(sandbox, 4, clients, 2);
  const managers = await Promise.all(farm.realservers.map((host, i) => startXdm(sandbox, host, COLOURS[i]!)));
  const service = {
    name: "logins",
    vip: farm.vip,
    ports: [`udp/${XDMCP_PORT}`],
    helper: "xdmcp",
    scheduler: "rr",
    realservers: farm.targets,
  };
  const config = { services: [service], log: { level: "info", format: "json" } };
  await untilReady(startDirector(sandbox, config, farm.director.start, { path: farm.path }));
  const what = `tcp or udp port ${XDMCP_PORT}`;
  const watch = async (host: Host, device: "eth0" | "any") =>
    [host, await Capture.start(sandbox, host, what, device)] as const;
  // Realservers may be reached by another device than the one by which they answer.
  const captures = [
    ...farm.clients.map((host) => watch(host, "eth0")),
    ...farm.realservers.map((host) => watch(host, "any")),
  ];
  return { farm, managers, wires: new Map(await Promise.all(captures)) };
}

const loginsOf = (managers: readonly Xdm[]): Colour[] => managers.map(({ login }) => login);

export async function logins(sandbox: Sandbox, make: FarmMaker): Promise<string> {
  const { farm, managers, wires } = await startLogins(sandbox, make, 2);
  const terminals: Terminal[] = [];
  for (const host of farm.clients) terminals.push(await Terminal.start(sandbox, host, farm.vip));
  const [one, other] = terminals as [Terminal, Terminal];
  const [first, second] = await Promise.all(terminals.map((terminal) => terminal.untilFullOf(...loginsOf(managers))));
  prove(first !== second, "both terminals show the login screen of one xdm");

  const manager = managers[first!]!;
  await one.type(USER, "Return", "anything", "Return");
  await one.untilFullOf(manager.session);
  manager.logOut();
  const again = await one.untilFullOf(...loginsOf(managers));
  prove(again === first, "after the log-out another xdm shows its login screen");
  prove(other.shows(managers[second!]!.login) > 0.5, "the other terminal has lost its login screen");

  let windows = 0;
  for (const host of farm.clients) windows += await provenFromVip(await wires.get(host)!.end(), host, farm);
  const displays = await Promise.all(
    farm.realservers.map(async (host) => provenToDirector(await wires.get(host)!.end(), farm)),
  );
  const known = displays.flat();
  // Where clients keep their addresses, they keep their display numbers as well.
  const distinct = farm.path === "tun" || new Set(known).size === known.length;
  prove(distinct, `displays of both terminals: ${displays.join(" ")}`);
  return `two terminals, both display 0, with login screens of two xdm; a session and a new login; ${windows} X11 connections, all from the VIP`;
}

const OPENS = "tcp.flags.syn == 1 && tcp.flags.ack == 0";

/** X11 reaches a terminal from the virtual address and nobody else; how many connections there were. */
async function provenFromVip(file: string, terminal: Host, { vip }: Farm): Promise<number> {
  const opened = await decoded(file, OPENS, ["ip.src", "ip.dst", "tcp.dstport"]);
  const wanted = [vip, terminal.address, String(X11_PORT)].join(" ");
  for (const ends of opened) prove(ends.join(" ") === wanted, `X11 came to ${terminal.name} as ${ends.join(" ")}`);
  prove(opened.length > 0, `no X11 came to ${terminal.name}`);
  return opened.length;
}

/** An xdm is told of displays where it sees its clients, and opens its connections there; the display numbers. */
async function provenToDirector(file: string, { clients, realservers, seenAs, servesAt }: Farm): Promise<string[]> {
  const address = "xdmcp.connection_address_ipv4";
  const requests = await decoded(file, `xdmcp.opcode == ${REQUEST}`, ["xdmcp.display_number", address]);
  const managed = await decoded(file, `xdmcp.opcode == ${MANAGE}`, ["xdmcp.display_number"]);
  const opened = await decoded(file, OPENS, ["ip.src", "ip.dst", "tcp.dstport"]);
  const seen = clients.map(seenAs);
  const own = realservers.map(servesAt);
  for (const [, at] of requests) prove(seen.includes(at!), `a Request named ${at}`);
  const displays = new Set(requests.map(([display]) => display!));
  prove(opened.length > 0 && managed.length > 0, "an xdm was not asked, or opened nothing");
  for (const [display] of managed) prove(displays.has(display!), `a Manage named display ${display}`);
  for (const [from, to, port] of opened) {
    const known = displays.has(String(Number(port) - X11_PORT));
    prove(own.includes(from!) && seen.includes(to!) && known, `an xdm opened ${to} port ${port}`);
  }
  return [...displays];
}

/** How much faster than ours the terminal's clock runs: it asks after three quiet minutes. */
const HURRY = 30;

async function keepAlive(sandbox: Sandbox): Promise<string> {
  const { farm, managers, wires } = await startLogins(sandbox, makeFarm, 1);
  const [host] = farm.clients as [Host];
  const terminal = await Terminal.start(sandbox, host, farm.vip, HURRY);
  const shown = await terminal.untilFullOf(...loginsOf(managers));
  const wire = wires.get(farm.realservers[shown]!)!;
  await untilDecoded(wire.file, `xdmcp.opcode == ${ALIVE}`, 2);
  prove(terminal.shows(managers[shown]!.login) > 0.5, "the login screen is gone");
  const file = await wire.end();
  const running = await decoded(file, `xdmcp.opcode == ${ALIVE}`, ["xdmcp.session_running"]);
  prove(
    running.every(([says]) => says === "1"),
    "the xdm does not know the session any more",
  );
  const asked = await decoded(file, `xdmcp.opcode == ${KEEP_ALIVE}`, ["xdmcp.display_number"]);
  const requests = await decoded(file, `xdmcp.opcode == ${REQUEST}`, ["xdmcp.display_number"]);
  const displays = new Set([...asked, ...requests].map(([display]) => display));
  prove(displays.size === 1, `the xdm was told of displays ${[...displays].join(" and ")}`);
  return `${asked.length} KeepAlive answered, the session runs (the terminal's clock ran ${HURRY} times as fast)`;
}

export const xdmcp: readonly Scenario[] = [
  {
    name: "xdmcp-login",
    about: "two Xvfb terminals, both display 0, show the login screens of two xdm; a login, a log-out",
    needs: [...NEEDS, "xdotool", "xclock"],
    run: (sandbox) => logins(sandbox, makeFarm),
  },
  {
    name: "xdmcp-keepalive",
    about: "a terminal's KeepAlive reaches the xdm that shows its login screen, and is answered",
    needs: [...NEEDS, "faketime"],
    run: keepAlive,
  },
];
