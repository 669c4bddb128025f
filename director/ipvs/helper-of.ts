/** Which helper a service is given when its rules come from a director that has ip_vs_ftp. */
import type { Transport } from "../../core/units.ts";

/** ip_vs_ftp reads port 21, wherever it is loaded; the other helpers have nothing there to take after. */
export const helperOf = (transport: Transport, port: number): string | null =>
  transport === "tcp" && port === 21 ? "ftp" : null;
