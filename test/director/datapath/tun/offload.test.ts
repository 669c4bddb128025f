/** Related connections handed to a standing nft, of which the test is the other end. */
import { spawnSync } from "node:child_process";
import { closeSync, readSync, writeSync } from "node:fs";
import t from "tap";
import type { RelatedEntry } from "../../../../core/flow/related.ts";
import type { Handle } from "../../../../core/flow/slots.ts";
import { ms, port } from "../../../../core/units.ts";
import { parseConfig } from "../../../../director/config.ts";
import { type Calls, loadTunCalls } from "../../../../director/datapath/tun/calls.ts";
import { Offload, offloadRules, offloadUndo } from "../../../../director/datapath/tun/offload.ts";
import { sourcesAsked, sourcesCheck } from "../../../../director/datapath/tun/own-sources.ts";
import { MOST_CLIENTS, serviceRules } from "../../../../director/datapath/tun/service-rules.ts";
import { address } from "../../../addresses.ts";

const loaded = await loadTunCalls();
const skip = typeof loaded === "string" ? loaded : false;
const calls = loaded as Calls;

const VIP = "203.0.113.10";
const SEEN = { address: address(VIP), port: port(5001) };

const announced = (rest: Partial<RelatedEntry> = {}): RelatedEntry => ({
  id: 1,
  row: 0,
  master: 0 as Handle,
  kind: "ftp-passive",
  transport: "tcp",
  opener: "original",
  from: { address: address("192.0.2.7"), port: null },
  target: { address: address("192.168.0.2"), port: port(5001) },
  seen: null,
  uses: 1,
  leaves: null,
  other: null,
  expires: ms(30_000),
  ttl: ms(30_000),
  state: "reserved",
  ...rest,
});
const ELEMENT = "{ 192.0.2.7 . 203.0.113.10 . 5001 }";
const ECHO = `add element inet kindred related4 { 192.0.2.7 . ${VIP} . 5001 timeout 30s expires 30s : 192.168.0.2 . 5001 }\n`;
const KEY = ELEMENT.slice(2, -2);
const found = (packets: number): string => `elements = { ${KEY} counter packets ${packets} bytes 60 }\n`;

function pipe(): { read: number; write: number } {
  const ends = calls.memory(8);
  calls.pipe2(ends.at, 0);
  return { read: ends.bytes.readInt32LE(0), write: ends.bytes.readInt32LE(4) };
}

/** `say`: what nft will answer to what comes next. */
function standing() {
  const [input, output] = [pipe(), pipe()];
  const offload = new Offload(calls, { input: input.write, output: output.read });
  const buffer = Buffer.alloc(4096);
  return {
    offload,
    say: (text: string) => writeSync(output.write, text),
    heard: () => buffer.toString("latin1", 0, readSync(input.read, buffer)),
    leave: () => closeSync(output.write),
  };
}

t.test(
  "what a passive client is told is in the map before it is told, and counted when it goes",
  { skip },
  async (t) => {
    const { offload, say, heard } = standing();
    const entry = announced();
    say(ECHO);
    t.equal(offload.add(entry, SEEN), true);
    t.equal(
      heard(),
      `add element inet kindred related4 { 192.0.2.7 . ${VIP} . 5001 timeout 30s : 192.168.0.2 . 5001 }\n`,
    );
    say(found(1));
    t.equal(offload.remove(entry), 1);
    t.equal(heard(), `get element inet kindred related4 ${ELEMENT}\ndelete element inet kindred related4 ${ELEMENT}\n`);
    t.equal(offload.remove(entry), null, "it is not there any more");
  },
);

t.test("whose time was up is not counted, and not taken back again", { skip }, async (t) => {
  const { offload, say, heard } = standing();
  const entry = announced();
  say(ECHO);
  offload.add(entry, SEEN);
  heard();
  say(`Error: Could not process rule: No such file or directory: ${KEY}\n`);
  t.equal(offload.remove(entry), 0);
  t.equal(heard(), `get element inet kindred related4 ${ELEMENT}\n`);
});

t.test("what realservers open, what is used often, and datagrams come by the engine", { skip }, async (t) => {
  const { offload, say } = standing();
  for (const one of [{ opener: "reply" }, { uses: "many" }, { transport: "udp" }] as const) {
    const entry = announced(one);
    say(ECHO);
    t.equal(offload.add(entry, SEEN), false);
    t.equal(offload.remove(entry), null);
  }
});

t.test("where nft does not take it the engine keeps it; where nft is gone it keeps all", { skip }, async (t) => {
  const { offload, say, heard, leave } = standing();
  say(`Error: Could not process rule: 192.0.2.7 . ${VIP} . 5001\n`);
  t.equal(offload.add(announced(), SEEN), false);
  heard();
  leave();
  t.equal(offload.add(announced(), SEEN), false);
  heard();
  const entry = announced();
  t.equal(offload.add(entry, SEEN), false, "it is not asked once more");
  t.equal(offload.remove(entry), null);
});

