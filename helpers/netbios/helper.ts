import {
  type Actions,
  type Connection,
  type Direction,
  type Helper,
  type Inspection,
  type Inspector,
  passed,
} from "../../core/helper/api.ts";
import { type Endpoint, port, seconds } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { putU16, putU32 } from "../../core/wire/bytes.ts";
import { latin1 } from "../../core/wire/text.ts";
import { parseSource, SOURCE_IP, SOURCE_PORT, type Source } from "./datagram.ts";
import { isResponse, parseAddresses } from "./names.ts";
import { reasons } from "./reasons.ts";

const DATAGRAM_SERVICE = port(138);

/**
 * NetBIOS over UDP says in its messages where they come from, and is answered there. Nothing is announced; addresses
 * are written as the receiver knows them:
 *
 *   real:137 -> client    NB record with the realserver's address          the virtual service's
 *   real:138 -> client    SOURCE_IP, SOURCE_PORT of the realserver         the virtual service's
 *   client -> virtual:138 SOURCE_IP, SOURCE_PORT, whatever they are        the client's own, as the realserver sees it
 *
 * The sessions themselves, TCP 139 and 445, say nothing of the kind: a service with all four ports keeps a client with
 * one realserver.
 */
export const netbios: Helper = {
  name: "netbios",
  transport: "udp",
  ports: [port(137), DATAGRAM_SERVICE],
  others: "plain",
  sources: ["RFC 1001", "RFC 1002 §4.2, §4.4"],
  limits: { pending: 0, ttl: seconds(0), hold: 0, patience: seconds(0) },
  reasons,
  foreign: ["truncated", "bad-name", "unknown-type"],
  open: (connection) =>
    isDatagramService(connection) ? new DatagramInspector(connection) : new NameInspector(connection),
};

const isDatagramService = ({ virtual, real }: Connection): boolean =>
  virtual.port === DATAGRAM_SERVICE || real.port === DATAGRAM_SERVICE;

/** RFC 1002 knows no other family than IPv4. */
const translates = ({ virtual, real }: Connection): boolean =>
  virtual.address.family === 4 && real.address.family === 4 && !isAt(virtual, real);

const isAt = ({ address, port }: Source, end: Endpoint): boolean => port === end.port && address.equals(end.address);

class NameInspector implements Inspector {
  readonly #virtual: Address;
  readonly #real: Address;
  readonly #translates: boolean;

  constructor(connection: Connection) {
    this.#virtual = connection.virtual.address;
    this.#real = connection.real.address;
    this.#translates = translates(connection);
  }

  inspect(payload: Uint8Array, direction: Direction, actions: Actions): Inspection {
    // An answer to a broadcast, on a flow of its own.
    if (!this.#translates && direction === "original" && isResponse(payload)) return letGo(payload, actions);
    const places = parseAddresses(payload);
    if (typeof places === "string") actions.fault(places);
    else if (direction === "reply" && this.#translates) this.#write(places, payload, actions);
    return passed(payload);
  }

  #write(places: readonly number[], payload: Uint8Array, actions: Actions): void {
    for (const at of places) {
      if (Address.fromBytes(payload, at, 4).equals(this.#real)) actions.write(at, at + 4, addressText(this.#virtual));
    }
  }
}

class DatagramInspector implements Inspector {
  readonly #connection: Connection;
  readonly #translates: boolean;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#translates = translates(connection);
  }

  inspect(payload: Uint8Array, direction: Direction, actions: Actions): Inspection {
    if (!this.#translates) return letGo(payload, actions);
    const source = parseSource(payload);
    if (typeof source === "string") actions.fault(source);
    else if (direction === "original") this.#fromClient(source, actions);
    else this.#fromReal(source, actions);
    return passed(payload);
  }

  #fromClient(source: Source, actions: Actions): void {
    const { client, source: seen = client } = this.#connection;
    if (client.address.family !== 4) return;
    if (!isAt(source, client)) actions.fault("foreign-source", { start: SOURCE_IP, end: SOURCE_PORT + 2 });
    if (!isAt(source, seen)) writeSource(seen, actions);
  }

  /** Another's datagram that a realserver passes on (a datagram distribution server) keeps its source. */
  #fromReal({ address, port }: Source, actions: Actions): void {
    const { virtual, real } = this.#connection;
    if (!address.equals(real.address)) return;
    writeSource({ address: virtual.address, port: port === real.port ? virtual.port : port }, actions);
  }
}

function writeSource({ address, port }: Source, actions: Actions): void {
  const bytes = new Uint8Array(2);
  putU16(bytes, 0, port);
  actions.write(SOURCE_IP, SOURCE_PORT + 2, addressText(address) + latin1(bytes, 0, 2));
}

function addressText({ words }: Address): string {
  const bytes = new Uint8Array(4);
  putU32(bytes, 0, words[3]);
  return latin1(bytes, 0, 4);
}

function letGo(payload: Uint8Array, actions: Actions): Inspection {
  actions.note("nothing-to-translate");
  return { verdict: "detach", consumed: payload.length };
}
