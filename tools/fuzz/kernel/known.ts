/** What is known of nf_conntrack_ftp on hostile input (Linux 6.18): each run shows it again. */
import { client, type Dialogue, type Message, refused, same, server, type Turn } from "../generate/ftp/model.ts";
import type { Class } from "./compare.ts";
import { CLIENT, SERVER } from "./namespaces.ts";

export interface Known {
  readonly name: string;
  readonly dialogue: Dialogue;
  readonly class: Class;
  /** `address port` that one of the two lets in. */
  readonly end: string;
}

export const ENDS = {
  4: { client: CLIENT[4], virtual: SERVER[4], real: SERVER[4] },
  6: { client: CLIENT[6], virtual: SERVER[6], real: SERVER[6] },
} as const;

const OPENING: readonly Turn[] = [
  server(same("220 ready\r\n", "a greeting")),
  client(same("USER anonymous\r\n", "USER")),
  server(same("230 in\r\n", "an answer")),
];
const C = CLIENT[4].replaceAll(".", ",");
const S = SERVER[4].replaceAll(".", ",");

const known = (name: string, kind: Class, end: string, ...turns: readonly Turn[]): Known => ({
  name,
  dialogue: { ends: ENDS[4], turns: [...OPENING, ...turns], exact: true },
  class: kind,
  end,
});
const lax = (name: string, said: string, port: number): Known =>
  known(name, "kernel-too-lax", `${CLIENT[4]} ${port}`, client(refused(said, name)));

const passive: Message = {
  said: `227 Entering Passive Mode (${S},200,10).\r\n`,
  outcome: "announced",
  about: "227",
  offers: { kind: "ftp-passive", address: SERVER[4], port: 51210, at: [] },
};

export const KNOWN: readonly Known[] = [
  lax("PORT with the reserved port 22", `PORT ${C},0,22\r\n`, 22),
  lax("PORT with port 0", `PORT ${C},0,0\r\n`, 0),
  lax("PORT with the numbers 4,300, taken for port 1324", `PORT ${C},4,300\r\n`, 1324),
  lax("EPRT with port 70000, taken for port 4464", `EPRT |1|${CLIENT[4]}|70000|\r\n`, 4464),
  known(
    "a 227 that nobody asked for",
    "kernel-too-lax",
    `${SERVER[4]} 51210`,
    server(refused(`227 ok (${S},200,10)\r\n`, "a 227 that nobody asked for")),
  ),
  known(
    "a 227 that nobody asked for, to port 22",
    "kernel-too-lax",
    `${SERVER[4]} 22`,
    server(refused(`227 ok (${S},0,22)\r\n`, "a 227 that nobody asked for")),
  ),
  known(
    "a 227 that is not the first line of its segment",
    "kernel-too-strict",
    `${SERVER[4]} 51210`,
    client(same("PASV\r\n", "PASV")),
    server(same("150 wait\r\n", "an answer too many"), passive),
  ),
];
