/** Shares of bandwidth and urgency by TOS, set up by `kindred plan`, measured at the client. */
import { ask, askCommand, Planned, startLines } from "../plan.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import { settled } from "../settled.ts";
import type { Host } from "../topology.ts";
import { makeTwoWays, type TwoWays } from "../two-ways.ts";

const PORT = 2300;
const RATE = 40;
const SHARE = 70;
/** Of the share, and no more than that. */
const TOLERANCE = 0.1;
const SECONDS = 3;

/** Two services, one server each, balanced by nftables. */
async function twoServices(sandbox: Sandbox): Promise<{ farm: TwoWays; config: object }> {
  const farm = await makeTwoWays(sandbox, 4, 2);
  const [first, second] = farm.realservers;
  await startLines(farm.realservers, [PORT, PORT + 1]);
  const service = (name: string, port: number, address: string): object => ({
    name,
    vip: farm.vip,
    ports: [`tcp/${port}`],
    realservers: [{ address }],
  });
  const services = [service("one", PORT, first!.address), service("two", PORT + 1, second!.address)];
  const config = { services };
  await new Planned(sandbox, config, [farm.director], ["--topology", "lvc-rr", "--front", farm.front]).apply();
  return { farm, config };
}

async function bandwidth(sandbox: Sandbox): Promise<string> {
  const { farm, config } = await twoServices(sandbox);
  const [client] = farm.clients;
  const shares = ["--share", `one=${SHARE}`, "--share", `two=${100 - SHARE}`];
  const words = ["--topology", "lvc-bandwidth", "--front", farm.front, "--rate", `${RATE}mbit`, ...shares];
  const plan = new Planned(sandbox, config, [farm.director], words);
  await plan.apply();
  const [one, two] = await ask<[number, number]>(client!, "more", farm.vip, SECONDS, PORT, PORT + 1);
  const share = (100 * one) / (one + two);
  if (Math.abs(share - SHARE) > SHARE * TOLERANCE)
    throw new Error(`${share.toFixed(1)} % of the bytes, not ${SHARE} %`);
  const [alone] = await ask<[number]>(client!, "more", farm.vip, SECONDS, PORT + 1);
  if (alone < 2 * two)
    throw new Error(`alone the second has ${megabits(alone)} Mb/s, beside the first ${megabits(two)}`);
  await plan.undo();
  const both = `${megabits(one)} and ${megabits(two)} Mb/s of ${RATE}`;
  return `${share.toFixed(1)} % for ${SHARE} %: ${both}; the second alone ${megabits(alone)}; all taken back`;
}

const megabits = (bytes: number): string => ((bytes * 8) / SECONDS / 1e6).toFixed(1);

async function urgency(sandbox: Sandbox): Promise<string> {
  const { farm, config } = await twoServices(sandbox);
  const words = ["--topology", "lvc-tos", "--front", farm.front, "--rate", "10mbit"];
  const plain = await underLoad(farm, new Planned(sandbox, config, [farm.director], words));
  const marked = [...words, "--mark", "one=low-delay"];
  const urgent = await underLoad(farm, new Planned(sandbox, config, [farm.director], marked));
  if (urgent > plain / 3)
    throw new Error(`a line takes ${urgent.toFixed(1)} ms with low delay, ${plain.toFixed(1)} without`);
  return `a line beside a full device: ${plain.toFixed(1)} ms, with low delay ${urgent.toFixed(1)} ms (medians of ${LINES})`;
}

const LINES = 15;
/** Bytes after which the queue of the device is as long as it gets: what 10 Mb/s are in two seconds. */
const FULL = 2_500_000;

/** Median milliseconds of a line of the first service while the second fills the device. */
async function underLoad({ clients, vip, director, front }: TwoWays, plan: Planned): Promise<number> {
  const [client] = clients;
  await plan.apply();
  const load = client!.start(askCommand("more", vip, 600, PORT + 1));
  await untilSent(director, front, FULL);
  const times = await ask<number[]>(client!, "round", vip, PORT, LINES);
  await load.end();
  await plan.undo();
  return times.sort((one, other) => one - other)[LINES >> 1]!;
}

/** Waits until a device has sent so many bytes more. */
async function untilSent({ must, name }: Host, device: string, bytes: number): Promise<void> {
  const sent = async (): Promise<number> => Number(await must(["cat", `/sys/class/net/${device}/statistics/tx_bytes`]));
  const wanted = (await sent()) + bytes;
  const all = await settled(sent, (now) => now >= wanted);
  if (all < wanted) throw new Error(`${device} of ${name} sends nothing`);
}

const needs = ["nft", "tc"];

export const queues: readonly Scenario[] = [
  {
    name: "lvc-bandwidth",
    alone: true,
    about: `plan --topology lvc-bandwidth: ${SHARE} % and ${100 - SHARE} % of a device, within a tenth of it`,
    needs,
    run: bandwidth,
  },
  {
    name: "lvc-tos",
    alone: true,
    about: "plan --topology lvc-tos: what is marked does not wait behind the rest",
    needs,
    run: urgency,
  },
];
