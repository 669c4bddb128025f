import t from "tap";
import { port } from "../../../core/units.ts";
import { tftp } from "../../../helpers/tftp/helper.ts";
import { describe } from "../../conversation.ts";
import { udp, wrong } from "../../packets.ts";
import { Director, realserver, service } from "../director.ts";

const CLIENT = "192.0.2.7:40000";
const VIP = "203.0.113.10";
const REAL = "10.0.0.3";

const request = Buffer.from("\0\x01file\0octet\0", "latin1");
const director = () =>
  new Director([service(VIP, [["udp", 69, 69]], [realserver(REAL, null)], { helper: tftp, controlPorts: [port(69)] })]);

t.test("TFTP: the request goes to a realserver, whose answer leaves as the VIP, from any port", async (t) => {
  const d = director();
  const judged = d.one(udp({ from: CLIENT, to: `${VIP}:69`, payload: request }), "CLIENT");
  t.match(judged, { verdict: "taken", reason: "control" });
  t.same(
    d.sent.map(({ verdict, packet }) => [verdict, wrong(packet)]),
    [["to-real", null]],
  );
  t.equal(Buffer.from(d.sent[0]!.packet.subarray(28)).toString("latin1"), request.toString("latin1"));
  t.same([...d.balancer.related].map(describe), [`tftp ${REAL}:any -> ${CLIENT} => ${CLIENT}`]);
  t.equal(d.say(udp({ from: `${REAL}:33333`, to: CLIENT }), "REAL"), `to-client: ${VIP}:33333 -> ${CLIENT}`);
  t.equal(d.say(udp({ from: CLIENT, to: `${VIP}:33333` }), "CLIENT"), `to-real: ${CLIENT} -> ${REAL}:33333`);
});

t.test("a datagram whose checksum is wrong is not read", async (t) => {
  const d = director();
  const packet = udp({ from: CLIENT, to: `${VIP}:69`, payload: request });
  packet[packet.length - 1]! ^= 1;
  d.one(packet, "CLIENT");
  t.same(d.sent, []);
  t.equal(d.engine.controls.counters.get("control.checksum"), 1);
  t.equal(d.balancer.related.size, 0);
});
