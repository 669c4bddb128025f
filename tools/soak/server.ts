/**
 * A realserver of transfers that last as long as the test wants: each sends numbered lines until it is told to end.
 *
 *   server ADDRESS PORT EVERY     a line of each transfer in EVERY milliseconds; port 0: the kernel's choice
 *   stdout: "listening PORT"      stdin: "finish", and every transfer sends its last line
 */
import { createServer, type Server, type Socket } from "node:net";

/** So often some of the transfers say their line: all at once would be more than queues bear. */
const TICK = 50;

interface Transfer {
  readonly id: string;
  readonly data: Socket;
  lines: number;
}

const [address = "", wanted = "", every = ""] = process.argv.slice(2);
const turns: Set<Transfer>[] = Array.from({ length: Math.max(1, Math.round(Number(every) / TICK)) }, () => new Set());
let begun = 0;
let ticks = 0;
let finishing = false;

function transfer(id: string, data: Socket, control: Socket): void {
  const turn = turns[begun++ % turns.length]!;
  const one = { id, data, lines: 0 };
  turn.add(one);
  data.on("close", () => {
    turn.delete(one);
    control.write("226 done\r\n");
  });
}

function greet(control: Socket): void {
  control.on("error", () => {}).write("220 soak\r\n");
  let data: Socket | null = null;
  let wanted: string | null = null;
  const begin = (): void => {
    if (data !== null && wanted !== null) transfer(wanted, data, control);
  };
  control.on("data", (bytes: Buffer) => {
    const line = bytes.toString("latin1").trim();
    if (line === "PASV") {
      passive(control, (socket) => {
        data = socket;
        begin();
      });
    } else if (line.startsWith("RETR ")) {
      wanted = line.slice(5);
      control.write("150 here\r\n");
      begin();
    } else control.end("221 bye\r\n");
  });
}

/** Waits for one data connection. */
function passive(control: Socket, came: (data: Socket) => void): void {
  const server: Server = createServer((socket) => {
    server.close();
    came(socket.on("error", () => {}).resume());
  });
  server.listen(0, address, () => {
    const { port } = server.address() as { port: number };
    control.write(`227 (${address.replaceAll(".", ",")},${port >> 8},${port & 255})\r\n`);
  });
}

function say({ id, data, lines }: Transfer): void {
  if (finishing) data.end(`${id} end ${lines}\n`);
  else data.write(`${id} ${lines}\n`);
}

setInterval(() => {
  const turn = turns[ticks++ % turns.length]!;
  for (const one of turn) {
    say(one);
    one.lines++;
    if (finishing) turn.delete(one);
  }
}, TICK);

process.stdin.on("data", () => {
  finishing = true;
});

const server = createServer(greet);
server.listen({ host: address, port: Number(wanted), backlog: 4096 }, () =>
  console.log(`listening ${(server.address() as { port: number }).port}`),
);
