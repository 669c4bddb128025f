import type { Actions, Direction, Helper, Inspection, Inspector } from "../../core/helper/api.ts";
import { port, seconds } from "../../core/units.ts";
import { reasons } from "./reasons.ts";
import { type ErrorPort, LONGEST, parseErrorPort } from "./wire.ts";

/**
 * An rsh client (and one of rexec) listens for a second connection, on which the server sends what the command writes to
 * stderr, and says its port before anything else. For rsh both ends of that connection are reserved ports.
 *
 *   client:C -> virtual:514    "1022" NUL ...     announced here: real:any -> client:1022
 *   real:1021 -> client:1022                      leaves as the virtual service
 */
export const rsh: Helper = {
  name: "rsh",
  transport: "tcp",
  ports: [port(514), port(512)],
  reserved: true,
  sources: ["rcmd(3)", "rshd(8)", "rexecd(8)"],
  limits: { pending: 1, ttl: seconds(30), hold: LONGEST, patience: seconds(60) },
  reasons,
  open: () => new RshInspector(),
};

/** rshd(8): both ends are between 512 and 1023. */
const LOWEST = port(512);
/** A port that no rshd connects to, since it is not reserved; nor can a refused rexec be answered there. */
const REFUSED_PORT = "65535\0";

class RshInspector implements Inspector {
  #mode: "opening" | "midway" | "read" = "opening";

  inspect(payload: Uint8Array, direction: Direction, actions: Actions): Inspection {
    if (this.#mode === "read") return letGo(payload);
    if (this.#mode === "midway") return this.#leave("not-from-the-start", payload, actions);
    if (direction === "reply") return this.#leave("not-rsh", payload, actions);
    const said = parseErrorPort(payload);
    if (said === null) return { verdict: "pass", consumed: 0 };
    if (said === "not-rsh") return this.#leave("not-rsh", payload, actions);
    this.#mode = "read";
    this.#announce(said, actions);
    return { verdict: "pass", consumed: said.end };
  }

  gap(direction: Direction): void {
    if (direction === "original" && this.#mode === "opening") this.#mode = "midway";
  }

  /** A part of the digits, and nothing more in time: with the rest behind it, it could announce unseen. */
  end(payload: Uint8Array, _direction: Direction, actions: Actions): void {
    const whole = { start: 0, end: payload.length };
    if (this.#mode === "opening") actions.refuse("unfinished", whole, { ...whole, text: () => "" });
    this.#mode = "read";
  }

  #announce({ port: number, end }: ErrorPort, actions: Actions): void {
    const bytes = { start: 0, end };
    const instead = { ...bytes, text: () => REFUSED_PORT };
    if (number === 0) actions.note("no-stderr", bytes);
    else if (number > 0xffff) actions.refuse("bad-port", bytes, instead);
    else {
      const ref = actions.expect({
        kind: "rsh-stderr",
        said: "stderr port",
        transport: "tcp",
        opener: "reply",
        from: { address: null, port: null },
        to: { address: null, port: number },
        uses: 1,
        lowest: LOWEST,
        answered: false,
        bytes,
        instead,
      });
      actions.rewrite(0, end - 1, ref, ({ port: seen }) => String(seen));
    }
  }

  /** Syslog has the same port, and nothing else of it is wrong. */
  #leave(code: string, payload: Uint8Array, actions: Actions): Inspection {
    this.#mode = "read";
    actions.note(code, { start: 0, end: payload.length });
    return letGo(payload);
  }
}

const letGo = ({ length }: Uint8Array): Inspection => ({ verdict: "detach", consumed: length });
