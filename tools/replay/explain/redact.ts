/**
 * What was said, fit to be shown: passwords are struck out, whatever the segments, and bytes that are no printable
 * ASCII are written out, so that nothing in a capture can act on a terminal or a page.
 */
import { LF } from "../../../core/wire/text.ts";

/** FTP: RFC 959 §4.1.1. */
const SECRET_COMMANDS: ReadonlySet<string> = new Set(["PASS", "ACCT", "ADAT"]);
/** RTSP, SIP: RFC 2617. Enough letters to tell. */
const SECRET_HEADERS: readonly string[] = ["AUTHORIZATION", "PROXY-AUTHORIZATION"];
const LONGEST_NAME = 19;
const STRUCK = " ****";
/** RFC 3986 §3.2.1, RFC 3261 §19.1.1: `rtsp://user:password@host`, `sip:user:password@host`, or as much of it as there is. */
const USERINFO = /((?:\/\/|sips?:)[^\s/@:<>"\\]+:)(?:((?:(?!\\[rn])[^\s/<>"])+)(?=@)|((?:(?!\\[rn])[^\s/<>"])+)$)/gi;
/** Of a word that goes on in the next piece this much is remembered. */
const LONGEST_WORD = 512;

/** Protocols whose messages are lines of text. Of others only the length is shown. */
const TEXT: ReadonlySet<string> = new Set(["ftp", "rtsp", "sip", "ident"]);

export const isText = (helper: string): boolean => TEXT.has(helper);

/** One direction of a connection, bytes in order. */
export class Redactor {
  #name = "";
  #secret = false;
  #struck = false;
  /** What was said since the latest blank. */
  #word = "";

  /** Bytes are missing before the next: they may be the rest of a secret. */
  gap(): void {
    this.#secret = true;
    this.#struck = false;
  }

  show(bytes: Uint8Array): string {
    let shown = "";
    for (const byte of bytes) shown += this.#byte(byte);
    return this.#withoutUserinfo(shown);
  }

  /** Without passwords in URLs, which may have begun in a piece before; what may yet become one is struck out, too. */
  #withoutUserinfo(piece: string): string {
    const all = this.#word + piece;
    const known = this.#word.length;
    let shown = "";
    let at = known;
    for (const { index, 1: before, 2: whole, 3: begun } of all.matchAll(USERINFO)) {
      const start = index + before!.length;
      const end = start + (whole ?? begun)!.length;
      if (end <= known) continue;
      shown += all.slice(at, Math.max(at, start)) + (start >= known ? STRUCK : "");
      at = end;
    }
    shown += all.slice(at);
    this.#word = all.slice(Math.max(all.lastIndexOf(" "), all.lastIndexOf("\\n")) + 1).slice(-LONGEST_WORD);
    return shown;
  }

  #byte(byte: number): string {
    if (byte === LF) {
      this.#name = "";
      this.#secret = false;
      return "\\n";
    }
    if (!this.#secret) {
      const shown = printable(byte);
      this.#read(byte);
      return shown;
    }
    if (byte === 0x0d) return "\\r";
    const first = !this.#struck;
    this.#struck = true;
    return first ? STRUCK : "";
  }

  /** Letters and hyphens at the start of a line, whatever telnet bytes or blanks stand before or between them. */
  #read(byte: number): void {
    if (this.#name.length >= LONGEST_NAME) return;
    const letter = (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
    if (letter || byte === 0x2d) this.#name += String.fromCharCode(byte).toUpperCase();
    else if (byte === 0x20 && this.#name !== "") this.#name += " ".repeat(LONGEST_NAME);
    if (!SECRET_COMMANDS.has(this.#name) && !SECRET_HEADERS.includes(this.#name)) return;
    this.#secret = true;
    this.#struck = false;
  }
}

function printable(byte: number): string {
  if (byte === 0x0d) return "\\r";
  if (byte === 0x5c) return "\\\\";
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
}

/** A message from its first byte on. */
export function messageText(helper: string, bytes: Uint8Array): string {
  return isText(helper) ? new Redactor().show(bytes) : hexText(bytes);
}

/** The first bytes of a message that is no text, also as characters; not enough of it to hold a secret. */
function hexText(bytes: Uint8Array): string {
  const head = bytes.subarray(0, 16);
  const hex = Array.from(head, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  const text = Array.from(head, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
  return `${hex}${bytes.length > 16 ? " …" : ""}  |${text}|`;
}
