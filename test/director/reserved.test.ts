/** From which reserved port a connection leaves, on a backend that answers as it is told. */
import t from "tap";
import { port, seconds } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { ReservedPorts } from "../../director/datapath/reserved.ts";
import type { Backend, ConnectOptions, Reason, Stream } from "../../director/datapath/transport.ts";

const ANY = Address.parse("0.0.0.0")!;
const options = { to: { address: ANY, port: port(514) }, from: { address: ANY }, timeout: seconds(1), bulk: false };
const stream = {} as Stream;

/** What `connect` came to, and the ports that were tried. `answer`: null connects. */
function reach(answer: (port: number) => Reason | null, ports = new ReservedPorts(), first = port(1000)) {
  const tried: number[] = [];
  const connect = ({ from }: ConnectOptions, done: (stream: Stream | null, reason: Reason) => void): void => {
    tried.push(from!.port!);
    const reason = answer(from!.port!);
    done(reason === null ? stream : null, reason ?? "");
  };
  let came: readonly [Stream | null, Reason] | null = null;
  ports.connect({ connect } as Backend, options, first, (...outcome) => {
    came = outcome;
  });
  return { tried, came };
}

t.test("the port that was asked for comes first, then others, from the top down", async (t) => {
  t.same(
    reach(() => null),
    { tried: [1000], came: [stream, ""] },
  );
  const busy = [1000, 1023, 1022];
  t.same(reach((at) => (busy.includes(at) ? "EADDRINUSE" : null)).tried, [1000, 1023, 1022, 1021]);
  t.same(reach((at) => (busy.includes(at) ? "EADDRNOTAVAIL" : null)).tried, [1000, 1023, 1022, 1021]);
});

t.test("a port just used is the last to be used again, and none is below 600", async (t) => {
  const ports = new ReservedPorts();
  const used = Array.from(
    { length: 425 },
    () => reach((at) => (at === 1000 ? "EADDRINUSE" : null), ports).tried.at(-1)!,
  );
  t.equal(new Set(used.slice(0, 423)).size, 423, "each once, but for the one that is in use");
  t.equal(Math.min(...used), 600);
  t.equal(Math.max(...used), 1023);
});

t.test("64 ports are tried; a server that refuses, or a lack of privilege, is told at once", async (t) => {
  const { tried, came } = reach(() => "EADDRINUSE");
  t.same([tried.length, came], [64, [null, "EADDRINUSE"]]);
  for (const reason of ["ECONNREFUSED", "EACCES"])
    t.same(
      reach(() => reason),
      { tried: [1000], came: [null, reason] },
    );
});
