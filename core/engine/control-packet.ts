/** A packet of a control connection; filled anew for each. */
export class ControlPacket {
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(this.bytes.buffer);
  /** Where its IP header begins, its transport header, and where it ends. */
  at = 0;
  transport = 0;
  end = 0;
  /** Its checksum is a partial one. */
  partial = false;

  /** The same as `other`. */
  become({ bytes, view, at, transport, end, partial }: ControlPacket): void {
    this.bytes = bytes;
    this.view = view;
    this.at = at;
    this.transport = transport;
    this.end = end;
    this.partial = partial;
  }
}
