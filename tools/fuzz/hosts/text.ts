/** Text of one character a byte, and back. */
export const textBytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));

export const bytesText = ({ buffer, byteOffset, length }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, length).toString("latin1");
