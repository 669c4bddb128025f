import type { Helper } from "../core/helper/api.ts";
import { ftp } from "./ftp/helper.ts";
import { radius } from "./radius/helper.ts";
import { rsh } from "./rsh/helper.ts";
import { rtsp } from "./rtsp/helper.ts";
import { tftp } from "./tftp/helper.ts";
import { xdmcp } from "./xdmcp/helper.ts";

/** Every helper there is. Adding one is a folder and a line here. */
export const helpers: readonly Helper[] = [ftp, radius, rsh, rtsp, tftp, xdmcp];
