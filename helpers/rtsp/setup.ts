/** What SETUP and its answer announce (RFC 2326 §10.4, RFC 7826 §13.3). */
import type { Actions, Announcement, Connection, Direction, Ref, Render, Replacement } from "../../core/helper/api.ts";
import { type ByteRange, type Endpoint, isPort, opposite, type PartialEndpoint, type Port } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import type { Header } from "../../core/wire/head.ts";
import { latin1 } from "../../core/wire/text.ts";
import { Dialogue, type Offered, type Pending, Tracks } from "./dialogue.ts";
import { type AddressAt, isMulticast, type Malformed, parseTransports, type TransportSpec } from "./transport.ts";
import { cseqOf, type Head, headersOf, type Request, sessionOf } from "./wire.ts";

/** Ends that one SETUP may offer. */
const MOST_ENDS = 8;

const kindOf = (index: number): string => (index % 2 === 0 ? "rtsp-rtp" : "rtsp-rtcp");
const portOrAny = (port: number | undefined): Port | null => (port !== undefined && isPort(port) ? port : null);
const wholeOf = ({ end }: Head): ByteRange => ({ start: 0, end });

const renderPort: Render = ({ port }) => `${port}`;
const renderAddress =
  ({ bracketed }: AddressAt) =>
  ({ address }: Endpoint): string =>
    bracketed && address.family === 6 ? `[${address}]` : `${address}`;

/** A transport that no server has: it answers 461 by itself (RFC 2326 §11.3.18), and players fall back to interleaving. */
export const REFUSED_TRANSPORT = "x-refused";

/** What the client gets for an answer that it may not have. The body of what was refused follows, and is skipped. */
export function failureText({ bytes, body }: Head, cseq: number | null, reason: string): string {
  const lines = [`${latin1(bytes, 0, 8)} 461 Unsupported Transport: refused by the director (${reason})`];
  if (cseq !== null) lines.push(`CSeq: ${cseq}`);
  if (body > 0) lines.push(`Content-Length: ${body}`);
  return `${lines.join("\r\n")}\r\n\r\n`;
}

interface Announced {
  readonly ref: Ref | null;
  readonly offered: readonly Offered[];
}
const NOTHING: Announced = { ref: null, offered: [] };

/** Two ends and more with an announcement each, and the places that name them. */
class Bundle {
  readonly announcements: Announcement[] = [];
  readonly places: { readonly at: ByteRange; readonly index: number; readonly render: Render }[] = [];

  /** Announces it, with its places rewritten in the order of the message. */
  expect(actions: Actions): Ref {
    const ref = actions.expect(...this.announcements);
    this.places.sort((one, another) => one.at.start - another.at.start);
    for (const { at, index, render } of this.places) actions.rewrite(at.start, at.end, ref, render, index);
    return ref;
  }
}

/** The requests of both directions, and what came of them. */
export class Exchange {
  readonly #connection: Connection;
  readonly #strict: boolean;
  readonly #dialogues: Readonly<Record<Direction, Dialogue>> = { original: new Dialogue(), reply: new Dialogue() };
  readonly #tracks = new Tracks();

  constructor(connection: Connection, strict: boolean) {
    this.#connection = connection;
    this.#strict = strict;
  }

  request(head: Head, { method, uri }: Request, direction: Direction, actions: Actions): void {
    const setsUp = method === "SETUP" && direction === "original";
    const { ref, offered } = setsUp ? this.#offer(head, actions) : NOTHING;
    this.remember({ cseq: cseqOf(head), method, uri, session: sessionOf(head), ref, offered }, direction, actions);
  }

  remember(request: Pending, direction: Direction, actions: Actions): void {
    if (!this.#dialogues[direction].sent(request)) actions.fault("pipeline-too-deep");
  }

  /** The request that an answer of `direction` with this CSeq belongs to, which has its answer now. */
  answered(cseq: number | null, status: number, direction: Direction): Pending | null {
    return this.#dialogues[opposite(direction)].answered(cseq, status >= 200);
  }

  answer(head: Head, status: number, direction: Direction, actions: Actions): void {
    const asked = this.answered(cseqOf(head), status, direction);
    if (status < 200 || direction === "original") return;
    const agreed = status < 300;
    if (asked?.method === "TEARDOWN" && agreed) {
      for (const ref of this.#tracks.end(asked.session, asked.uri)) actions.revoke(ref);
    }
    if (asked !== null && asked.method !== "SETUP") return;
    if (agreed) this.#agreed(head, asked, actions);
    else if (asked?.ref != null) actions.settle(asked.ref, "rejected", []);
  }

  // --- SETUP ----------------------------------------------------------------------------------------------------------

  /** Every end that the client offers, each once: realserver:any -> client:client_port. */
  #offer(head: Head, actions: Actions): Announced {
    const headers = headersOf(head, "transport");
    if (headers.length === 0) return NOTHING;
    const instead = insteadOfTransport(head, headers);
    const specs = headers.length > 1 ? "several-transport-headers" : parseTransports(head.bytes, headers[0]!);
    const found = typeof specs === "string" ? specs : offers(specs, wholeOf(head), instead);
    if (typeof found === "string") {
      actions.refuse(found, wholeOf(head), instead);
      return NOTHING;
    }
    const { bundle, offered } = found;
    return offered.length === 0 ? NOTHING : { ref: bundle.expect(actions), offered };
  }

  // --- its answer -----------------------------------------------------------------------------------------------------

  #agreed(head: Head, asked: Pending | null, actions: Actions): void {
    const header = headersOf(head, "transport")[0];
    const specs = header === undefined ? [] : parseTransports(head.bytes, header);
    if (typeof specs === "string") {
      const instead = { ...wholeOf(head), text: (reason: string) => failureText(head, cseqOf(head), reason) };
      actions.refuse(specs, wholeOf(head), instead);
      if (asked?.ref != null) actions.settle(asked.ref, "rejected", []);
      return;
    }
    const spec = specs[0];
    if (spec === undefined) {
      if (asked?.ref != null) actions.settle(asked.ref, "accepted", []);
    } else if (isGroup(spec)) this.#multicast(head, spec, asked, actions);
    else if (spec.interleaved) this.#interleaved(spec, asked, actions);
    else if (asked?.ref != null) this.#unicast(head, spec, asked, asked.ref, actions);
    else this.#unasked(head, spec, asked, actions);
  }

