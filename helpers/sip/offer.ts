/** What a description announces, and how it is written for whoever receives it. */
import type { Actions, Announcement, Direction, Ref, Render, Replacement } from "../../core/helper/api.ts";
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
  readonly address: Address;
  readonly port: number;
  /** Where each is written: at more than one place where streams share it, the port nowhere where it follows from another. */
  readonly addresses: AddressAt[];
  readonly ports: PortAt[];
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
  /** What is written in its head, whatever becomes of the description. */
  readonly named: readonly Edit[];
  /** What the other side of the call described last: other ends of the same flows. */
  readonly other: Described | null;
}

/** Announces the ends of a description, each open to anyone; null: it has none, or is refused. */
export function offer(describing: Describing, names: Names, actions: Actions): Described | null {
  const { head, body, said, speaker, other, named } = describing;
  const { bytes } = head;
  const whole = { start: 0, end: body.end };
  const description = parseDescription(bytes, body);
  if (typeof description === "string") return refuseAll(description, describing, actions);
  const ends = endsOf(description.streams);
  if (typeof ends === "string") return refuseAll(ends, describing, actions);
  const places = placesOf(ends);
  const edits = nameEdits(description.addresses, places, names);
  for (const edit of named) actions.write(edit.start, edit.end, edit.text);
  if (ends.length === 0) {
    for (const edit of withLength(head, edits)) actions.write(edit.start, edit.end, edit.text);
    return null;
  }
  // Where media of the realserver's side are refused, whose they are is nothing that the client should know, either.
  const refused = speaker === "reply" ? ends.flatMap(({ addresses }) => addresses) : [];
  const hidden = hiddenEdits(description.addresses, refused, names);
  const instead = written(bytes, whole, [...named, ...withLength(head, hidden), ...switchedOff(description.streams)]);
  const call = callOf(head);
  const announcements = ends.map(
    ({ stream, kind, address, port }): Announcement => ({
      ...pairOf(other, stream, kind),
      kind,
      said,
      transport: "udp",
      opener: opposite(speaker),
      from: { address: null, port: null },
      anyone: true,
      to: { address, port },
      uses: 1,
      answered: false,
      identity: call,
      bytes: whole,
      instead,
    }),
  );
  const ref = actions.expect(...announcements);
  for (const edit of edits) actions.write(edit.start, edit.end, edit.text);
  write(head, places, edits, ref, actions);
  return { ref, ends: ends.map(({ stream, kind }) => ({ stream, kind })) };
}

/** Nothing of it can be told apart: a description without streams, which its receiver refuses (488). */
function refuseAll(code: string, { head, body, named }: Describing, actions: Actions): null {
  const whole = { start: 0, end: body.end };
  const blank = { ...body, text: "\r\n".padStart(body.end - body.start) };
  actions.refuse(code, whole, written(head.bytes, whole, [...named, blank]));
  return null;
}

function pairOf(other: Described | null, stream: number, kind: string): Pick<Announcement, "pairs" | "answersIndex"> {
  const index = other?.ends.findIndex((end) => end.stream === stream && end.kind === kind) ?? -1;
  return other === null || index < 0 ? {} : { pairs: other.ref, answersIndex: index };
}

/** Addresses that lead nowhere (`o=`, and those of streams that are off), where they are the speaker's as only it knows it. */
function nameEdits(addresses: readonly AddressAt[], places: readonly Place[], names: Names): Edit[] {
  const isPlace = ({ start }: Edit): boolean => places.some(({ at }) => at.start === start);
  return hiddenEdits(addresses, [], names).filter((edit) => !isPlace(edit));
}

/** Those of `addresses` that are the speaker's as only it knows it, and all of `others`. */
function hiddenEdits(addresses: readonly AddressAt[], others: readonly AddressAt[], { own, shown }: Names): Edit[] {
  if (own.address.equals(shown.address)) return [];
  const text = addressText(shown.address);
  const isHidden = (at: AddressAt): boolean =>
    at.address?.equals(own.address) === true || others.some(({ start }) => start === at.start);
  return addresses.filter(isHidden).map(({ start, end }) => ({ start, end, text }));
}

