import type { Scenario } from "../scenario.ts";
import { ftpSamePort } from "./ftp-same-port.ts";
import { ftpVsftpd } from "./ftp-vsftpd.ts";

/** Every scenario there is, in the order in which they run. */
export const scenarios: readonly Scenario[] = [...ftpVsftpd, ftpSamePort];
