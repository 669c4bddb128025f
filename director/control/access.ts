/**
 * Who may. By the unix socket: whom its permissions let in. Over TCP: who knows the token, or has a certificate of the
 * operators' authority; and never a page of somebody else's in a browser of one who may (Host, Origin).
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import { Refusal } from "./refusal.ts";

/**
 * Each right holds those before it. `none`: who comes need not be known; what anybody may see. `metrics`: numbers without
 * who the clients are.
 */
export type Needs = "none" | "metrics" | "read" | "write";

const RANK: Readonly<Record<Needs, number>> = { none: 0, metrics: 1, read: 2, write: 3 };

export interface Access {
  /** Whether a request may load programs. */
  readonly mayLoad: boolean;
  /** Why not; null: it may. */
  why(request: IncomingMessage, needs: Needs): Refusal | null;
}

/** Browsers cannot reach a unix socket: whoever says that a page sent it, something else is wrong with. */
export const socketAccess: Access = {
  mayLoad: true,
  why: ({ headers }) => (headers.origin === undefined ? null : foreignOrigin()),
};

export interface TcpAccess {
  /** As they stand in `Host`, in lower case, without the port. */
  readonly hosts: ReadonlySet<string>;
  readonly port: number;
  readonly token: string | null;
  readonly anonymous: "none" | "metrics" | "read";
  readonly tls: boolean;
}

export function tcpAccess({ hosts, port, token, anonymous, tls }: TcpAccess): Access {
  const scheme = tls ? "https" : "http";
  const expected = token === null ? null : digest(token);
  const whyForeign = ({ headers: { host = "", origin } }: IncomingMessage): Refusal | null => {
    if (!isOurs(host, hosts, port)) {
      const remedy = 'use its address, or list the name in "control.hosts"';
      return new Refusal(421, "foreign-host", "the request is for another host", remedy);
    }
    return origin === undefined || origin.toLowerCase() === `${scheme}://${host.toLowerCase()}`
      ? null
      : foreignOrigin();
  };
  return {
    mayLoad: false,
    why(request, needs) {
      const foreign = whyForeign(request);
      if (foreign !== null) return foreign;
      if (needs === "none") return null;
      if ((request.socket as Partial<TLSSocket>).authorized === true) return null;
      const given = bearer(request.headers.authorization);
      if (given !== null && expected !== null && timingSafeEqual(digest(given), expected)) return null;
      if (given === null && RANK[needs] <= RANK[anonymous]) return null;
      const message = given === null ? "who asks is not known" : "the token is not the right one";
      return new Refusal(401, "not-authorized", message, "send Authorization: Bearer, and the token of the director");
    },
  };
}

const foreignOrigin = (): Refusal =>
  new Refusal(403, "foreign-origin", "a page of another origin sent this", "use kindred ctl, or the director's page");

/** Of the same length for all tokens, so that comparing them tells nothing of either. */
const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

function bearer(header: string | undefined): string | null {
  const prefix = "bearer ";
  if (header === undefined || header.slice(0, prefix.length).toLowerCase() !== prefix) return null;
  return header.slice(prefix.length).trim();
}

/** A name that resolves to this host is not enough (DNS rebinding): it must be one that we are known by. */
function isOurs(host: string, hosts: ReadonlySet<string>, port: number): boolean {
  const at = host.lastIndexOf(":");
  const bare = at > host.lastIndexOf("]") ? host.slice(0, at) : host;
  const asked = at > host.lastIndexOf("]") ? host.slice(at + 1) : "";
  return hosts.has(bare.toLowerCase()) && (asked === "" || asked === String(port));
}