/** RFC 3264 §8.4: at 0.0.0.0 (or `::`) a stream is held: nothing is to be sent, and nobody listens. */
const isHeld = ({ address }: AddressAt): boolean => address?.unspecified === true;

const isOffered = ({ kind, port, address }: Stream): boolean =>
  kind !== "other" && port.port !== 0 && (address === null || !isHeld(address));

function endsOf(streams: readonly Stream[]): OfferedEnd[] | "bad-address" {
  const ends: OfferedEnd[] = [];
  for (const [stream, one] of streams.entries()) {
    if (!isOffered(one)) continue;
    const { kind, port, address, reports } = one;
    if (address?.address == null) return "bad-address";
    putEnd(ends, stream, `sip-${kind}`, address, port.port, port);
    if (kind !== "rtp") continue;
    const own = reports?.address ?? address;
    if (own.address === null) return "bad-address";
    // RFC 3550 §11: the next one, unless RFC 3605's attribute says another.
    const at = reports?.port ?? null;
    if (!isHeld(own)) putEnd(ends, stream, "sip-rtcp", own, at?.port ?? port.port + 1, at);
  }
  return ends;
}

/** Streams may share an end (RFC 8843), and media and reports (RFC 5761): it is one flow. */
function putEnd(
  ends: OfferedEnd[],
  stream: number,
  kind: string,
  at: AddressAt,
  port: number,
  written: PortAt | null,
): void {
  const address = at.address!;
  const same = ends.find((end) => end.port === port && end.address.equals(address));
  const end = same ?? { stream, kind, address, port, addresses: [], ports: [] };
  if (same === undefined) ends.push(end);
  end.addresses.push(at);
  if (written !== null) end.ports.push(written);
}

/** Each place once, in the order of the message. */
function placesOf(ends: readonly OfferedEnd[]): Place[] {
  const places = new Map<number, Place>();
  for (const [index, { addresses, ports }] of ends.entries()) {
    for (const at of addresses) if (!places.has(at.start)) places.set(at.start, { at, index, render: renderAddress });
    for (const at of ports) places.set(at.start, { at, index, render: renderPort });
  }
  return [...places.values()].sort((one, another) => one.at.start - another.at.start);
}

/** How much longer the message is with them. */
const growthOf = (edits: readonly Edit[]): number =>
  edits.reduce((sum, { start, end, text }) => sum + text.length - (end - start), 0);

/** `edits` of a body, and the Content-Length that follows from them. */
function withLength(head: Head, edits: readonly Edit[]): readonly Edit[] {
  const written = lengthOf(head);
  const growth = growthOf(edits);
  if (written?.length == null || growth === 0) return edits;
  const { start, end } = written.header;
  return [{ start, end, text: `${written.length + growth}` }, ...edits];
}

/** The places, and the Content-Length that follows from what they become, and from `edits`. */
function write(head: Head, places: readonly Place[], edits: readonly Edit[], ref: Ref, actions: Actions): void {
  const written = lengthOf(head);
  if (written?.length != null) {
    const { header, length } = written;
    const before = length + growthOf(edits);
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

/** Every stream that offers an end with port 0, in as many digits: its receiver is to do without (RFC 3264 §6). */
const switchedOff = (streams: readonly Stream[]): Edit[] =>
  streams.filter(isOffered).map(({ port: { start, end } }) => ({ start, end, text: "0".repeat(end - start) }));

/** All of the message with `edits`, for when it is refused: nothing else is written in it then. */
function written(bytes: Uint8Array, whole: ByteRange, edits: readonly Edit[]): Replacement {
  const kept = bytes.slice(whole.start, whole.end);
  const text = (): string => {
    let [said, at] = ["", 0];
    for (const { start, end, text } of edits.toSorted((one, another) => one.start - another.start)) {
      said += latin1(kept, at, start) + text;
      at = end;
    }
    return said + latin1(kept, at, kept.length);
  };
  return { ...whole, text };
}
