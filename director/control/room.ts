/**
 * Room for one more: of the connections to the control interface only so many may be open, since clients of the services need
 * descriptors, too; and an operator must get in whoever holds them. So a new one takes another's place: of the one that has been
 * idle for the longest or, where most are being answered, of the one that has been for the longest.
 */
import type { Server } from "node:http";
import type { Socket } from "node:net";

interface Place {
  readonly socket: Socket;
  /** Requests that are being answered. */
  asking: number;
}

/** At most `most` connections of `server`; `full` is called whenever one is closed for another. */
export function makeRoom(server: Server, most: number, full: () => void): void {
  // In the order in which they came, or an answer to them began or ended.
  const places = new Map<Socket | string, Place>();
  const leave = (key: Socket | string, place: Place): boolean => places.get(key) === place && places.delete(key);
  const answering = (key: Socket | string, place: Place, more: 1 | -1): void => {
    place.asking += more;
    if (leave(key, place)) places.set(key, place);
  };

  server.on("connection", (socket) => {
    if (places.size >= most) {
      const [key, place] = leastMissed(places);
      leave(key, place);
      place.socket.destroy();
      full();
    }
    const key = nameOf(socket);
    const place = { socket, asking: 0 };
    places.set(key, place);
    socket.once("close", () => leave(key, place));
  });

  server.on("request", ({ socket }, response) => {
    const key = nameOf(socket);
    const place = places.get(key);
    if (place === undefined) return;
    answering(key, place, 1);
    response.once("close", () => answering(key, place, -1));
  });
}

/** TLS makes a second socket of the one that came, with the same ends; on a unix socket there are no ends to tell them by. */
const nameOf = (socket: Socket): Socket | string =>
  socket.remotePort === undefined ? socket : `${socket.remoteAddress} ${socket.remotePort}`;

/** Of those who are idle and those who are being answered the ones that are more: neither can push the other out. */
function leastMissed(places: ReadonlyMap<Socket | string, Place>): [Socket | string, Place] {
  const all = [...places];
  const idle = all.filter(([, { asking }]) => asking === 0);
  const busy = all.filter(([, { asking }]) => asking > 0);
  return (idle.length >= busy.length ? idle : busy)[0]!;
}