/** In a network namespace of its own, which goes when it has ended. */
const nft = (script: string): string => {
  const { status, stderr } = spawnSync("unshare", ["--map-root-user", "--net", "nft", "-f", "-"], { input: script });
  return status === 0 ? "" : `${stderr}`;
};
const noNft = nft("list tables") === "" ? false : "nft, unshare and user namespaces";
const noWire = spawnSync("sh", ["-c", "command -v ip nsenter bash bc"]).status === 0 ? noNft : "ip, nsenter, bash, bc";

t.test("nft takes all rules, over those of before, and takes them back", { skip: noNft }, async (t) => {
  const realservers = "[{ address: 192.168.0.2, port: 8080, weight: 3 }, { address: 192.168.0.3 }]";
  const services = ["rr", "wrr", "sh"].map(
    (scheduler, i) =>
      `{ name: ${scheduler}, vip: ${VIP}, ports: [tcp/${80 + i}], scheduler: ${scheduler}, realservers: ${realservers} }`,
  );
  const six =
    '{ name: six, vip: "2001:db8::10", ports: [tcp/80], scheduler: sh, realservers: [{ address: "fd00::3" }] }';
  // Of several ports clients stay; with one that is drained, who is in the set of none of the others.
  const drained = "[{ address: 192.168.0.2, weight: 0 }, { address: 192.168.0.3 }]";
  const group = `{ name: group, vip: ${VIP}, ports: [tcp/90-91, udp/90], scheduler: rr, realservers: ${drained} }`;
  const config = parseConfig(`services: [${[...services, six, group].join(", ")}]`, "test.yaml", { path: "tun" });
  const numbers = new Map<string, number>();
  const { rules } = serviceRules(config.services, {
    number: (service, realserver) => {
      const name = `${service} ${realserver}`;
      numbers.set(name, numbers.get(name) ?? numbers.size);
      return numbers.get(name)!;
    },
    takes: () => true,
  });
  t.equal(nft([offloadRules, rules, rules, offloadRules, offloadUndo].join("; ")), "");
  const [door] = sourcesAsked("lo");
  t.equal(
    nft([sourcesCheck, offloadRules, door.nft, rules, offloadRules, door.nft, door.undo, offloadUndo].join("; ")),
    "",
  );
});

/** A device gets another name while its rule is there. */
const RENAMED = `
set -e
ip link add front.7 type veth peer name back
nft -f -
ip link set front.7 name elsewhere
nft list set inet kindred doors
`;

t.test("whose sources are asked for is known whatever it is called by now", { skip: noWire }, async (t) => {
  const input = `${offloadRules}\n${sourcesAsked("front.7")[0].nft}\n`;
  const { stdout, stderr } = spawnSync("unshare", ["--map-root-user", "--net", "sh", "-c", RENAMED], { input });
  t.match(`${stdout}${stderr}`, /elements = \{ "elsewhere" \}/);
});

/** A client on a wire of its own asks the VIP from three addresses; then what nft has counted. */
const ASKED = `
set -e
unshare --net sleep 60 & client=$!
trap 'kill $client' EXIT
ip link set lo up
ip link add front type veth peer name eth0
until [ "$(readlink /proc/$client/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
ip link set eth0 netns $client
ip address add 192.0.2.1/24 dev front
ip link set front up
nft -f -
at_client() { nsenter --net=/proc/$client/ns/net "$@"; }
at_client ip link set eth0 up
for host in 11 12 13; do
  at_client ip address add 192.0.2.$host/24 dev eth0
  at_client ip route replace ${VIP} via 192.0.2.1 src 192.0.2.$host
  at_client bash -c 'echo >/dev/udp/${VIP}/80'
done
total() { nft -j list counters table inet kindred | grep -o '"packets": [0-9]*' | cut -d: -f2 | paste -sd+ | bc; }
for i in $(seq 300); do [ "$(total)" = 3 ] && break; sleep 0.1; done
nft -j list table inet kindred
`;

t.test("clients for whom a set has no room are counted, and left to the engine", { skip: noWire }, async (t) => {
  const service = `{ name: web, vip: ${VIP}, ports: [udp/80], scheduler: rr, persistence: 90s, realservers: [{ address: 192.168.0.2 }] }`;
  const { services } = parseConfig(`services: [${service}]`, "test.yaml", { path: "tun" });
  const { rules } = serviceRules(services, { number: () => 1, takes: () => true });
  const two = rules.replace(`size ${MOST_CLIENTS}`, "size 2");
  t.not(two, rules);
  const input = `${offloadRules}\n${two}\n`;
  const { stdout, stderr } = spawnSync("unshare", ["--map-root-user", "--net", "bash", "-c", ASKED], { input });
  const listed = JSON.parse(`${stdout}` || `{ "nftables": [], "said": ${JSON.stringify(`${stderr}`)} }`) as {
    nftables: readonly Readonly<Record<string, { name?: string; packets?: number; elem?: readonly object[] }>>[];
  };
  const counted = listed.nftables.flatMap(({ counter }) =>
    counter === undefined ? [] : [[counter.name, counter.packets]],
  );
  t.same(Object.fromEntries(counted), { to1: 2, full1: 1 }, `${stderr}`);
  const set = listed.nftables.find(({ set }) => set?.name === "stay4_1")?.["set"];
  t.equal(set?.elem?.length, 2);
});
