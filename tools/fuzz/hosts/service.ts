/** The virtual service that dialogues are held with: one client, one realserver, the helper's own port. */
import { Balancer } from "../../../core/balancer.ts";
import type { GoneReason, RelatedEntry } from "../../../core/flow/related.ts";
import type { Connection, Helper, Transport } from "../../../core/helper/api.ts";
import type { ServiceSpec } from "../../../core/service.ts";
import { type Endpoint, ms, type Port, port } from "../../../core/units.ts";
import { Address } from "../../../core/wire/address.ts";
import type { Ends } from "../generate/ftp/model.ts";

/** A text that names an address; the generators' own. */
export const addressOf = (text: string): Address => {
  const address = Address.parse(text);
  if (address === null) throw new Error(`not an address: ${text}`);
  return address;
};

const CLIENT_PORT = port(40000);
const LIMITS = { perClient: 1000, total: 10_000 };
/** Of places for related entries and of schedulers: the same in all hosts. */
export const SEED = 7;

export interface Place {
  readonly helper: Helper;
  readonly ends: Ends;
}

export const transportOf = ({ helper: { transport }, ends }: Place): Transport =>
  transport === "both" ? (ends.transport ?? "tcp") : transport;

/** Of the service. */
export const portOf = ({ helper, ends }: Place): Port => (ends.port === undefined ? helper.ports[0]! : port(ends.port));

export const clientOf = ({ ends }: Place): Endpoint => ({ address: addressOf(ends.client), port: CLIENT_PORT });
export const virtualOf = (place: Place): Endpoint => ({ address: addressOf(place.ends.virtual), port: portOf(place) });
export const realOf = (place: Place): Endpoint => ({ address: addressOf(place.ends.real), port: portOf(place) });

/** The control connection. */
export const connectionOf = (place: Place): Connection => ({
  transport: transportOf(place),
  client: clientOf(place),
  virtual: virtualOf(place),
  real: realOf(place),
});

export function serviceFor(place: Place): ServiceSpec {
  const { helper, ends } = place;
  const transport = transportOf(place);
  return {
    name: helper.name,
    address: addressOf(ends.virtual),
    ports: helper.ports.map((port) => ({ transport, first: port, last: port })),
    helper,
    controlPorts: helper.ports,
    scheduler: "rr",
    persistence: ms(0),
    persistencePrefix: null,
    realservers: [{ address: addressOf(ends.real), port: null, weight: 1, announces: [], passivePorts: null }],
  };
}

export const balancerFor = (
  place: Place,
  gone: (entry: RelatedEntry, reason: GoneReason) => void = () => {},
): Balancer => new Balancer([serviceFor(place)], { limits: LIMITS, seed: SEED, gone });
