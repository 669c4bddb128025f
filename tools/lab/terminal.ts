/**
 * An X terminal: Xvfb, which asks by XDMCP for a login, or nobody for anything, and hears X11 over TCP. What its user
 * would see is read from its frame buffer; what its user types goes in as a keyboard's keys, by a client on the terminal
 * itself.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Running } from "./process.ts";
import type { Sandbox } from "./sandbox.ts";
import type { Host } from "./topology.ts";

/** Red, green, blue. */
export type Colour = readonly [number, number, number];

export const X11_PORT = 6000;

const WIDTH = 640;
const HEIGHT = 480;
/** How long a picture is waited for: generous, since a busy machine is no failure. */
const PATIENCE = 90_000;

export class Terminal {
  readonly host: Host;
  /** What a command on `host` that is to use the display begins with. */
  readonly environment: readonly string[];
  readonly #server: Running;
  readonly #picture: string;

  private constructor(host: Host, server: Running, picture: string, cookie: string) {
    this.host = host;
    this.environment = ["env", `XAUTHORITY=${cookie}`, "DISPLAY=127.0.0.1:0"];
    this.#server = server;
    this.#picture = picture;
  }

  /** Display 0 of `host`, which asks `manager`, if there is one. `hurry`: how much faster its clock runs than ours. */
  static async start(sandbox: Sandbox, host: Host, manager?: string, hurry = 1): Promise<Terminal> {
    const folder = sandbox.path(`${host.name}-terminal`);
    mkdirSync(folder);
    const cookie = join(folder, "cookie");
    writeFileSync(cookie, anybodysCookie());
    const display = [":0", "-screen", "0", `${WIDTH}x${HEIGHT}x24`, "-fbdir", folder];
    // The sockets and locks in /tmp are the whole machine's, so that another display 0 would be in the way.
    const apart = ["-listen", "tcp", "-nolisten", "unix", "-nolisten", "local", "-nolock", "-auth", cookie];
    // Without a login there is no session that ends with its last window.
    const asking = manager === undefined ? ["-noreset"] : ["-query", manager, "-from", host.address];
    const clock = hurry === 1 ? [] : ["faketime", "-f", `+0 x${hurry}`];
    const server = host.start([...clock, "Xvfb", ...display, ...apart, ...asking]);
    await server.listening(X11_PORT);
    return new Terminal(host, server, join(folder, "Xvfb_screen0"), cookie);
  }

  /** How much of the screen, from 0 to 1, has this colour. */
  shows(colour: Colour): number {
    const wanted = (colour[0] << 16) | (colour[1] << 8) | colour[2];
    let count = 0;
    for (const pixel of pixels(readFileSync(this.#picture))) if (pixel === wanted) count++;
    return count / (WIDTH * HEIGHT);
  }

  /** Which of `colours` the screen is full of, as soon as it is. */
  async untilFullOf(...colours: readonly Colour[]): Promise<number> {
    let full = -1;
    const deadline = Date.now() + PATIENCE;
    for (;;) {
      full = colours.findIndex((colour) => this.shows(colour) > 0.5);
      if (full >= 0) return full;
      if (Date.now() > deadline) throw new Error(`${this.host.name} shows something else\n${this.#server.stderr}`);
      await sleep(50);
    }
  }

  /** Each of `keys` is a text, or the name of a key. */
  async type(...keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      await this.host.must([...this.environment, "xdotool", ...(key === "Return" ? ["key", key] : ["type", key])]);
    }
  }
}

/** A line of an Xauthority file (Xau(3)), for every address: the terminal's own programs may draw and type too. */
function anybodysCookie(): Buffer {
  const WILD = 0xffff;
  const field = (text: string | Buffer): Buffer => {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(text.length);
    return Buffer.concat([length, Buffer.from(text)]);
  };
  const family = Buffer.alloc(2);
  family.writeUInt16BE(WILD);
  return Buffer.concat([
    family,
    field(""),
    field(""),
    field("MIT-MAGIC-COOKIE-1"),
    field(Buffer.from("6b696e64726564206c61626f7261746f", "hex")),
  ]);
}

/** Of an X window dump (XWDFile.h): a header of words, a colour map, and here four bytes a pixel. */
function* pixels(file: Buffer): Generator<number> {
  const word = (index: number): number => file.readUInt32BE(index * 4);
  const COLOUR = 12;
  const [header, width, height, line, colours] = [word(0), word(4), word(5), word(12), word(19)];
  const first = header + colours * COLOUR;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) yield file.readUInt32LE(first + y * line + x * 4) & 0xffffff;
  }
}
