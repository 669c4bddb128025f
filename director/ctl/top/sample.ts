/** What is looked at, as it was at one moment. */
import type { Page, RelatedState, ServiceState } from "../../control/operated.ts";
import type { Client } from "../client.ts";

/** As `GET /v1/status` answers, as far as it is shown. */
interface Status {
  readonly path: string;
  readonly backend?: string;
  readonly file: string;
  /** ISO 8601. */
  readonly since: string;
  /** Clients that wait to be served; absent where the path does not count them. */
  readonly waiting?: number;
  readonly heldBytes?: number;
}

export interface Sample {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly status: Status;
  readonly services: readonly ServiceState[];
  readonly counts: Readonly<Record<string, number>>;
  /** The first of those announced that have not come. */
  readonly related: Page<RelatedState>;
}

/** Of the announced connections so many are told apart by kind. */
const MOST_RELATED = "1000";

export async function sampled(client: Client): Promise<Sample> {
  const get = <T>(path: string, query = {}): Promise<T> => client.send<T>({ method: "GET", path, query });
  const [status, { items: services }, counts, related] = await Promise.all([
    get<Status>("/v1/status"),
    get<{ items: ServiceState[] }>("/v1/services"),
    get<Record<string, number>>("/v1/counters"),
    get<Page<RelatedState>>("/v1/related", { limit: MOST_RELATED }),
  ]);
  return { at: Date.now(), status, services, counts, related };
}
