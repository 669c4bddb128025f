/** Sockets for datagrams, and how they are come by. What cannot be had is a reason (an errno name), not an exception. */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import type { Endpoint, Port } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { peerAddress } from "./peer.ts";
import type { Reason } from "./transport.ts";

/** The kernel chooses. */
export const ANY_PORT = 0;

export const socketFor = ({ family }: Address): Socket =>
  createSocket(family === 4 ? { type: "udp4" } : { type: "udp6", ipv6Only: true });

export const reasonOf = ({ code, message }: NodeJS.ErrnoException): Reason => code ?? message;

/** Binds `socket` to `at`, which nobody else may have; rejects when that fails. `failed`: told of errors from then on. */
export const listenOn = (socket: Socket, { address, port }: Endpoint, failed: (error: Error) => void): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind({ address: address.toString(), port, exclusive: true }, () => {
      socket.removeListener("error", reject);
      socket.on("error", failed);
      resolve();
    });
  });

/** A socket on `port` of `address`. Datagrams that it cannot send are lost, as datagrams may be. */
export function bound(address: Address, port: number): Promise<Socket | Reason> {
  const socket = socketFor(address);
  return new Promise((resolve) => {
    socket.on("error", (error) => resolve(reasonOf(error)));
    socket.bind({ address: address.toString(), port, exclusive: true }, () => resolve(socket));
  }).then((outcome) => {
    if (typeof outcome === "string") socket.close();
    return outcome as Socket | Reason;
  });
}

/** Who sent a datagram, and as whom the kernel knows him. */
export interface Sender extends Endpoint {
  /** The address as text: of a link-local one with its zone, without which nothing can be sent there. */
  readonly host: string;
}

/** Tells `heard` of what comes to `socket`, until what it returns is called. Nobody is at port 0: who could be answered there? */
export function hear(socket: Socket, heard: (message: Buffer, from: Sender) => void): () => void {
  const listener = (message: Buffer, { address: host, port }: RemoteInfo): void => {
    if (port !== 0) heard(message, { address: peerAddress(host)!, port: port as Port, host });
  };
  socket.on("message", listener);
  return () => void socket.removeListener("message", listener);
}

/** Connects `socket` to `to`; the reason why not, or null. */
export function connected(socket: Socket, to: Endpoint): Promise<Reason | null> {
  return new Promise((resolve) => {
    // Node tells the callback of its failure, though its type does not say so.
    const done = (error?: NodeJS.ErrnoException): void => resolve(error == null ? null : reasonOf(error));
    socket.connect(to.port, to.address.toString(), done);
  });
}

/** The address that this host has towards `to`. */
export async function addressTowards(to: Endpoint): Promise<Address | Reason> {
  const socket = socketFor(to.address);
  // A connected socket is told of what its kernel hears of the other end; nothing was sent there.
  socket.on("error", () => {});
  const failed = await connected(socket, to);
  const address = failed === null ? Address.parse(socket.address().address) : null;
  socket.close();
  return address ?? failed ?? "EADDRNOTAVAIL";
}
