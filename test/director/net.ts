import t from "tap";
import { chooseBackend } from "../../director/datapath/backend.ts";

/** Runs the tests that `load` imports on `net`; where `auto` is that anyway, they have run already. */
export async function onlyOnNet(load: () => Promise<unknown>): Promise<void> {
  const { name } = await chooseBackend("auto");
  const skip = "epoll cannot be had here, so they have run on net";
  if (name === "net") return void t.test("these tests on net", { skip }, async () => {});
  Object.assign(process.env, { KINDRED_BACKEND: "net" });
  await load();
}
