/** The other protocols through NAT on packets, by the scenarios of the socket path: realservers see their clients themselves. */
import { makeRoutedFarm } from "../routed.ts";
import type { Scenario } from "../scenario.ts";
import { FTP_PORT } from "../vsftpd.ts";
import * as ident from "./ident.ts";
import * as netbios from "./netbios.ts";
import * as pnm from "./pnm.ts";
import * as rsh from "./rsh.ts";
import * as wms from "./wms.ts";
import * as x11Ssh from "./x11-ssh.ts";

export const packetRest: readonly Scenario[] = [
  {
    name: "packet-ident",
    // Questions are not read here, so both sides must know the connection by the same ports.
    about: "two proftpd ask two clients' oidentd whose a connection is; the questions leave as the VIP",
    needs: ident.NEEDS,
    run: (sandbox) => ident.identities(sandbox, makeRoutedFarm, FTP_PORT),
  },
  {
    name: "packet-rsh",
    about: "netkit's rsh has stdout and stderr of commands on both realservers",
    needs: rsh.NEEDS,
    run: (sandbox) => rsh.bothStreams(sandbox, 4, makeRoutedFarm),
  },
  {
    name: "packet-netbios",
    about: "names, announcements and files of two Samba servers: ports 137, 138, 139 and 445 as a group",
    needs: netbios.NEEDS,
    run: (sandbox) => netbios.samba(sandbox, makeRoutedFarm),
  },
  {
    name: "packet-pnm",
    about: "PNM of two servers and players of our own: the stream by UDP, lost pieces by robust delivery",
    needs: ["tcpdump", "tshark"],
    run: (sandbox) => pnm.robust(sandbox, makeRoutedFarm),
  },
  {
    name: "packet-wms",
    about: "MMS of two servers and players of our own: funnels, lost packets asked for; judged by Wireshark",
    needs: ["tcpdump", "tshark"],
    run: (sandbox) => wms.overUdp(sandbox, makeRoutedFarm),
  },
  {
    name: "packet-x11-ssh",
    about: "ssh -X shows windows of two OpenSSH servers, which see their clients; scp meets the same one",
    needs: x11Ssh.NEEDS,
    run: (sandbox) => x11Ssh.windows(sandbox, makeRoutedFarm),
  },
];
