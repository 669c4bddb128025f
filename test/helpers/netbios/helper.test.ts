import t from "tap";
import { Recorder } from "../../../core/helper/recorder.ts";
import { type PortRange, port } from "../../../core/units.ts";
import { parseSource } from "../../../helpers/netbios/datagram.ts";
import { netbios } from "../../../helpers/netbios/helper.ts";
import { parseAddresses } from "../../../helpers/netbios/names.ts";
import { address, endpoint } from "../../addresses.ts";
import { holdsContract } from "../../contract.ts";
import { conversationOf, makeBalancer, realserver, serviceFor } from "../../conversation.ts";

const u16 = (n: number): number[] => [(n >>> 8) & 255, n & 255];
const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

const CLIENT = [10, 0, 0, 5];
const VIP = [1, 2, 3, 4];
const REAL = [192, 168, 0, 2];
const THIRD = [10, 9, 9, 9];

/** `FILESERVER` as RFC 1001 §14.1 encodes it. */
const NAME = [32, ...Buffer.from("EGEJEMEFFDEFFCFGEFFCCACACACACACA"), 0];
const POINTER = [0xc0, 12];

const names = (flags: number, questions: number, records: number, ...rest: number[]): Uint8Array =>
  Uint8Array.from([...u16(7), ...u16(flags), ...u16(questions), ...u16(records), 0, 0, 0, 0, ...rest]);
const record = (name: readonly number[], type: number, data: readonly number[]): number[] => [
  ...[...name, ...u16(type), ...u16(1), 0, 0, 1, 0],
  ...u16(data.length),
  ...data,
];
const nb = (...addresses: readonly (readonly number[])[]): number[] => addresses.flatMap((one) => [0, 0, ...one]);

const QUERY = names(0x0110, 1, 0, ...NAME, ...u16(0x20), ...u16(1));
const answer = (...addresses: readonly (readonly number[])[]) =>
  names(0x8500, 0, 1, ...record(NAME, 0x20, nb(...addresses)));
const STATUS = names(0x8400, 0, 1, ...record(NAME, 0x21, [1, ...REAL, ...REAL, ...REAL]));

const datagram = (type: number, source: readonly number[], sourcePort: number): Uint8Array => {
  const data = [...NAME, ...NAME, ...Buffer.from("payload")];
  return Uint8Array.from([type, 0x0a, ...u16(9), ...source, ...u16(sourcePort), ...u16(data.length), 0, 0, ...data]);
};
const dgramError = (source: readonly number[]) => Uint8Array.from([0x13, 0, ...u16(9), ...source, ...u16(138), 0x82]);

holdsContract(t, netbios, [
  ...[QUERY, answer(REAL), answer(REAL, THIRD), STATUS, datagram(0x10, REAL, 138), dgramError(REAL)],
]);
holdsContract(t, { ...netbios, ports: [port(138)] }, [
  datagram(0x10, REAL, 138),
  datagram(0x10, REAL, 0),
  datagram(0x16, CLIENT, 138),
  dgramError(REAL),
]);

const talkOf = (number: 137 | 138, client = endpoint("10.0.0.5", number)) =>
  conversationOf({ ...netbios, ports: [port(number)] }, { client });

t.test(
  "137: the realserver's own address in an answer becomes the virtual service's, wherever it stands",
  async (t) => {
    const talk = talkOf(137);
    t.equal(talk.client(QUERY), latin1(QUERY));
    t.equal(talk.server(answer(REAL)), latin1(answer(VIP)));
    t.equal(talk.server(answer(THIRD, REAL, REAL)), latin1(answer(THIRD, VIP, VIP)), "others stay");
    const two = names(
      0x8500,
      1,
      2,
      ...NAME,
      ...u16(0x20),
      ...u16(1),
      ...record(POINTER, 0x20, nb(REAL)),
      ...record([0], 0x20, nb(REAL)),
    );
    const told = names(
      0x8500,
      1,
      2,
      ...NAME,
      ...u16(0x20),
      ...u16(1),
      ...record(POINTER, 0x20, nb(VIP)),
      ...record([0], 0x20, nb(VIP)),
    );
    t.equal(talk.server(two), latin1(told));
  },
);

