/** What a description announces, and how it is written for whoever receives it. */
import type { Actions, Announcement, Direction, Ref, Render } from "../../core/helper/api.ts";
import { type ByteRange, type Endpoint, opposite } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import { latin1 } from "../../core/wire/text.ts";
import type { Edit, Names } from "./names.ts";
import { type AddressAt, type PortAt, parseDescription, type Stream } from "./sdp.ts";
import { callOf, type Head, lengthOf } from "./wire.ts";

interface Place {
  readonly at: ByteRange;
  readonly index: number;
  readonly render: (seen: Endpoint) => string;
}

const renderPort = ({ port }: Endpoint): string => `${port}`;
const addressText = (address: Address): string => `IP${address.family} ${address}`;
const renderAddress = ({ address }: Endpoint): string => addressText(address);

/** An end of a stream: media, or reports on it. */
interface OfferedEnd {
  /** Which of the description's streams, from 0 (RFC 3264 §6: offer and answer have the same ones in the same order). */
  readonly stream: number;
  readonly kind: string;
  readonly address: AddressAt;
  readonly port: number;
  /** null: it is not written, but the one behind the media's. */
  readonly at: PortAt | null;
}

/** What one side of a call described. */
export interface Described {
  readonly ref: Ref;
  readonly ends: readonly Pick<OfferedEnd, "stream" | "kind">[];
}

/** A message with a description in it. */
export interface Describing {
  readonly head: Head;
  readonly body: ByteRange;
  /** In its own words: `INVITE`, `200 to INVITE`. */
  readonly said: string;
  readonly speaker: Direction;
  /** What the other side of the call described last: other ends of the same flows. */
  readonly other: Described | null;
}

/** Announces the ends of a description, each open to anyone; null: it has none, or is refused. */
export function offer(
  { head, body, said, speaker, other }: Describing,
  names: Names,
  actions: Actions,
): Described | null {
  const { bytes } = head;
  const whole = { start: 0, end: body.end };
  const description = parseDescription(bytes, body);
  const ends = typeof description === "string" ? description : endsOf(description.streams);
  if (typeof ends === "string") {
    // Nothing of it can be told apart: a description without streams, which its receiver refuses (488).
    actions.refuse(ends, whole, { ...body, text: () => "\r\n".padStart(body.end - body.start) });
    return null;
  }
  if (ends.length === 0) return null;
  const call = callOf(head);
  const instead = switchedOff(bytes, ends);
  const announcements = ends.map(
    ({ stream, kind, address, port }): Announcement => ({
      ...pairOf(other, stream, kind),
      kind,
      said,
      transport: "udp",
      opener: opposite(speaker),
      from: { address: null, port: null },
      anyone: true,
      to: { address: address.address, port },
      uses: 1,
      answered: false,
      identity: call,
      bytes: whole,
      instead,
    }),
  );
  const ref = actions.expect(...announcements);
  const own = typeof description === "string" ? null : originEdit(description.origin, names);
  if (own !== null) actions.write(own.start, own.end, own.text);
  write(head, placesOf(ends), own, ref, actions);
  return { ref, ends: ends.map(({ stream, kind }) => ({ stream, kind })) };
}

function pairOf(other: Described | null, stream: number, kind: string): Pick<Announcement, "pairs" | "answersIndex"> {
  const index = other?.ends.findIndex((end) => end.stream === stream && end.kind === kind) ?? -1;
  return other === null || index < 0 ? {} : { pairs: other.ref, answersIndex: index };
}

/** The session's origin (`o=`), where it names the speaker as only the speaker knows it. */
function originEdit(origin: AddressAt | null, { own, shown }: Names): Edit | null {
  if (origin === null || origin.address?.equals(own.address) !== true || own.address.equals(shown.address)) return null;
  return { start: origin.start, end: origin.end, text: addressText(shown.address) };
}

function endsOf(streams: readonly Stream[]): OfferedEnd[] | "bad-address" {
  const ends: OfferedEnd[] = [];
  for (const [stream, { kind, port, address, reports }] of streams.entries()) {
    if (kind === "other" || port.port === 0) continue;
    if (address?.address == null) return "bad-address";
    ends.push({ stream, kind: `sip-${kind}`, address, port: port.port, at: port });
    if (kind !== "rtp") continue;
    const own = reports?.address ?? address;
    if (own.address === null) return "bad-address";
    // RFC 3550 §11: the next one, unless RFC 3605's attribute says another.
    const at = reports?.port ?? null;
    ends.push({ stream, kind: "sip-rtcp", address: own, port: at?.port ?? port.port + 1, at });
  }
  return ends;
}

/** Each place once, in the order of the message. */
function placesOf(ends: readonly OfferedEnd[]): Place[] {
  const places = new Map<number, Place>();
  for (const [index, { address, at }] of ends.entries()) {
    if (!places.has(address.start)) places.set(address.start, { at: address, index, render: renderAddress });
    if (at !== null) places.set(at.start, { at, index, render: renderPort });
  }
  return [...places.values()].sort((one, another) => one.at.start - another.at.start);
}

/** The places, and the Content-Length that follows from what they and `origin` become. */
function write(head: Head, places: readonly Place[], origin: Edit | null, ref: Ref, actions: Actions): void {
  const written = lengthOf(head);
  if (written?.length != null) {
    const { header, length } = written;
    const before = length + (origin === null ? 0 : origin.text.length - (origin.end - origin.start));
    const render: Render = (_seen, bundle) => {
      const longer = places.reduce(
        (sum, { at, index, render }) => sum + render(bundle[index]!).length - (at.end - at.start),
        0,
      );
      return `${before + longer}`;
    };
    actions.rewrite(header.start, header.end, ref, render);
  }
  for (const { at, index, render } of places) actions.rewrite(at.start, at.end, ref, render, index);
}

/** Every stream with port 0, in as many digits: its receiver is to do without (RFC 3264 §6). */
function switchedOff(bytes: Uint8Array, ends: readonly OfferedEnd[]) {
  const ports = ends.flatMap(({ at, kind }) => (at === null || kind === "sip-rtcp" ? [] : [at]));
  const first = ports[0]!;
  let text = "";
  for (const [index, { start, end }] of ports.entries()) {
    const next = ports[index + 1];
    text += "0".repeat(end - start) + (next === undefined ? "" : latin1(bytes, end, next.start));
  }
  return { start: first.start, end: ports.at(-1)!.end, text: () => text };
}
