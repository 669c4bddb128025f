/** Descriptions of media (RFC 8866). */
import { type Choices, oneIn } from "../choices.ts";
import { lines } from "./said.ts";

export const netOf = (address: string): string => `IN IP${address.includes(":") ? 6 : 4} ${address}`;

/** One stream of RTP, with where its reports go, if that is somewhere else than at the next port. */
export interface Stream {
  readonly rtp: number;
  readonly rtcp: number | null;
}

/** `origin`: who has written it; `address`: whose streams these are. */
export const description = (choices: Choices) => {
  const session = oneIn(choices, 2) ? "s=-" : "s=a call";
  const more = oneIn(choices, 3) ? ["a=sendrecv", "a=ptime:20"] : [];
  return (origin: string, address: string, streams: readonly Stream[]): string =>
    lines(
      "v=0",
      `o=- 1 1 ${netOf(origin)}`,
      session,
      `c=${netOf(address)}`,
      "t=0 0",
      ...streams.flatMap(({ rtp, rtcp }) => [
        `m=audio ${rtp} RTP/AVP 0`,
        ...(rtcp === null ? [] : [`a=rtcp:${rtcp}`]),
        ...more,
      ]),
    );
};
