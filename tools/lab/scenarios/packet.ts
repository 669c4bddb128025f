import type { Scenario } from "../scenario.ts";
import { packetFtp } from "./packet-ftp.ts";
import { packetGroups } from "./packet-groups.ts";
import { packetHard } from "./packet-hard.ts";
import { packetOperated } from "./packet-operated.ts";
import { packetRest } from "./packet-rest.ts";
import { packetServices } from "./packet-services.ts";
import { packetUdp } from "./packet-udp.ts";

/** All that is shown of the packet path. */
export const packet: readonly Scenario[] = [
  ...packetFtp,
  ...packetUdp,
  ...packetRest,
  ...packetGroups,
  ...packetHard,
  ...packetServices,
  ...packetOperated,
];
