/** One transfer through the director, which notices everything that is lost, changed or cut. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export class Transfer {
  /** What went wrong; null: nothing has. */
  failure: string | null = null;
  readonly over: Promise<void>;
  readonly #id: string;
  #lines = 0;
  #text = "";

  private constructor(id: string, data: Socket) {
    this.#id = id;
    this.over = new Promise((resolve) => {
      data
        .setEncoding("latin1")
        .on("data", (text: string) => this.#read(text))
        .on("error", (error) => this.#fail(error.message))
        .on("close", () => {
          if (this.#lines >= 0) this.#fail("cut before its last line");
          resolve();
        });
    });
  }

  static async begin(id: string, vip: string, port: number, localAddress: string): Promise<Transfer> {
    const control = connect({ host: vip, port, localAddress });
    control.on("error", () => {});
    const say = async (line: string | null, code: string): Promise<string> => {
      if (line !== null) control.write(`${line}\r\n`);
      const [reply] = await once(control, "data");
      if (String(reply).startsWith(code)) return String(reply);
      throw new Error(`${line}: ${reply}`);
    };
    await say(null, "220");
    const numbers = /\((\d+,\d+,\d+,\d+),(\d+),(\d+)\)/.exec(await say("PASV", "227"))!;
    const data = connect({
      host: numbers[1]!.replaceAll(",", "."),
      port: Number(numbers[2]) * 256 + Number(numbers[3]),
      localAddress,
    });
    await once(data, "connect");
    const transfer = new Transfer(id, data);
    await say(`RETR ${id}`, "150");
    void transfer.over.then(() => control.destroy());
    return transfer;
  }

  /** `id 0`, `id 1`, …, `id end n`. */
  #read(text: string): void {
    const lines = (this.#text + text).split("\n");
    this.#text = lines.pop()!;
    for (const line of lines) {
      if (line === `${this.#id} ${this.#lines}`) this.#lines++;
      else if (line === `${this.#id} end ${this.#lines}`) this.#lines = -1;
      else this.#fail(`"${line}" where line ${this.#lines} was due`);
    }
  }

  #fail(why: string): void {
    this.failure ??= why;
  }
}