t.test("137: other records that happen to hold the address stay as they are", async (t) => {
  t.equal(talkOf(137).server(STATUS), latin1(STATUS));
});

t.test("137: what the client says stays as it is, answers too", async (t) => {
  const talk = talkOf(137);
  for (const said of [QUERY, answer(CLIENT), answer(REAL)]) t.equal(talk.client(said), latin1(said));
  t.notOk(talk.stream.detached);
});

t.test("138: every message of the realserver's names the virtual service", async (t) => {
  for (const type of [0x10, 0x11, 0x12, 0x14, 0x15, 0x16]) {
    t.equal(talkOf(138).server(datagram(type, REAL, 138)), latin1(datagram(type, VIP, 138)));
  }
  t.equal(talkOf(138).server(dgramError(REAL)), latin1(dgramError(VIP)));
});

t.test("138: the realserver's port becomes the virtual service's, another one stays", async (t) => {
  const spec = { realservers: [realserver("192.168.0.2", { port: port(1138) })] };
  const helper = { ...netbios, ports: [port(138)] };
  const talk = conversationOf(helper, { balancer: makeBalancer([serviceFor(helper, spec)]) });
  t.equal(talk.server(datagram(0x10, REAL, 1138)), latin1(datagram(0x10, VIP, 138)));
  t.equal(talk.server(datagram(0x10, REAL, 2000)), latin1(datagram(0x10, VIP, 2000)));
});

t.test("138: what the realserver passes on of others keeps its source", async (t) => {
  t.equal(talkOf(138).server(datagram(0x10, THIRD, 138)), latin1(datagram(0x10, THIRD, 138)));
});

t.test("138: a client's own source stays, any other becomes its own: no answers go to third parties", async (t) => {
  const own = talkOf(138);
  t.equal(own.client(datagram(0x10, CLIENT, 138)), latin1(datagram(0x10, CLIENT, 138)));
  t.same(own.reasons("fault"), []);
  const talk = talkOf(138);
  t.equal(talk.client(datagram(0x10, THIRD, 138)), latin1(datagram(0x10, CLIENT, 138)));
  t.equal(talk.client(datagram(0x10, CLIENT, 53)), latin1(datagram(0x10, CLIENT, 138)));
  t.same(talk.reasons("fault"), ["foreign-source", "foreign-source"]);
});

t.test("138: the realserver is told the client's end as it sees it, where that is another", async (t) => {
  const talk = talkOf(138);
  talk.control.source = endpoint("192.168.0.1", 5000);
  const seen = datagram(0x10, [192, 168, 0, 1], 5000);
  t.equal(talk.client(datagram(0x10, CLIENT, 138)), latin1(seen));
  t.same(talk.reasons("fault"), []);
  t.equal(talk.client(datagram(0x10, THIRD, 138)), latin1(seen));
  t.equal(talk.client(seen), latin1(seen));
  t.same(talk.reasons("fault"), ["foreign-source", "foreign-source"]);
});

t.test(
  "nothing is translated: the datagram service is let go, and a flow that opens with an answer is none",
  async (t) => {
    const same = {
      client: endpoint("10.0.0.5", 137),
      virtual: endpoint("1.2.3.4", 137),
      real: endpoint("1.2.3.4", 137),
    };
    const shown = (number: number, payload: Uint8Array, direction: "original" | "reply" = "original") => {
      const at = { address: address("1.2.3.4"), port: port(number) };
      const inspector = netbios.open({ transport: "udp", ...same, virtual: at, real: at }, { strict: false, hold: 0 });
      const recorder = new Recorder();
      const { verdict } = inspector.inspect(payload, direction, recorder);
      t.equal(recorder.edits.length, 0);
      return verdict;
    };
    t.equal(shown(137, QUERY), "pass");
    t.equal(shown(137, answer(VIP), "reply"), "pass");
    t.equal(shown(137, answer(VIP)), "detach");
    t.equal(shown(138, datagram(0x10, CLIENT, 138)), "detach");
  },
);