  /** The flows are within the control connection; none of those offered will come. */
  #interleaved(spec: TransportSpec, asked: Pending | null, actions: Actions): void {
    this.#replaceAddresses(spec, actions);
    if (asked?.ref != null) {
      const none = asked.offered.map(() => null);
      actions.settle(asked.ref, "accepted", none);
    }
  }

  /** client:any -> realserver:server_port, the other way through the flows that the request announced. */
  #unicast(head: Head, spec: TransportSpec, asked: Pending, ref: Ref, actions: Actions): void {
    const taken = takenUp(asked.offered, spec);
    const { server } = spec;
    const completed = asked.offered.map((offered): PartialEndpoint | null => {
      if (!taken.includes(offered)) return null;
      return {
        address: addressOf(server.addresses, offered.index),
        port: portOrAny(server.ports[offered.index]?.port),
      };
    });
    actions.settle(ref, "accepted", completed);
    this.#replaceClientEnds(spec, taken, actions);
    const refs = [ref];
    if (server.ports.length > 0) refs.push(this.#serverEnds(head, spec, taken, ref).expect(actions));
    else this.#replaceSources(spec, actions);
    this.#tracks.add({ session: sessionOf(head) || asked.session, uri: asked.uri, refs });
  }

  #serverEnds(head: Head, { server }: TransportSpec, taken: readonly Offered[], answers: Ref): Bundle {
    const bundle = new Bundle();
    for (const [index, at] of server.ports.entries()) {
      const address = addressOf(server.addresses, index);
      const same = indexOf(bundle, address, at.port);
      bundle.places.push({ at, index: same < 0 ? bundle.announcements.length : same, render: renderPort });
      if (same >= 0) continue;
      const client = taken.find((offered) => offered.index === index)?.port;
      bundle.announcements.push({
        ...this.#answered(head, index),
        opener: "original",
        // A client behind a NAT of its own comes from another port than it knows.
        from: { address: null, port: this.#strict ? portOrAny(client) : null },
        to: { address, port: at.port },
        answers,
      });
    }
    for (const [index, at] of server.addresses.entries()) {
      bundle.places.push({ at, index: Math.min(index, bundle.announcements.length - 1), render: renderAddress(at) });
    }
    return bundle;
  }

  #answered(head: Head, index: number) {
    return {
      kind: kindOf(index),
      said: "SETUP's answer",
      transport: "udp",
      uses: 1,
      bytes: wholeOf(head),
      instead: { ...wholeOf(head), text: (reason: string) => failureText(head, cseqOf(head), reason) },
    } as const;
  }

  /** Ends of the client that it did not offer, as far as was heard: realserver:server_port -> client:client_port. */
  #unasked(head: Head, spec: TransportSpec, asked: Pending | null, actions: Actions): void {
    const { client, server } = spec;
    const announcements = client.ports.map(
      ({ port }, index): Announcement => ({
        ...this.#answered(head, index),
        opener: "reply",
        from: { address: addressOf(server.addresses, index), port: portOrAny(server.ports[index]?.port) },
        to: { address: addressOf(client.addresses, index), port },
        objection: "unsolicited",
      }),
    );
    if (announcements.length === 0) this.#replaceAddresses(spec, actions);
    else this.#expect(announcements, asked, actions);
  }

  /** realserver:any -> group:port, and everybody -> group:port + 1. */
  #multicast(head: Head, { group, client }: TransportSpec, asked: Pending | null, actions: Actions): void {
    if (asked?.ref != null) {
      const none = asked.offered.map(() => null);
      actions.settle(asked.ref, "accepted", none);
    }
    const ports = group.length > 0 ? group : client.ports;
    const address = addressOf(client.addresses, 0);
    const announcements = ports.map(
      ({ port }, index): Announcement => ({
        ...this.#answered(head, index),
        opener: "reply",
        from: { address: null, port: null },
        to: { address, port },
        ...(index % 2 === 1 ? { anyone: true } : {}),
        objection: asked === null ? "unsolicited" : "multicast",
      }),
    );
    if (announcements.length > 0) this.#expect(announcements, asked, actions);
  }

  #expect(announcements: readonly Announcement[], asked: Pending | null, actions: Actions): void {
    const ref = actions.expect(...announcements);
    if (asked !== null) actions.settle(ref, "accepted");
  }

  // --- addresses and ports that announce nothing ------------------------------------------------------------------------

  #replaceAddresses(spec: TransportSpec, actions: Actions): void {
    this.#replaceClientEnds(spec, [], actions);
    this.#replaceSources(spec, actions);
  }

  /** The client's ends, as the realserver knows them, into what the client said itself. */
  #replaceClientEnds({ client }: TransportSpec, taken: readonly Offered[], actions: Actions): void {
    const { address } = this.#connection.client;
    for (const [index, { start, end, port }] of client.ports.entries()) {
      const own = taken.find((offered) => offered.index === index)?.port ?? port;
      if (own !== port) actions.write(start, end, `${own}`);
    }
    for (const at of client.addresses) {
      const named = at.address;
      if (named === null || named.equals(address) || !this.#translated) continue;
      actions.write(at.start, at.end, renderAddress(at)(this.#connection.client));
    }
  }

  #replaceSources({ server }: TransportSpec, actions: Actions): void {
    const { real, virtual } = this.#connection;
    for (const at of server.addresses) {
      if (!at.address?.equals(real.address) || !this.#translated) continue;
      actions.write(at.start, at.end, renderAddress(at)(virtual));
    }
  }

  get #translated(): boolean {
    const { real, virtual } = this.#connection;
    return !real.address.equals(virtual.address);
  }
}

