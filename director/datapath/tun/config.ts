/** The configuration on its way into another thread: addresses, which are objects, go as text. */
import { Address } from "../../../core/wire/address.ts";
import type { Config } from "../../config.ts";

/** No key of a configuration. */
const MARK = "@address";

export const packConfig = (config: Config): string =>
  JSON.stringify(config, function (this: unknown, key, value: unknown) {
    // Addresses turn themselves into text before they come here.
    const itself = (this as Record<string, unknown>)[key];
    return itself instanceof Address ? { [MARK]: itself.toString() } : value;
  });

export const unpackConfig = (text: string): Config =>
  JSON.parse(text, (_key, value: unknown) => {
    const address = (value as Record<string, unknown> | null)?.[MARK];
    return typeof address === "string" ? Address.parse(address) : value;
  }) as Config;
