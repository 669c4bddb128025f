/** FTP transfers held in their middle, by clients that wait until they are told to go on. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { digest } from "./files.ts";
import type { FtpFolders } from "./ftp-servers.ts";
import type { Running } from "./process.ts";
import type { Host } from "./topology.ts";

const FILE = "file.bin";
const SIZE = 512 * 1024;

/** Sessions that have each begun a transfer, wait with it until they are told to go on, and then make another one. */
const HOLD = `
import ftplib, hashlib, socket, sys, threading
vip, count = sys.argv[1], int(sys.argv[2])
go, held, lock, good = threading.Event(), 0, threading.Lock(), 0
def fetch(ftp, hold):
    global held
    host, port = ftp.makepasv()
    data = socket.socket()
    data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    data.settimeout(60)
    data.connect((vip, port))
    ftp.sendcmd("RETR files/${FILE}")
    digest = hashlib.sha256(data.recv(1000))
    if hold:
        with lock:
            held += 1
            if held == count: print("held", flush=True)
        go.wait()
    while block := data.recv(65536): digest.update(block)
    data.close()
    ftp.voidresp()
    return digest.hexdigest() == sys.argv[3]
def session():
    global good
    with ftplib.FTP(vip, timeout=60) as ftp:
        ftp.login()
        for hold in (True, False):
            if fetch(ftp, hold):
                with lock: good += 1
threads = [threading.Thread(target=session) for _ in range(count)]
for thread in threads: thread.start()
sys.stdin.readline()
go.set()
for thread in threads: thread.join()
print("good", good, flush=True)
`;

export class HeldTransfers {
  /** How many there are. */
  readonly count: number;
  readonly #clients: readonly Running[];

  private constructor(clients: readonly Running[], count: number) {
    this.#clients = clients;
    this.count = count;
  }

  /** `sessions` of each client, each in the middle of its first transfer. */
  static async begin(
    clients: readonly Host[],
    vip: string,
    { files }: FtpFolders,
    sessions: number,
  ): Promise<HeldTransfers> {
    writeFileSync(join(files, FILE), randomBytes(SIZE));
    const options = [vip, String(sessions), digest(files, FILE)];
    const started = clients.map((client) => client.start(["python3", "-c", HOLD, ...options]));
    for (const client of started)
      await client.until(() => client.stdout.includes("held"), "in the middle of transfers");
    return new HeldTransfers(started, sessions * clients.length);
  }

  /** All go on to their end, and each session makes one more: how many of both arrived as they were sent. */
  async goOn(): Promise<number> {
    for (const client of this.#clients) client.write("go\n");
    for (const client of this.#clients) await client.until(() => client.stdout.includes("good"), "done");
    return this.#clients.reduce((sum, { stdout }) => sum + Number(/good (\d+)/.exec(stdout)![1]), 0);
  }
}
