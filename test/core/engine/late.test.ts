/** What is offered late: by the state that a flow is in, its connection is over, and nothing may be left of the offer. */
import t from "tap";
import { port } from "../../../core/units.ts";
import { ftp } from "../../../helpers/ftp/helper.ts";
import { tcp } from "../../packets.ts";
import { Director, realserver, service } from "../director.ts";
import { Session } from "./session.ts";

const VIP = "203.0.113.10";
const REAL = "10.0.0.3:2121";
const CLIENT = "192.0.2.7:40000";
const OFFER = "227 Entering Passive Mode (10,0,0,3,19,137).\r\n";

const farm = (): Director =>
  new Director([
    service(VIP, [["tcp", 21, 21]], [realserver("10.0.0.3", 2121)], { helper: ftp, controlPorts: [port(21)] }),
  ]);

for (const how of ["one after the other", "in one batch"]) {
  t.test(`what is offered after FINs that only the table believes leads nowhere, ${how}`, async (t) => {
    const director = farm();
    const session = new Session(director, CLIENT, `${VIP}:21`, REAL).open();
    session.reply("220 ready\r\n");
    session.say("USER a\r\n");
    session.reply("230 in\r\n");
    session.say("PASV\r\n");
    const { server } = session;
    for (const [from, to] of [[CLIENT, `${VIP}:21`] as const, [REAL, CLIENT] as const])
      director.one(tcp({ from, to, flags: "FA", sequence: 900_000_000, acknowledgment: 1 }));
    const offered = { flags: "AP", sequence: server.sequence, acknowledgment: server.heard };
    const reply = tcp({ from: REAL, to: CLIENT, ...offered, payload: Buffer.from(OFFER) });
    const data = tcp({ from: "192.0.2.7:50000", to: `${VIP}:5001`, flags: "S" });
    const judged = how === "in one batch" ? director.all([reply, data]) : [director.one(reply), director.one(data)];
    t.same(
      judged.map(({ verdict, reason }) => `${verdict} ${reason}`),
      ["taken control", "drop no-service"],
    );
    t.same([...director.balancer.related], []);
  });
}
