import t from "tap";
import { tcp } from "../../../director/health/tcp.ts";
import { asked, nobody, server, target } from "./asked.ts";

t.test("a server that takes a connection serves, though it says nothing", async (t) => {
  t.equal(await asked(await server(t, () => {}), "kind: tcp"), null);
});

t.test("a port where nobody listens does not", async (t) => {
  t.equal(await asked(await nobody(), "kind: tcp"), "ECONNREFUSED");
});

t.test("the check comes from the address that is configured", async (t) => {
  let heard: (from: string | undefined) => void = () => {};
  const from = new Promise<string | undefined>((resolve) => {
    heard = resolve;
  });
  const port = await server(t, ({ remoteAddress }) => heard(remoteAddress));
  t.equal(await asked(port, "kind: tcp, source: 127.0.0.7"), null);
  t.equal(await from, "127.0.0.7");
});

t.test("a check that is stopped before it begins asks nobody", async (t) => {
  t.equal(await tcp(target(await nobody(), "kind: tcp"), AbortSignal.abort()), "stopped");
});
