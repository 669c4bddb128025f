/** The backends that can be had here, for tests that look at a backend by itself. */
import t, { type Test } from "tap";
import type { Port } from "../../core/units.ts";
import { ms } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { EpollBackend } from "../../director/datapath/transport/epoll/epoll.ts";
import { NetBackend } from "../../director/datapath/transport/net/net.ts";
import type { Backend, Listener, ReadEvents, Reason, Stream } from "../../director/datapath/transport.ts";

const epoll = await EpollBackend.load();

/** Runs `body` for each, as "what, on net" and "what, on epoll"; skipped by name where there is no epoll. */
export function onEach(what: string, body: (t: Test, backend: Backend) => Promise<void>): void {
  t.test(`${what}, on net`, (t) => body(t, begin(t, new NetBackend())));
  if (typeof epoll === "string") t.test(`${what}, on epoll`, { skip: epoll }, async () => {});
  else t.test(`${what}, on epoll`, async (t) => body(t, begin(t, (await EpollBackend.load()) as EpollBackend)));
}

function begin(t: Test, backend: Backend): Backend {
  t.teardown(() => backend.abort());
  return backend;
}

export const endpoint = (address: string, port: number) => ({
  address: Address.parse(address)!,
  port: port as Port,
});

/** A listener on any port of `address`; closed when the test ends. */
export async function listening(
  t: Test,
  backend: Backend,
  accepted: (stream: Stream) => void,
  address = "127.0.0.1",
): Promise<Listener> {
  const listener = await backend.listen({
    at: endpoint(address, 0),
    backlog: 128,
    accepted,
    failed: (reason) => t.fail(`accepting failed: ${reason}`),
  });
  if (typeof listener === "string") throw new Error(listener);
  t.teardown(() => listener.close());
  return listener;
}

/** The stream, or the reason why there is none. */
export const connecting = (backend: Backend, port: number, address = "127.0.0.1", timeout = 5000) =>
  new Promise<Stream | Reason>((resolve) =>
    backend.connect({ to: endpoint(address, port), timeout: ms(timeout), bulk: false }, (stream, reason) =>
      resolve(stream ?? reason),
    ),
  );

export async function connected(backend: Backend, port: number, address?: string): Promise<Stream> {
  const stream = await connecting(backend, port, address);
  if (typeof stream === "string") throw new Error(stream);
  return stream;
}

/** What a stream told, in order, and all its bytes. */
export class Told implements ReadEvents {
  readonly what: string[] = [];
  readonly #chunks: Buffer[] = [];

  constructor(stream?: Stream) {
    stream?.read(this);
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get length(): number {
    return this.#chunks.reduce((sum, { length }) => sum + length, 0);
  }

  data(bytes: Uint8Array): void {
    this.#chunks.push(Buffer.from(bytes));
  }

  drained(): void {
    this.what.push("drained");
  }

  ended(): void {
    this.what.push("ended");
  }

  failed(reason: Reason): void {
    this.what.push(reason);
  }

  closed(): void {
    this.what.push("closed");
  }
}
