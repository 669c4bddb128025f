/** Options of the command line as a configuration would write them. The director alone judges what they say. */

export interface Written {
  readonly name?: string;
  readonly group?: boolean;
  readonly vip?: string;
  readonly port?: readonly string[];
  readonly helper?: string;
  readonly scheduler?: string;
  readonly persistence?: string;
  readonly netmask?: number | string;
  readonly realserver?: readonly string[];
  readonly weight?: number | string;
  readonly method?: string;
  readonly sorry?: boolean;
  readonly announces?: readonly string[];
  readonly passivePorts?: string;
}

type Draft = Readonly<Record<string, unknown>>;

const said = (draft: Draft): Draft =>
  Object.fromEntries(Object.entries(draft).filter(([, value]) => value !== undefined));

/** A number; what is none goes as it is, to be refused as that. */
export const numberOf = (text: string): number | string => (/^-?\d+$/.test(text) ? Number(text) : text);

/** `none` takes a key away. */
const orNone = (text: string | undefined): string | null | undefined => (text === "none" ? null : text);

export function serviceOf(options: Written): Draft {
  const { name, vip, port, helper, scheduler, persistence, netmask, realserver } = options;
  return said({
    name,
    vip,
    ports: port,
    helper: orNone(helper),
    scheduler,
    persistence: orNone(persistence),
    persistenceNetmask: netmask,
    realservers: realserver?.map((one) => realserverOf(one, {})),
  });
}

/** `at`: `192.168.0.2`, `192.168.0.2:21`, `[2001:db8::2]:21`; null: where it is does not change. */
export function realserverOf(at: string | null, { weight, method, sorry, announces, passivePorts }: Written): Draft {
  return said({ ...(at === null ? {} : endOf(at)), weight, method, sorry, announces, passivePorts });
}

function endOf(text: string): Draft {
  const match = /^(?:\[(.+)\]|([^:]+)):(\d+)$/.exec(text);
  return match === null ? { address: text } : { address: match[1] ?? match[2], port: Number(match[3]) };
}
