/** A datagram protocol's helper on packets: what it announces is let in. */
import t from "tap";
import { port } from "../../../core/units.ts";
import { tftp } from "../../../helpers/tftp/helper.ts";
import { route, udp } from "../../packets.ts";
import { Director, realserver, service } from "../director.ts";

const CLIENT = "192.0.2.7:40000";
const VIP = "203.0.113.10";
const REAL = "10.0.0.3";

const tftpService = service(VIP, [["udp", 69, 69]], [realserver(REAL, null)], {
  helper: tftp,
  controlPorts: [port(69)],
});
const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");

t.test(
  "a TFTP request goes on, and its transfer leaves as the VIP from a port of the realserver's choice",
  async (t) => {
    const d = new Director([tftpService]);
    d.one(udp({ from: CLIENT, to: `${VIP}:69`, payload: bytes("\0\x01a\0octet\0") }), "CLIENT");
    t.same(
      d.sent.map(({ verdict, packet }) => `${verdict}: ${route(packet)}`),
      [`to-real: ${CLIENT} -> ${REAL}:69`],
    );
    const data = udp({ from: `${REAL}:2000`, to: CLIENT, payload: bytes("\0\x03\0\x01abc") });
    t.equal(d.say(data, "REAL"), `to-client: ${VIP}:2000 -> ${CLIENT}`);
    const answer = udp({ from: CLIENT, to: `${VIP}:2000`, payload: bytes("\0\x04\0\x01") });
    t.equal(d.say(answer, "CLIENT"), `to-real: ${CLIENT} -> ${REAL}:2000`);
    const other = udp({ from: `${REAL}:2001`, to: CLIENT, payload: bytes("\0\x03\0\x01abc") });
    t.match(d.say(other, "REAL"), /^drop/, "one transfer a request");
  },
);
