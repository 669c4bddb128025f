import t from "tap";
import { refusalOf } from "../../director/control/refusal.ts";
import { ListenError } from "../../director/datapath/listeners.ts";
import { endpoint } from "../addresses.ts";

t.test("why nobody can listen there, and what helps, whoever is told", async (t) => {
  for (const [code, remedy] of [
    ["EACCES", /CAP_NET_BIND_SERVICE/],
    ["EADDRINUSE", /ss -ltnp/],
    ["EADDRNOTAVAIL", /ip address add 203\.0\.113\.10\/32 dev lo/],
    ["EMFILE", /ulimit -n/],
    ["ENFILE", /fs\.file-max/],
  ] as const) {
    const error = new ListenError(endpoint("203.0.113.10", 21), "ftp", code);
    t.match(error.remedy, remedy);
    t.match(refusalOf(error).body.remedy, remedy);
    t.match(refusalOf(error).body.remedy, /^nothing has changed; /);
  }
  t.equal(refusalOf(new ListenError(endpoint("203.0.113.10", 21), "ftp", "EOTHER")).body.remedy, "nothing has changed");
});
