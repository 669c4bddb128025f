import type { Scenario } from "../scenario.ts";
import { arp } from "./arp.ts";
import { dns } from "./dns.ts";
import { doctorScenario } from "./doctor.ts";
import { failover } from "./failover.ts";
import { ftpSamePort } from "./ftp-same-port.ts";
import { ftpVsftpd } from "./ftp-vsftpd.ts";
import { ident } from "./ident.ts";
import { lvc } from "./lvc.ts";
import { netbios } from "./netbios.ts";
import { packet } from "./packet.ts";
import { pnm } from "./pnm.ts";
import { queues } from "./queues.ts";
import { radius } from "./radius.ts";
import { rsh } from "./rsh.ts";
import { rtsp } from "./rtsp.ts";
import { sip } from "./sip.ts";
import { tftp } from "./tftp.ts";
import { wms } from "./wms.ts";
import { x11Ssh } from "./x11-ssh.ts";
import { xdmcp } from "./xdmcp.ts";

/** Every scenario there is, in the order in which they run. */
export const scenarios: readonly Scenario[] = [
  ...ftpVsftpd,
  ftpSamePort,
  ...radius,
  ...dns,
  ...rtsp,
  ...rsh,
  ...tftp,
  ...netbios,
  ...ident,
  ...wms,
  ...pnm,
  ...sip,
  ...xdmcp,
  x11Ssh,
  ...packet,
  arp,
  failover,
  doctorScenario,
  ...lvc,
  ...queues,
];
