/** Which answer belongs to which request, and what was set up in which session. */
import type { Ref } from "../../core/helper/api.ts";

/** An end that a SETUP offers for the other side to send to. */
export interface Offered {
  readonly port: number;
  /** Of a transport's ports: 0 RTP, 1 RTCP. */
  readonly index: number;
}

/** A request whose answer has not come. */
export interface Pending {
  /** null: it has none, or one that is no number. */
  readonly cseq: number | null;
  readonly method: string;
  readonly uri: string;
  readonly session: string;
  /** What it announced, and the ends in the order of that bundle. */
  readonly ref: Ref | null;
  readonly offered: readonly Offered[];
}

interface Track {
  readonly session: string;
  readonly uri: string;
  readonly refs: readonly Ref[];
}

/** Requests without an answer, and streams set up, that are remembered: the oldest give way. */
const DEPTH = 64;
/** Characters of a URI and of a session's name (RFC 2326 §3.4: at least 8) that are remembered. */
const LONGEST = 256;

/** The requests of one direction. */
export class Dialogue {
  readonly #pending: Pending[] = [];

  /** False: too many wait for an answer; the oldest is forgotten. */
  sent(request: Pending): boolean {
    const { uri, session } = request;
    this.#pending.push({ ...request, uri: uri.slice(0, LONGEST), session: session.slice(0, LONGEST) });
    if (this.#pending.length <= DEPTH) return true;
    this.#pending.shift();
    return false;
  }

  /**
   * The request that an answer with this CSeq belongs to (RFC 2326 §12.17); one without any belongs to the oldest.
   * `final`: no other answer will follow.
   */
  answered(cseq: number | null, final: boolean): Pending | null {
    const index = cseq === null ? 0 : this.#pending.findIndex((request) => request.cseq === cseq);
    const request = index < 0 ? undefined : this.#pending[index];
    if (request !== undefined && final) this.#pending.splice(index, 1);
    return request ?? null;
  }
}

/** Streams set up, by session. */
export class Tracks {
  #tracks: Track[] = [];

  add({ session, uri, refs }: Track): void {
    const name = session.slice(0, LONGEST);
    this.#tracks.push({ session: name, uri, refs });
    if (this.#tracks.length > DEPTH) this.#tracks.shift();
  }

  /** What a TEARDOWN ends: the one stream of that session whose URI it names, else all of the session. */
  end(session: string, uri: string): Ref[] {
    const mine = this.#tracks.filter((track) => track.session === session);
    const named = mine.filter((track) => track.uri === uri);
    const ended = named.length > 0 ? named : mine;
    this.#tracks = this.#tracks.filter((track) => !ended.includes(track));
    return ended.flatMap(({ refs }) => refs);
  }
}
