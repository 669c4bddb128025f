/** The checks by their names in the configuration. */
import type { CheckKind } from "../config.ts";
import type { Check } from "./check.ts";
import { ftp } from "./ftp.ts";
import { tcp } from "./tcp.ts";

export const checks: Readonly<Record<CheckKind, Check>> = { tcp, ftp };
