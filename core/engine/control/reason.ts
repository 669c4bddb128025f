/** Why a segment of a control connection, or part of it, went no further. The names are the labels of the metrics. */
export type ControlReason =
  /** Before the handshake, or not as one goes. */
  | "handshake"
  /** A SYN in an open connection: answered as RFC 5961 §4 says, and not let on. */
  | "syn-in-flow"
  /** Without ACK. */
  | "no-acknowledgment"
  /** Everything in it is acknowledged already. */
  | "repeated"
  /** Data that the sender was not allowed to send. */
  | "beyond-window"
  /** It acknowledges what was not sent. */
  | "acknowledges-unsent"
  /** More out of order than is kept. */
  | "out-of-order-limit"
  /** The receiver takes less than the sender sends, and more than is kept. */
  | "queue-full"
  | "reset-outside-window"
  /** In the window and not exactly next: challenged (RFC 5961 §3). */
  | "reset-inexact"
  /** The connection was reset. */
  | "ended"
  /** The receiver acknowledged nothing for too long. */
  | "receiver-gone"
  /** The helper failed, and the configuration prefers no connection to an unread one. */
  | "aborted";
