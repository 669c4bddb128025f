/** The checks by their names in the configuration. */
import type { CheckKind } from "../config.ts";
import type { Check } from "./check.ts";
import { dns } from "./dns.ts";
import { ftp } from "./ftp.ts";
import { http } from "./http.ts";
import { radius } from "./radius.ts";
import { rtsp } from "./rtsp.ts";
import { script } from "./script.ts";
import { tcp } from "./tcp.ts";
import { tftp } from "./tftp.ts";
import { xdmcp } from "./xdmcp.ts";

export const checks: Readonly<Record<CheckKind, Check>> = { tcp, ftp, rtsp, radius, xdmcp, tftp, http, dns, script };
