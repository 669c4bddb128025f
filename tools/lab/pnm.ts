/**
 * The greetings of PNM (RealAudio before RTSP), as NAT helpers have read them since 1996, and a stream of our own making:
 * what RealServers send behind them was never published. Shares no code with the helper that is tried with it.
 *
 *   player   "PNA" version(2)  { id(2) length(2) value }  0000        1: UDP port, 7: UDP port for robust delivery
 *   server   "PNA" version(2) 6 bytes 0007 port(2) 4 bytes            its port for robust delivery
 */
export const PNM_PORT = 7070;

const VERSION = 10;
const PLAYER = 1;
const ROBUST = 7;
const OPTIONS = 5;
const ANSWER_PORT = 13;
export const ANSWER_LENGTH = 19;

export interface Ports {
  readonly player: number;
  readonly robust: number;
}

const shorts = (...numbers: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(numbers.length * 2);
  for (const [index, number] of numbers.entries()) bytes.writeUInt16BE(number, index * 2);
  return bytes;
};

const signed = (...rest: readonly Buffer[]): Buffer => Buffer.concat([Buffer.from("PNA"), shorts(VERSION), ...rest]);

export const greeting = ({ player, robust }: Ports): Buffer => signed(shorts(PLAYER, 2, player, ROBUST, 2, robust, 0));

/** The ports of a greeting, or null: it is not complete. */
export function parseGreeting(bytes: Buffer): Ports | null {
  const ports = new Map<number, number>();
  for (let at = OPTIONS; at + 2 <= bytes.length; ) {
    const id = bytes.readUInt16BE(at);
    if (id === 0) return { player: ports.get(PLAYER)!, robust: ports.get(ROBUST)! };
    if (at + 6 > bytes.length) return null;
    ports.set(id, bytes.readUInt16BE(at + 4));
    at += 4 + bytes.readUInt16BE(at + 2);
  }
  return null;
}

export const answer = (robust: number): Buffer => signed(Buffer.alloc(6), shorts(ROBUST, robust, 0, 0));
export const answeredPort = (bytes: Buffer): number => bytes.readUInt16BE(ANSWER_PORT);

/** A piece of the stream: its number, and bytes. A request for lost ones is their numbers. */
export const piece = (number: number, bytes: Buffer): Buffer => Buffer.concat([shorts(number), bytes]);
export const numbersOf = (said: Buffer): number[] =>
  Array.from({ length: said.length >> 1 }, (_, i) => said.readUInt16BE(i * 2));
export const lost = (numbers: readonly number[]): Buffer => shorts(...numbers);
