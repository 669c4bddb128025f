import type { Scenario } from "../scenario.ts";
import { packetChanged } from "./packet-changed.ts";
import { packetDirect } from "./packet-direct.ts";
import { packetFtp } from "./packet-ftp.ts";
import { packetGroups } from "./packet-groups.ts";
import { packetHard } from "./packet-hard.ts";
import { packetOneArm } from "./packet-one-arm.ts";
import { packetRest } from "./packet-rest.ts";
import { packetServices } from "./packet-services.ts";
import { packetSpoofed } from "./packet-spoofed.ts";
import { packetUdp } from "./packet-udp.ts";
import { packetVip } from "./packet-vip.ts";
import { packetWatched } from "./packet-watched.ts";

/** All that is shown of the packet path. */
export const packet: readonly Scenario[] = [
  ...packetFtp,
  ...packetUdp,
  ...packetRest,
  ...packetGroups,
  ...packetDirect,
  ...packetVip,
  ...packetHard,
  ...packetServices,
  ...packetOneArm,
  ...packetSpoofed,
  ...packetChanged,
  ...packetWatched,
];
