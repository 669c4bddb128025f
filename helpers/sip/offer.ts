/** What a description announces, and how it is written for whoever receives it. */
import type { Actions, Announcement, Direction, Ref, Render } from "../../core/helper/api.ts";
import { type ByteRange, type Endpoint, opposite } from "../../core/units.ts";
import { latin1 } from "../../core/wire/text.ts";
import { type AddressAt, type PortAt, parseDescription, type Stream } from "./sdp.ts";
import { callOf, type Head, lengthOf } from "./wire.ts";

interface Place {
  readonly at: ByteRange;
  readonly index: number;
  readonly render: (seen: Endpoint) => string;
}

const renderPort = ({ port }: Endpoint): string => `${port}`;
const renderAddress = ({ address }: Endpoint): string => `IP${address.family} ${address}`;

/** An end of a stream: media, or reports on it. */
interface OfferedEnd {
  readonly kind: string;
  readonly address: AddressAt;
  readonly port: number;
  /** null: it is not written, but the one behind the media's. */
  readonly at: PortAt | null;
}

/** The description `body` of `speaker`'s message: its ends, each open to anyone; null: it offers none, or is refused. */
export function offer(head: Head, body: ByteRange, said: string, speaker: Direction, actions: Actions): Ref | null {
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
    ({ kind, address, port }): Announcement => ({
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
  write(head, placesOf(ends), ref, actions);
  return ref;
}

function endsOf(streams: readonly Stream[]): OfferedEnd[] | "bad-address" {
  const ends: OfferedEnd[] = [];
  for (const { kind, port, address, reports } of streams) {
    if (kind === "other") continue;
    if (address?.address == null) return "bad-address";
    ends.push({ kind: `sip-${kind}`, address, port: port.port, at: port });
    if (kind !== "rtp") continue;
    const own = reports?.address ?? address;
    if (own.address === null) return "bad-address";
    // RFC 3550 §11: the next one, unless RFC 3605's attribute says another.
    ends.push({ kind: "sip-rtcp", address: own, port: reports?.port.port ?? port.port + 1, at: reports?.port ?? null });
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

/** The places, and the Content-Length that follows from what they become. */
function write(head: Head, places: readonly Place[], ref: Ref, actions: Actions): void {
  const length = lengthOf(head);
  if (length?.length != null) {
    const { header, length: before } = length;
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
