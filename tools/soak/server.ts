/**
 * A realserver of transfers that last as long as the test wants: each sends numbered lines until it is told to end, in
 * a process of its own, since a transfer costs it two of its open files.
 *
 *   parent -> { listen: address }    -> { port }
 *   parent -> { finish: true }       every transfer sends its last line
 */
import { createServer, type Server, type Socket } from "node:net";

const EVERY = 500;
const transfers = new Map<Socket, { readonly id: string; lines: number }>();
let finishing = false;

function greet(control: Socket, address: string): void {
  control.on("error", () => {});
  control.write("220 soak\r\n");
  let passive: Server | null = null;
  let data: Socket | null = null;
  let wanted: string | null = null;
  const begin = (): void => {
    if (data === null || wanted === null) return;
    transfers.set(data, { id: wanted, lines: 0 });
    data.on("close", () => control.write("226 done\r\n"));
  };
  control.on("data", (bytes: Buffer) => {
    const line = bytes.toString("latin1").trim();
    if (line === "PASV") {
      passive = createServer((socket) => {
        passive?.close();
        data = socket.on("error", () => {}).resume();
        begin();
      });
      passive.listen(0, address, () => {
        const { port } = passive!.address() as { port: number };
        control.write(`227 (${address.replaceAll(".", ",")},${port >> 8},${port & 255})\r\n`);
      });
    } else if (line.startsWith("RETR ")) {
      wanted = line.slice(5);
      control.write("150 here\r\n");
      begin();
    } else control.end("221 bye\r\n");
  });
}

setInterval(() => {
  for (const [socket, transfer] of transfers) {
    if (!finishing) socket.write(`${transfer.id} ${transfer.lines++}\n`);
    else {
      socket.end(`${transfer.id} end ${transfer.lines}\n`);
      transfers.delete(socket);
    }
  }
}, EVERY);

process.on("message", ({ listen }: { listen?: string }) => {
  if (listen === undefined) {
    finishing = true;
    return;
  }
  const server = createServer((control) => greet(control, listen));
  server.listen({ host: listen, port: 0, backlog: 4096 }, () => process.send?.(server.address()));
});
process.on("disconnect", () => process.exit());
