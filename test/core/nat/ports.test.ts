import t from "tap";
import { PortPool } from "../../../core/nat/ports.ts";
import { port } from "../../../core/units.ts";

function pool(first: number, last: number): PortPool {
  const made = new PortPool();
  for (let n = first; n <= last; n++) made.offer(port(n));
  return made;
}

t.test("first in, first out: the port just used is the last to be used again", async (t) => {
  const ports = pool(5000, 5002);
  t.same([ports.take(), ports.take()], [5000, 5001]);
  ports.give(port(5000));
  t.same([ports.take(), ports.take()], [5002, 5000]);
});

t.test("no port is given out twice", async (t) => {
  const ports = pool(5000, 5099);
  const taken = Array.from({ length: 100 }, () => ports.take());
  t.equal(new Set(taken).size, 100);
  t.equal(ports.take(), null);
  t.same([ports.free, ports.taken], [0, 100]);
});

t.test("the preferred port if it is free, else the one idle longest", async (t) => {
  const ports = pool(5000, 5003);
  t.equal(ports.take(port(5002)), 5002);
  t.equal(ports.take(port(5002)), 5000, "taken");
  t.equal(ports.take(port(9999)), 5001, "not of this pool");
});

t.test("what was not taken cannot be given back, nor twice", async (t) => {
  const ports = pool(5000, 5000);
  ports.give(port(6000));
  t.equal(ports.take(port(6000)), 5000);
  ports.give(port(5000));
  ports.give(port(5000));
  t.equal(ports.take(), 5000);
  t.equal(ports.take(), null);
});

t.test("a port offered again while it is taken stays taken; a withdrawn one does not come back", async (t) => {
  const ports = pool(5000, 5001);
  t.equal(ports.take(), 5000);
  ports.offer(port(5000));
  t.equal(ports.take(), 5001);
  t.equal(ports.take(), null);
  ports.withdraw(port(5000));
  ports.give(port(5000));
  t.equal(ports.take(), null);
});
