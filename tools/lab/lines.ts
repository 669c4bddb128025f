/**
 * lines.js NAME ADDRESS PORT...: a server of lines, over TCP and UDP, on each port. It answers with its name, whom it sees, and
 * the line. The line `more` over TCP: bytes as fast as they are taken, until the client goes.
 */
import { createSocket } from "node:dgram";
import { createServer, type Socket } from "node:net";

const [name, at, ...ports] = process.argv.slice(2);
const BLOCK = Buffer.alloc(65_536, "kindred ");

/** An IPv4 client of a socket for both families. */
const plain = (address: string | undefined): string => (address ?? "").replace(/^::ffff:/, "");

function pour(socket: Socket): void {
  const more = (): void => {
    while (!socket.destroyed && socket.write(BLOCK)) {
      // As long as it takes it.
    }
  };
  socket.on("drain", more);
  more();
}

function serve(socket: Socket): void {
  const { remoteAddress } = socket;
  let rest = "";
  socket.setNoDelay(true).setEncoding("latin1");
  socket.on("error", () => socket.destroy());
  socket.on("data", (text) => {
    const lines = `${rest}${text}`.split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      if (line === "more") pour(socket);
      else socket.write(`${name} ${plain(remoteAddress)} ${line}\n`);
    }
  });
}

for (const port of ports) {
  createServer(serve).listen(Number(port), at);
  const udp = createSocket(at!.includes(":") ? "udp6" : "udp4");
  udp.on("message", (bytes, from) => {
    udp.send(`${name} ${plain(from.address)} ${bytes.toString("latin1")}`, from.port, from.address);
  });
  udp.bind(Number(port), at);
}