t.test("nothing is ever announced, or awaited", async (t) => {
  for (const number of [137, 138] as const) {
    const talk = talkOf(number);
    for (const said of [QUERY, answer(REAL), datagram(0x10, REAL, 138)]) {
      talk.client(said);
      talk.server(said);
    }
    t.equal(talk.announced.length, 0);
  }
});

t.test("all four ports of a client lead to one realserver", async (t) => {
  const range = (transport: "udp" | "tcp", number: number): PortRange => ({
    transport,
    first: port(number),
    last: port(number),
  });
  const ports = [range("udp", 137), range("udp", 138), range("tcp", 139), range("tcp", 445)];
  const realservers = [realserver("192.168.0.2"), realserver("192.168.0.3"), realserver("192.168.0.4")];
  const balancer = makeBalancer([serviceFor(netbios, { ports, realservers })]);
  const first = new Set<unknown>();
  for (let n = 1; n <= 30; n++) {
    const client = endpoint(`10.0.1.${n}`, 40000);
    const chosen = ports.map(({ transport, first }) => {
      const entry = balancer.admit(transport, client, endpoint("1.2.3.4", first), 1 as never);
      return typeof entry === "string" ? entry : entry.realserver;
    });
    t.equal(new Set(chosen).size, 1);
    first.add(chosen[0]);
  }
  t.equal(first.size, 3);
});

const malformedNames: [why: string, payload: Uint8Array, code: string][] = [
  ["eleven bytes", QUERY.subarray(0, 11), "truncated"],
  ["a question that is not there", names(0x0110, 1, 0), "truncated"],
  ["a question without type and class", names(0x0110, 1, 0, ...NAME), "truncated"],
  ["a name that does not end", names(0x0110, 1, 0, 32, ...Buffer.from("EGEJ")), "truncated"],
  ["a label of 64 bytes", names(0x0110, 1, 0, 64, ...Array(64).fill(65), 0, 0, 0x20, 0, 1), "bad-name"],
  ["half a pointer", names(0x8500, 0, 1, 0xc0), "truncated"],
  ["a record without its data", names(0x8500, 0, 1, ...NAME, 0, 0x20, 0, 1, 0, 0, 0, 0, 0, 6), "truncated"],
  ["65,535 records of none", names(0x8500, 0, 0xffff), "truncated"],
  ["NB data of five bytes", names(0x8500, 0, 1, ...record(NAME, 0x20, [0, 0, 1, 2, 3])), "bad-record"],
];
for (const [why, payload, code] of malformedNames) {
  t.test(`137: ${why}: passed on, counted as ${code}`, async (t) => {
    t.equal(parseAddresses(payload), code);
    const talk = talkOf(137);
    t.equal(talk.server(payload), latin1(payload));
    t.same(talk.reasons("fault"), [code]);
  });
}

t.test("137: a pointer to itself is not followed", async (t) => {
  t.same(parseAddresses(names(0x8500, 0, 1, ...record(POINTER, 0x20, nb(REAL)))), [26]);
});

const malformedDatagrams: [why: string, payload: Uint8Array, code: string][] = [
  ["a type alone", Uint8Array.of(0x10), "truncated"],
  ["type 0x0f", datagram(0x0f, REAL, 138), "unknown-type"],
  ["type 0x17", datagram(0x17, REAL, 138), "unknown-type"],
  ["data without names", datagram(0x10, REAL, 138).subarray(0, 15), "truncated"],
  ["an error without its code", dgramError(REAL).subarray(0, 10), "truncated"],
];
for (const [why, payload, code] of malformedDatagrams) {
  t.test(`138: ${why}: passed on, counted as ${code}`, async (t) => {
    t.equal(parseSource(payload), code);
    const talk = talkOf(138);
    t.equal(talk.server(payload), latin1(payload));
    t.same(talk.reasons("fault"), [code]);
  });
}

t.test("138: no IPv6 client's address is written, since there is no room for it", async (t) => {
  const six = conversationOf({ ...netbios, ports: [port(138)] }, { client: endpoint("2001:db8::5", 138) });
  t.equal(six.client(datagram(0x10, THIRD, 138)), latin1(datagram(0x10, THIRD, 138)));
});
