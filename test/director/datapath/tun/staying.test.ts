import t from "tap";
import { ms } from "../../../../core/units.ts";
import { KERNEL } from "../../../../director/datapath/tun/kernel.ts";
import { ownerName } from "../../../../director/datapath/tun/owners.ts";
import type { Staying } from "../../../../director/datapath/tun/service-offload.ts";
import { StayingClients } from "../../../../director/datapath/tun/staying.ts";
import { address } from "../../../addresses.ts";

const REAL = "192.168.0.2";
const of = (service: string, client: string, prefix: number | null = null): Staying => ({
  service,
  realserver: REAL,
  gets: "new",
  prefix,
  client,
  expires: 9000,
});

const page = (all: readonly Staying[], query: object, open: Readonly<Record<string, readonly string[]>> = {}) =>
  new StayingClients(
    {
      staying: async function* () {
        yield* all;
      },
    },
    { clients: () => new Map(Object.entries(open).map(([name, clients]) => [name, clients.map(address)])) },
  ).page({ after: KERNEL, limit: 10, ...query }, ms(0));

t.test("a page goes on where the one before ended", async (t) => {
  const all = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map((client) => of("web", client));
  const clientsOf = async (after: number, limit: number) => {
    const { items, next } = await page(all, { after, limit });
    return [items.map(({ client }) => client), next];
  };
  t.same(await clientsOf(KERNEL, 2), [["192.0.2.1", "192.0.2.2"], KERNEL + 2]);
  t.same(await clientsOf(KERNEL + 2, 2), [["192.0.2.3"], null]);
  t.same(await clientsOf(KERNEL, 3), [["192.0.2.1", "192.0.2.2", "192.0.2.3"], null]);
});

// A set of 262,144 clients was read whole for each of its pages.
t.test(
  "the pages of a list are of one reading; a list that begins, of other realservers or late, of another",
  async (t) => {
    let readings = 0;
    const staying = async function* () {
      readings++;
      yield* ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map((client) => of("web", client));
    };
    const clients = new StayingClients({ staying }, { clients: () => new Map() });
    const from = async (after: number, at = 0, service?: string) => {
      await clients.page({ after, limit: 1, ...(service === undefined ? {} : { service }) }, ms(at));
      return readings;
    };
    t.equal(await from(KERNEL), 1);
    t.equal(await from(KERNEL + 1), 1, "it goes on");
    t.equal(await from(KERNEL + 1, 0, "web"), 2, "another scope");
    t.equal(await from(KERNEL), 3, "from its beginning");
    t.equal(await from(KERNEL + 1, 29_999), 3);
    t.equal(await from(KERNEL + 1, 30_000), 4, "late");
    t.equal(await from(KERNEL + 2, 30_000), 4, "the last page");
    t.equal(await from(KERNEL + 2, 30_000), 5, "nothing is kept after it");
  },
);

t.test(
  "each has the connections that are open with its realserver, from its network where that is what stays",
  async (t) => {
    const open = { [ownerName("web", REAL)]: ["192.0.2.1", "192.0.2.9", "198.51.100.1"] };
    const active = async (one: Staying) => (await page([one], {}, open)).items.map(({ active }) => active);
    t.same(await active(of("web", "192.0.2.1")), [1]);
    t.same(await active(of("web", "192.0.2.0", 24)), [2]);
    t.same(await active(of("web", "192.0.2.2")), [0]);
    t.same(await active(of("other", "192.0.2.1")), [0]);
  },
);

t.test("one client's are found by its address, however nft writes that", async (t) => {
  const all = [of("web", "2001:db8::1"), of("web", "2001:db8:0::2")];
  t.same((await page(all, { client: "2001:db8::2" })).items.length, 1);
});
