import type { Ms } from "../core/units.ts";

/** The one clock of the live director: monotonic, so that a changed wall clock expires nothing. */
export const now = (): Ms => performance.now() as Ms;
