import type { Helper } from "../core/helper/api.ts";
import { dns } from "./dns/helper.ts";
import { ftp } from "./ftp/helper.ts";
import { ident } from "./ident/helper.ts";
import { netbios } from "./netbios/helper.ts";
import { pnm } from "./pnm/helper.ts";
import { radius } from "./radius/helper.ts";
import { rsh } from "./rsh/helper.ts";
import { rtsp } from "./rtsp/helper.ts";
import { sip } from "./sip/helper.ts";
import { tftp } from "./tftp/helper.ts";
import { wms } from "./wms/helper.ts";
import { xdmcp } from "./xdmcp/helper.ts";

/** Every helper there is. Adding one is a folder and a line here. */
export const helpers: readonly Helper[] = [dns, ftp, ident, netbios, pnm, radius, rsh, rtsp, sip, tftp, wms, xdmcp];
