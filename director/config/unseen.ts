/**
 * What is missing where a realserver's replies need not pass the director (direct routing, tunnels): there a helper knows
 * only what clients say. In sentences for operators.
 */

export interface Missing {
  readonly what: string;
  /** Connections fail, and not only now and then. */
  readonly fails: boolean;
}

const PASSIVE: Missing = {
  what: "active transfers are known by what the client says; passive ones reach no realserver, since the service has no data ports",
  fails: true,
};
const PASSIVE_PORTS: Missing = {
  what: "active transfers are known by what the client says; passive ones pass by the service's data ports only",
  fails: false,
};

const MISSING: Readonly<Record<string, Missing>> = {
  radius: { what: "radius guesses by the User-Name whose State a request brings, and no CoA passes", fails: false },
  dns: { what: "dns does not know where the TCP retry of a truncated answer belongs", fails: false },
  ident: { what: "nobody translates the ports that a realserver asks about", fails: true },
  netbios: { what: "realservers name themselves, and nobody writes the VIP in its place", fails: true },
  rsh: { what: "rshd opens the second connection (stderr) from an address of its own", fails: true },
  sip: { what: "only the ends that clients offer are known; realservers must name the VIP themselves", fails: false },
  xdmcp: { what: "X11 comes to displays from the realserver's own address", fails: false },
};

/** What clients say is all that they need: funnels, ports of players, requests for files. */
const ENOUGH: readonly string[] = ["pnm", "rtsp", "tftp", "wms"];

/** null: nothing is missing. `dataPorts`: whether the service has ports beside those that `helper` reads. */
export function missingWithoutReplies(helper: string, dataPorts: boolean): Missing | null {
  if (helper === "ftp") return dataPorts ? PASSIVE_PORTS : PASSIVE;
  if (ENOUGH.includes(helper)) return null;
  return MISSING[helper] ?? { what: `${helper} reads what clients say, and nothing else`, fails: false };
}
