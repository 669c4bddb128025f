import { setTimeout as sleep } from "node:timers/promises";

/** Generous, since a busy machine is no failure. */
const PATIENCE = 60_000;

/** Asks until the answer `holds`; the last answer, whether it does or not. */
export async function settled<T>(ask: () => Promise<T>, holds: (answer: T) => boolean): Promise<T> {
  const deadline = Date.now() + PATIENCE;
  let answer = await ask();
  while (!holds(answer) && Date.now() < deadline) {
    await sleep(50);
    answer = await ask();
  }
  return answer;
}
