/**
 * What a player and a server of Microsoft Media Services say to each other: messages over TCP (MS-MMSP 2.2.3, 2.2.4),
 * packets of data (2.2.2) and requests for lost ones over UDP. Shares no code with the helper that is tried with it.
 */
export const MMS_PORT = 1755;

/** Numbers of messages, by who says them. */
export const Viewer = {
  CONNECT: 0x00030001,
  CONNECT_FUNNEL: 0x00030002,
  OPEN_FILE: 0x00030005,
  START_PLAYING: 0x00030007,
  CLOSE_FILE: 0x0003000d,
  READ_BLOCK: 0x00030015,
  FUNNEL_INFO: 0x00030018,
} as const;
export const Mac = {
  CONNECTED: 0x00040001,
  CONNECTED_FUNNEL: 0x00040002,
  STARTED_PLAYING: 0x00040005,
  OPENED_FILE: 0x00040006,
  READ_BLOCK: 0x00040011,
  FUNNEL_INFO: 0x00040015,
  END_OF_STREAM: 0x0004001e,
} as const;

const SESSION = 0xb00bface;
const CHUNK = 8;
/** Where the number of a packet's first message stands, and what is behind it. */
const MESSAGE = 36;
export const BODY = 40;

export const words = (...numbers: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(numbers.length * 4);
  for (const [index, number] of numbers.entries()) bytes.writeUInt32LE(number, index * 4);
  return bytes;
};

export const wide = (text: string): Buffer => Buffer.from(`${text}\0`, "utf16le");

/** A packet of one message. */
export function packet(id: number, sequence: number, ...body: readonly Buffer[]): Buffer {
  const said = Buffer.concat([words(0, id), ...body]);
  const message = Buffer.concat([said, Buffer.alloc(-said.length & (CHUNK - 1))]);
  const chunks = message.length / CHUNK;
  message.writeUInt32LE(chunks, 0);
  const seal = Buffer.from("MMS ");
  return Buffer.concat([words(1, SESSION, message.length + 16), seal, words(chunks + 2, sequence, 0, 0), message]);
}

/** Cuts a stream into its packets; `told` is given each, with the number of its message. */
export function packets(told: (id: number, packet: Buffer) => void): (bytes: Buffer) => void {
  let held = Buffer.alloc(0);
  return (bytes) => {
    held = Buffer.concat([held, bytes]);
    while (held.length >= 16 && held.length >= held.readUInt32LE(8) + 16) {
      const end = held.readUInt32LE(8) + 16;
      const whole = held.subarray(0, end);
      held = held.subarray(end);
      told(whole.readUInt32LE(MESSAGE), whole);
    }
  };
}

/** The socket of a ConnectFunnel: behind five words its name, `\\address\UDP\port`. */
export function funnelOf(packet: Buffer): { readonly address: string; readonly port: number } {
  const [, , address, protocol, port] = packet
    .toString("utf16le", BODY + 20)
    .split("\0")[0]!
    .split("\\");
  if (address === undefined || protocol !== "UDP") throw new Error("a funnel of another form");
  return { address, port: Number(port) };
}

/** What the stream is of, and its header. */
export const Kind = { HEADER: 2, MEDIA: 4 } as const;

export interface Data {
  readonly sequence: number;
  readonly kind: number;
  readonly payload: Buffer;
}

const DATA_HEADER = 8;

export function data({ sequence, kind, payload }: Data): Buffer {
  const header = words(sequence, 0);
  header[4] = kind;
  header[5] = sequence & 0xff;
  header.writeUInt16LE(DATA_HEADER + payload.length, 6);
  return Buffer.concat([header, payload]);
}

export const parseData = (bytes: Buffer): Data => ({
  sequence: bytes.readUInt32LE(0),
  kind: bytes[4]!,
  payload: bytes.subarray(DATA_HEADER, bytes.readUInt16LE(6)),
});

const RESEND = 1;

/** A request for lost packets; `client` is the number that the server gave to its funnel. */
export const lost = (client: number, sequences: readonly number[]): Buffer =>
  words(RESEND, client, RESEND, ...sequences);

export function parseLost(bytes: Buffer): { readonly client: number; readonly sequences: readonly number[] } {
  const sequences: number[] = [];
  for (let at = 12; at + 4 <= bytes.length; at += 4) sequences.push(bytes.readUInt32LE(at));
  return { client: bytes.readUInt32LE(4), sequences };
}
