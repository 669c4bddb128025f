/**
 * Clients of one host, each with a transfer that is checked.
 *
 *   clients VIP PORT FIRST COUNT [loopback]     of transfers FIRST and on; `loopback`: each comes from an address of its own
 *   stdout: "begun N", when all that can be are;  "failed ID: WHY";  "over", when the last has ended
 */
import { Transfer } from "./client.ts";

/** Transfers that are begun at once. */
const AT_ONCE = 16;

const [vip = "", port = "", first = "", count = "", where] = process.argv.slice(2);
const last = Number(first) + Number(count);

/** Of transfer `n` on loopback, where the director needs no two of one client's. */
const addressOf = (n: number): string => `127.1.${n >> 8}.${n & 255 || 1}`;

async function begin(n: number): Promise<Transfer | null> {
  try {
    return await Transfer.begin(`t${n}`, vip, Number(port), where === "loopback" ? addressOf(n) : undefined);
  } catch (error) {
    console.log(`failed t${n}: not begun: ${(error as Error).message}`);
    return null;
  }
}

let next = Number(first);
const running: Promise<void>[] = [];

async function lane(): Promise<void> {
  for (let n = next++; n < last; n = next++) {
    const transfer = await begin(n);
    if (transfer === null) continue;
    running.push(
      transfer.over.then((failure) => {
        if (failure !== null) console.log(`failed t${n}: ${failure}`);
      }),
    );
  }
}

await Promise.all(Array.from({ length: AT_ONCE }, lane));
console.log(`begun ${running.length}`);
await Promise.all(running);
console.log("over");
