/** Conversations of every protocol but FTP, by the names of their helpers. */
import { type Choices, oneIn, pick } from "../choices.ts";
import { ends as anyEnds, CLIENT } from "../ftp/ends.ts";
import type { Ends } from "../ftp/model.ts";
import { dns } from "./dns.ts";
import { ident } from "./ident.ts";
import { DATAGRAMS, netbios } from "./netbios.ts";
import { pnm } from "./pnm.ts";
import { radius } from "./radius.ts";
import { REXEC, rsh } from "./rsh.ts";
import { rtsp } from "./rtsp.ts";
import type { Conversing, Said } from "./said.ts";
import { sip } from "./sip.ts";
import { tftp } from "./tftp.ts";
import { wms } from "./wms.ts";
import { xdmcp } from "./xdmcp.ts";

const ALL: Readonly<Record<string, Conversing>> = {
  rtsp,
  sip,
  pnm,
  wms,
  dns,
  radius,
  tftp,
  rsh,
  ident,
  netbios,
  xdmcp,
};
/** Services that a protocol has beside its first: another port, or datagrams. */
const OTHER_SERVICES: Readonly<Record<string, Pick<Ends, "port" | "transport">>> = {
  netbios: { port: DATAGRAMS },
  rsh: { port: REXEC },
  dns: { transport: "udp" },
  sip: { transport: "udp" },
};
/** Protocols that have no IPv6. */
const V4_ONLY: ReadonlySet<string> = new Set(["netbios", "wms"]);

/** Helpers that there are conversations of. */
export const spoken: readonly string[] = Object.keys(ALL);

export interface Conversation {
  readonly ends: Ends;
  readonly said: readonly Said[];
}

/** A conversation of `helper`'s protocol, between `ends` or any. */
export function conversation(helper: string, choices: Choices, ends: Ends = someEnds(helper, choices)): Conversation {
  return { ends, said: ALL[helper]!(choices, ends) };
}

function someEnds(helper: string, choices: Choices): Ends {
  const other = OTHER_SERVICES[helper];
  return { ...someAddresses(helper, choices), ...(other !== undefined && oneIn(choices, 2) ? other : {}) };
}

const someAddresses = (helper: string, choices: Choices): Ends =>
  V4_ONLY.has(helper)
    ? {
        client: CLIENT,
        virtual: pick(choices, ["1.2.3.4", "203.0.113.210"]),
        real: pick(choices, ["192.168.0.2", "10.1.1.2"]),
      }
    : anyEnds(choices);
