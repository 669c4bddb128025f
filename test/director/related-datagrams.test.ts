import t from "tap";
import { RelatedListeners } from "../../director/datapath/related.ts";
import { endpoint } from "../addresses.ts";

// Once, RTSP's client_port became the port of a TCP listener: the stream went nowhere, and the player waited for it.
t.test("an announced flow of datagrams is given no TCP listener", async (t) => {
  const listeners = new RelatedListeners({} as never, {} as never);
  const session = { client: { local: endpoint("127.0.0.1", 554) }, real: { local: endpoint("127.0.0.1", 40000) } };
  for (const opener of ["original", "reply"] as const) {
    const answers: unknown[] = [];
    listeners.prepare(session as never, { transport: "udp", opener } as never, (seen) => answers.push(seen));
    t.same(answers, [null]);
  }
});
