import t from "tap";
import { type Upstream, Upstreams } from "../../director/datapath/upstreams.ts";
import { endpoint } from "../addresses.ts";

// Once, what waited was sent all the same, and that is an exception: one unreachable realserver ended the director.
t.test("a realserver that cannot be reached at all is a failure with its reason", async (t) => {
  const failure = new Promise<readonly [Upstream, string]>((resolve) => {
    const upstreams = new Upstreams({
      reply: () => t.fail("nobody can reply"),
      failed: (upstream, reason) => resolve([upstream, reason]),
      closed: () => {},
    });
    // A broadcast address, which a socket may not connect to unless it asks for that.
    const client = { ...endpoint("127.0.0.3", 4000), host: "127.0.0.3" };
    const upstream = upstreams.find(client, endpoint("255.255.255.255", 53), null);
    upstreams.send(upstream, new Uint8Array([1]));
  });
  const [{ to }, reason] = await failure;
  t.equal(to.port, 53);
  t.equal(reason, "EACCES");
});
