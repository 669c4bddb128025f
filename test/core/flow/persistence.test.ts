import t from "tap";
import { PersistenceTable } from "../../../core/flow/persistence.ts";
import { seconds } from "../../../core/units.ts";
import { address } from "../../addresses.ts";

const client = address("10.0.0.5");

t.test("a client stays while it has connections, and for the timeout after the last", async (t) => {
  const table = new PersistenceTable<string>(seconds(300), null);
  t.equal(table.find(client, seconds(0)), null);
  table.opened(client, "a", seconds(0));
  table.opened(client, "a", seconds(10));
  t.equal(table.find(client, seconds(10_000)), "a", "it is connected");
  table.closed(client, "a", seconds(10_000));
  t.equal(table.find(client, seconds(20_000)), "a", "still, once");
  table.closed(client, "a", seconds(20_000));
  t.equal(table.find(client, seconds(20_299)), "a");
  t.equal(table.find(client, seconds(20_300)), null);
  t.equal(table.size, 0);
});

t.test("other clients have templates of their own; with a prefix, networks do", async (t) => {
  const table = new PersistenceTable<string>(seconds(300), 24);
  table.opened(client, "a", seconds(0));
  t.equal(table.find(address("10.0.0.99"), seconds(1)), "a");
  t.equal(table.find(address("10.0.1.5"), seconds(1)), null);
  const single = new PersistenceTable<string>(seconds(300), null);
  single.opened(client, "a", seconds(0));
  t.equal(single.find(address("10.0.0.6"), seconds(1)), null);
});

t.test("a client that was moved is counted where it is; late closes of the old one change nothing", async (t) => {
  const table = new PersistenceTable<string>(seconds(300), null);
  table.opened(client, "a", seconds(0));
  table.opened(client, "b", seconds(1));
  table.closed(client, "a", seconds(2));
  t.equal(table.find(client, seconds(1000)), "b");
  table.closed(client, "b", seconds(1000));
  table.closed(client, "b", seconds(1001));
  t.equal(table.find(client, seconds(1300)), null, "one close too many is none");
});

t.test("advance forgets what is over, purge what is gone", async (t) => {
  const table = new PersistenceTable<string>(seconds(300), null);
  table.opened(client, "a", seconds(0));
  table.opened(address("10.0.0.6"), "b", seconds(0));
  table.closed(client, "a", seconds(0));
  table.advance(seconds(299));
  t.equal(table.size, 2);
  table.advance(seconds(300));
  t.equal(table.size, 1);
  table.purge("b");
  t.equal(table.size, 0);
});

t.test("an heir has the clients of who was before, and their connections count on until they end", async (t) => {
  const table = new PersistenceTable<string>(seconds(300), null);
  table.opened(client, "a", seconds(0));
  table.bequeath("a", "b");
  table.opened(client, "b", seconds(1));
  table.bequeath("b", "c");
  table.closed(client, "a", seconds(1000));
  t.equal(table.find(client, seconds(9000)), "c", "one is open still");
  table.closed(client, "b", seconds(9000));
  t.equal(table.find(client, seconds(9299)), "c");
  t.equal(table.find(client, seconds(9300)), null);
});

t.test("an heir of idle clients alone has no others", async (t) => {
  const table = new PersistenceTable<string>(seconds(300), null);
  const other = address("10.0.0.6");
  for (const one of [client, other]) table.opened(one, "a", seconds(0));
  table.closed(client, "a", seconds(1));
  table.bequeathIdle("a", "b");
  t.same([table.find(client, seconds(2)), table.find(other, seconds(2))], ["b", "a"]);
});
