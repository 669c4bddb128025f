import t from "tap";
import { Side } from "../../../../core/engine/batch.ts";
import { Address } from "../../../../core/wire/address.ts";
import { Sides } from "../../../../director/datapath/tun/sides.ts";

const VIP = "10.77.1.100";
const VIP6 = "fd77:1::100";
const sides = new Sides([VIP, VIP6].map((text) => Address.parse(text)!));

/** An IP header from `source` to `destination`, behind some other bytes. */
function sideOf(source: string, destination: string): number {
  const [from, to] = [Address.parse(source)!, Address.parse(destination)!];
  const view = new DataView(new ArrayBuffer(64));
  const at = 16;
  view.setUint8(at, from.family === 4 ? 0x45 : 0x60);
  const words = (place: number, address: Address): void => {
    for (const [i, word] of address.words.slice(from.family === 4 ? 3 : 0).entries())
      view.setUint32(place + i * 4, word);
  };
  words(at + (from.family === 4 ? 12 : 8), from);
  words(at + (from.family === 4 ? 16 : 24), to);
  return sides.of(view, at);
}

t.test("who sends to a VIP is a client, also a realserver that is one", async (t) => {
  t.equal(sideOf("10.77.1.2", VIP), Side.CLIENT);
  t.equal(sideOf("10.77.2.2", VIP), Side.CLIENT);
  t.equal(sideOf("fd77:1::2", VIP6), Side.CLIENT);
});

t.test("what goes elsewhere is a realserver's: under its own address, or the VIP's", async (t) => {
  t.equal(sideOf("10.77.2.2", "10.77.1.2"), Side.REAL);
  t.equal(sideOf(VIP, "10.77.1.2"), Side.REAL);
  t.equal(sideOf(VIP6, "fd77:1::2"), Side.REAL);
});

t.test("an IPv6 address is all of its words", async (t) => {
  for (const near of ["fd77:1::101", "fd77:2::100", "fd77:1:0:1::100", "fd77:1::1:0:100"]) {
    t.equal(sideOf("fd77:2::2", near), Side.REAL, near);
  }
});
