/** What hostile and honest FTP says to a middlebox, and whether the middlebox should open the data connection for it. */

export interface Probe {
  readonly name: string;
  /** Who announces, and then listens. */
  readonly by: "server" | "client";
  /** null: it announces nothing; what is reached then is open to everybody. */
  readonly opens: boolean | null;
  /** What the client says first (its server announces). */
  readonly before?: string;
  /** The listener is below 1024. */
  readonly reserved?: true;
  /** One character a byte. `address` is the speaker's own. */
  readonly segments: (address: string, port: number) => readonly string[];
}

const six = (address: string, port: number): string => {
  const own = address.includes(":") ? "0.0.0.0" : address;
  return `${own.replaceAll(".", ",")},${port >> 8},${port & 255}`;
};
/** The same port to a reader that does not hold numbers against 255. */
const wrapped = (address: string, port: number): string => `${six(address, 0).slice(0, -4)},0,${port}`;
const family = (address: string): number => (address.includes(":") ? 2 : 1);

type Rest = Partial<Pick<Probe, "before" | "reserved">>;
const server = (name: string, opens: boolean | null, segments: Probe["segments"], rest: Rest = {}): Probe => ({
  name,
  by: "server",
  opens,
  segments,
  ...rest,
});
const client = (name: string, opens: boolean | null, segments: Probe["segments"], rest: Rest = {}): Probe => ({
  name,
  by: "client",
  opens,
  segments,
  ...rest,
});
const PASV = { before: "PASV\r\n" };
const EPSV = { before: "EPSV\r\n" };

export const PROBES: readonly Probe[] = [
  server("nothing announced by the server", null, () => ["200 ok\r\n"]),
  server("227", true, (a, p) => [`227 Entering Passive Mode (${six(a, p)}).\r\n`], PASV),
  server("229", true, (_, p) => [`229 Entering Extended Passive Mode (|||${p}|)\r\n`], EPSV),
  server(
    "227 in two segments",
    true,
    (a, p) => [`227 ok (${six(a, p).slice(0, 5)}`, `${six(a, p).slice(5)})\r\n`],
    PASV,
  ),
  server("227 behind another reply", true, (a, p) => [`150 wait\r\n227 ok (${six(a, p)})\r\n`], PASV),
  server("227 that nobody asked for", false, (a, p) => [`227 ok (${six(a, p)})\r\n`]),
  server("229 that nobody asked for", false, (_, p) => [`229 ok (|||${p}|)\r\n`]),
  server("227 after a file named PASV", false, (a, p) => [`227 ok (${six(a, p)})\r\n`], { before: "DELE PASV\r\n" }),
  server("227 within another reply", false, (a, p) => [`211-Features\r\n227 ok (${six(a, p)})\r\n`], PASV),
  server("227 with a number above 255", false, (a, p) => [`227 ok (${wrapped(a, p)})\r\n`], PASV),
  server("227 behind a bare CR", false, (a, p) => [`200 ok\r227 ok (${six(a, p)})\r\n`]),
  server("229 with a port above 65535", false, (_, p) => [`229 ok (|||${p + 65536}|)\r\n`], EPSV),
  server("227 to a reserved port", false, (a, p) => [`227 ok (${six(a, p)})\r\n`], { ...PASV, reserved: true }),
  client("nothing announced by the client", null, () => ["NOOP\r\n"]),
  client("PORT", true, (a, p) => [`PORT ${six(a, p)}\r\n`]),
  client("EPRT", true, (a, p) => [`EPRT |${family(a)}|${a}|${p}|\r\n`]),
  client("PORT in two segments", true, (a, p) => [`PORT ${six(a, p).slice(0, 5)}`, `${six(a, p).slice(5)}\r\n`]),
  client("PORT with a number above 255", false, (a, p) => [`PORT ${wrapped(a, p)}\r\n`]),
  client("PORT behind a bare CR", false, (a, p) => [`NOOP\rPORT ${six(a, p)}\r\n`]),
  client("EPRT with a port above 65535", false, (a, p) => [`EPRT |${family(a)}|${a}|${p + 65536}|\r\n`]),
  client("PORT to a reserved port", false, (a, p) => [`PORT ${six(a, p)}\r\n`], { reserved: true }),
];
