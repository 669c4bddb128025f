import { Writable } from "node:stream";
import t from "tap";
import { createLog } from "../../director/log.ts";

t.test("text for a terminal: what others chose is read, never obeyed", async (t) => {
  let said = "";
  const out = new Writable({
    write(chunk, _encoding, done) {
      said += chunk;
      done();
    },
  });
  const log = createLog({ level: "info", format: "text" }, out);
  log("warn", "refused", { reason: "a\u001b[2J\nb", from: "192.0.2.7:1025", name: "\u009b31m\u202eevil\u2066\u007f" });
  t.match(
    said,
    / warn {2}refused {6}reason="a\\u001b\[2J\\nb" from=192\.0\.2\.7:1025 name="\\u009b31m\\u202eevil\\u2066\\u007f"\n$/,
  );
});
