/** One transfer through the director, which notices everything that is lost, changed or cut. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** A transfer that says nothing for so long stands still for good. */
const SILENCE = 120_000;

export class Transfer {
  /** What went wrong, when all is over; null: nothing. */
  readonly over: Promise<string | null>;
  readonly #id: string;
  #failure: string | null = null;
  #lines = 0;
  #text = "";

  private constructor(id: string, control: Socket, data: Socket) {
    this.#id = id;
    control.on("close", () => this.#fail("its control connection was cut"));
    this.over = new Promise((resolve) => {
      data
        .setEncoding("latin1")
        .setTimeout(SILENCE, () => data.destroy(new Error(`silent for ${SILENCE / 1000} s`)))
        .on("data", (text: string) => this.#read(text))
        .on("error", (error) => this.#fail(error.message))
        .on("close", () => {
          if (this.#lines >= 0) this.#fail("cut before its last line");
          resolve(this.#failure);
        });
    });
  }

  /** `localAddress`: where it comes from; without, the kernel's choice. */
  static async begin(id: string, vip: string, port: number, localAddress?: string): Promise<Transfer> {
    const from = localAddress === undefined ? {} : { localAddress };
    const control = connect({ host: vip, port, ...from });
    control.on("error", () => {}).on("end", () => control.destroy(new Error("the control connection ended")));
    const say = async (line: string | null, code: string): Promise<string> => {
      if (line !== null) control.write(`${line}\r\n`);
      const [reply] = await once(control, "data");
      if (String(reply).startsWith(code)) return String(reply);
      throw new Error(`${line}: ${reply}`);
    };
    await say(null, "220");
    const numbers = /\((\d+,\d+,\d+,\d+),(\d+),(\d+)\)/.exec(await say("PASV", "227"))!;
    const host = numbers[1]!.replaceAll(",", ".");
    const data = connect({ host, port: Number(numbers[2]) * 256 + Number(numbers[3]), ...from });
    await once(data, "connect");
    const transfer = new Transfer(id, control, data);
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
    this.#failure ??= why;
  }
}
