/**
 * Protocols whose servers open connections to their clients, or name their own address, where they have the VIP: one is
 * routed to directly, the other in a tunnel. What they open they open as the VIP (a route with `src`), and what they name
 * is right as it is. docs/services.md says which of them can by which way.
 */
import { routed } from "../routed.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import type { FarmMaker } from "../topology.ts";
import * as netbios from "./netbios.ts";
import * as rsh from "./rsh.ts";
import * as sip from "./sip.ts";
import * as xdmcp from "./xdmcp.ts";

const METHODS = ["dr", "tunnel"] as const;
const BY = { way: "vip", make: routed(METHODS), what: "have the VIP, and answer by the director" };
const PAST = { way: "direct", make: routed(METHODS, "past the director"), what: "answer past the director" };

interface Protocol {
  readonly name: string;
  readonly about: string;
  readonly needs: readonly string[];
  readonly ways: readonly (typeof BY)[];
  run(sandbox: Sandbox, make: FarmMaker): Promise<string>;
}

const PROTOCOLS: readonly Protocol[] = [
  {
    name: "xdmcp",
    about: "login screens of two xdm, whose X11 connections come from the VIP",
    needs: [...xdmcp.NEEDS, "xdotool", "xclock"],
    ways: [BY, PAST],
    run: xdmcp.logins,
  },
  {
    name: "rsh",
    about: "stdout and stderr of commands on two in.rshd",
    needs: rsh.NEEDS,
    ways: [BY, PAST],
    run: (sandbox, make) => rsh.bothStreams(sandbox, 4, make),
  },
  {
    name: "sip",
    about: "SIPp calls two of its kind, and hears the echo of what it plays",
    needs: sip.NEEDS,
    ways: [BY, PAST],
    run: (sandbox, make) => sip.calls(sandbox, make, "udp"),
  },
  {
    name: "netbios",
    about: "names, announcements and files of two Samba servers",
    needs: netbios.NEEDS,
    ways: [BY, PAST],
    run: netbios.samba,
  },
];

export const packetVip: readonly Scenario[] = PROTOCOLS.flatMap(({ name, about, needs, ways, run }) =>
  ways.map(({ way, make, what }) => ({
    name: `packet-${way}-${name}`,
    about: `${about}, which ${what}`,
    needs: [...needs, "python3"],
    run: (sandbox) => run(sandbox, make),
  })),
);
