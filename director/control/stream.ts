/** Events as lines for one who watches. Who reads too slowly misses some, and is told how many. */
import type { Event, Events } from "./events.ts";

/** Lines that may wait for their reader. */
const MOST_WAITING = 10_000;

export function eventLines(events: Events): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const line = (value: unknown): Uint8Array => encoder.encode(`${JSON.stringify(value)}\n`);
  let stop = (): void => {};
  let missed = 0;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        // At once, so that who watches knows that nothing is missed from here on.
        controller.enqueue(line({ time: new Date().toISOString(), level: "info", event: "watching" }));
        stop = events.watch((event: Event) => {
          if ((controller.desiredSize ?? 0) <= 0) {
            missed++;
            return;
          }
          if (missed > 0) controller.enqueue(line({ time: event.time, level: "warn", event: "missed", count: missed }));
          missed = 0;
          controller.enqueue(line(event));
        });
      },
      cancel() {
        stop();
      },
    },
    new CountQueuingStrategy({ highWaterMark: MOST_WAITING }),
  );
}