/** With a second Transport header all between the first and the last goes with them, but for the CSeq. */
function insteadOfTransport(head: Head, headers: readonly Header[]): Replacement {
  const cseq = headers.length > 1 ? cseqOf(head) : null;
  const text = cseq === null ? REFUSED_TRANSPORT : `${REFUSED_TRANSPORT}\r\nCSeq: ${cseq}`;
  return { start: headers[0]!.start, end: headers.at(-1)!.end, text: () => text };
}

function addressOf(addresses: readonly AddressAt[], index: number) {
  return (addresses[index] ?? addresses[0])?.address ?? null;
}

const isGroup = ({ multicast, client }: TransportSpec): boolean =>
  multicast || client.addresses.some(({ address }) => address !== null && isMulticast(address));

type Offer = Malformed | { readonly bundle: Bundle; readonly offered: readonly Offered[] };

/** The ends that a SETUP's transports offer for datagrams. Several transports often share one pair of ports. */
function offers(specs: readonly TransportSpec[], whole: ByteRange, instead: Replacement): Offer {
  const bundle = new Bundle();
  const offered: Offered[] = [];
  for (const { interleaved, multicast, client } of specs) {
    if (interleaved || multicast) continue;
    if (client.ports.length === 0 && client.addresses.length > 0) return "bad-port";
    if (client.addresses.some(({ address }) => address === null)) return "bad-address";
    const places = client.ports.map((at, index) => {
      const to = { address: addressOf(client.addresses, index), port: at.port };
      return { at, index: place(bundle, offered, { index, port: at.port }, to, whole, instead) };
    });
    for (const { at, index } of places) bundle.places.push({ at, index, render: renderPort });
    for (const [index, at] of client.addresses.entries()) {
      const port = places[Math.min(index, places.length - 1)]!.index;
      bundle.places.push({ at, index: port, render: renderAddress(at) });
    }
  }
  return offered.length > MOST_ENDS ? "too-many-transports" : { bundle, offered };
}

/** Where in the bundle this end is; it is put there if it is new. */
function place(
  bundle: Bundle,
  offered: Offered[],
  end: Offered,
  to: Announcement["to"],
  bytes: ByteRange,
  instead: Replacement,
): number {
  const same = indexOf(bundle, to.address, to.port);
  if (same >= 0) return same;
  offered.push(end);
  bundle.announcements.push({
    kind: kindOf(end.index),
    said: "SETUP",
    transport: "udp",
    opener: "reply",
    from: { address: null, port: null },
    to,
    uses: 1,
    bytes,
    instead,
  });
  return offered.length - 1;
}

/** Which announcement of the bundle is of this end already: one end is one flow, however often it is named. */
const indexOf = ({ announcements }: Bundle, address: Address | null, port: number): number =>
  announcements.findIndex(({ to }) => to.port === port && String(to.address) === String(address));

/** Those of the ends that were offered that the answer names. It may know them by other numbers (a director's). */
function takenUp(offered: readonly Offered[], { client }: TransportSpec): readonly Offered[] {
  if (client.ports.length === 0) return offered;
  const named = offered.filter(({ port }) => client.ports.some((at) => at.port === port));
  if (named.length > 0) return named;
  const counted = client.ports.map((_, index) => offered.find((one) => one.index === index));
  return counted.filter((one) => one !== undefined);
}
