/**
 * The packet path on a host of its own, that anybody may have: network, mounts and a user's root in new namespaces. What
 * it does to the host, and takes back; packets are the laboratory's.
 */
import { execFile, spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { ROOT } from "../../../root.ts";
import { folder } from "../../live.ts";
import { built } from "../../process.ts";

const KINDRED = resolve(ROOT, "dist", "tools", "kindred.js");
const OWN = ["--map-root-user", "--net", "--mount"];
const may = spawnSync("unshare", [...OWN, "sh", "-c", "command -v ip && : <>/dev/net/tun"]).status === 0;
const options = built.skip ? built : may ? {} : { skip: "needs unshare(1), user namespaces, ip, /dev/net/tun" };

const config = (...services: readonly string[]): string => `services: [${services.join(", ")}]
log: { level: info, format: json }
`;
const service = (name: string, vip: string, method: string): string =>
  `{ name: ${name}, vip: ${vip}, ports: [tcp/80], realservers: [{ address: 10.78.2.2, method: ${method} }] }`;
const WEB = service("web", "10.78.1.100", "nat");

/** Each state of the host is a file. */
const TOOLS = `
set -e
node=$1 kindred=$2
networks() {
  ip link set lo up
  for net in 1 2; do
    ip link add net$net type bridge
    ip address add 10.78.$net.1/24 dev net$net
    ip link set net$net up
  done
}
director() {
  "$node" "$kindred" run --path tun kindred.yaml > $1.log 2>&1 &
  pid=$!
  said $1 '"ready"'
}
said() { for i in $(seq 900); do grep -q "$2" $1.log && return; sleep 0.1; done; cat $1.log >&2; return 1; }
`;
const SCRIPT = `${TOOLS}
mount -t tmpfs -o mode=755 none /run
networks
state() {
  { ip rule; ip -4 route show table all; ip neigh show proxy; ip -o link show type tun | cut -d: -f2
    cat /proc/sys/net/ipv4/ip_forward; } > $1
}
settled() { for i in $(seq 600); do state now; grep -v kin1 now | cmp -s - $1 && return; sleep 0.1; done; }
state before
director first
state during
set +e; "$node" "$kindred" run --path tun kindred.yaml > second.log 2>&1; echo $? >> second.log; set -e
cp more.yaml kindred.yaml; kill -HUP $pid; said first '"changed"'
state more
cp less.yaml kindred.yaml; kill -HUP $pid
settled during
state less
kill -9 $pid; wait $pid || true
state left
echo 50 > /proc/sys/net/ipv4/neigh/net1/proxy_delay
director third
kill $pid; wait $pid || true
state after
cat /proc/sys/net/ipv4/neigh/net1/proxy_delay > delay
ls /run/kindred > journals
`;

t.test("what it changes of a host it takes back: at its end, after a change, after kill -9", options, async (t) => {
  const path = await folder(t);
  const both = config(WEB, service("more", "10.78.1.101", "dr"));
  for (const [name, text] of [
    ["kindred", config(WEB)],
    ["less", config(WEB)],
    ["more", both],
  ] as const) {
    await writeFile(join(path, `${name}.yaml`), text);
  }
  const script = ["sh", "-c", SCRIPT, "sh", process.execPath, KINDRED];
  await promisify(execFile)("unshare", [...OWN, ...script], { cwd: path, timeout: 300_000 });
  const file = (name: string): Promise<string> => readFile(join(path, name), "utf8");
  const [before, during, more, less, left, after] = await Promise.all(
    ["before", "during", "more", "less", "left", "after"].map(file),
  );
  t.match(during, /10\.78\.1\.100 dev kin0/);
  t.match(during, /from 10\.78\.2\.2 iif net2 lookup 7700/);
  t.match(during, /10\.78\.1\.100 dev net1 *proxy/);
  t.match(await file("second.log"), /another director runs on this host's packet path \(pid \d+\).*\n2\n$/s);
  t.match(more, /10\.78\.1\.101 dev kin0/, "a reload adds what is new");
  t.match(more, /default via 10\.78\.2\.2 dev net2 table 7701/);
  t.equal(withoutDevice(less!), during, "and one takes it away again");
  t.not(left, before, "kill -9 leaves something: else the rest shows nothing");
  t.match(await file("third.log"), /"cleaned-up"/);
  t.match(await file("third.log"), /"left-alone".*net\/ipv4\/neigh\/net1\/proxy_delay is 50, and was set to 0/);
  t.equal((await file("delay")).trim(), "50", "what somebody set since is theirs");
  t.equal(after, before);
  t.equal((await file("journals")).trim(), "");
});

const FIRST = `${TOOLS}
networks
director killed
kill -9 $pid; wait $pid || true
`;
/** What was set there has other owners here. The kernel gives the number of a namespace that is gone to a later one. */
const SECOND = `${TOOLS}
networks
number=$(readlink /proc/self/ns/net | tr -dc 0-9)
mv /run/kindred/tun-*.json /run/kindred/tun-$number.json
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 0 > /proc/sys/net/ipv4/neigh/net1/proxy_delay
director other
kill $pid; wait $pid || true
cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/neigh/net1/proxy_delay > settings
`;
const BOTH = `
set -e
mount -t tmpfs -o mode=755 none /run
unshare --net sh -c "$3" sh "$1" "$2"
unshare --net sh -c "$4" sh "$1" "$2"
`;

t.test("what was left in a namespace that is gone is not taken back in one that has its number", options, async (t) => {
  const path = await folder(t);
  await writeFile(join(path, "kindred.yaml"), config(WEB));
  const script = ["sh", "-c", BOTH, "sh", process.execPath, KINDRED, FIRST, SECOND];
  await promisify(execFile)("unshare", [...OWN, ...script], { cwd: path, timeout: 300_000 });
  const file = (name: string): Promise<string> => readFile(join(path, name), "utf8");
  t.notMatch(await file("other.log"), /"cleaned-up"/);
  t.equal(await file("settings"), "1\n0\n");
});

/** A device that was needed stays until the end. */
const withoutDevice = (state: string): string => state.replaceAll(/^.*kin1.*\n/gm, "");
