/** The known word that was probably meant. */

/** `word`'s nearest among `known`, or null when none is near: one slip, or one for every three letters. */
export function nearest(word: string, known: readonly string[]): string | null {
  let best: string | null = null;
  let bestSlips = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const slips = slipsBetween(word.toLowerCase(), candidate.toLowerCase(), bestSlips);
    if (slips < bestSlips) {
      best = candidate;
      bestSlips = slips;
    }
  }
  return best;
}

/**
 * Letters left out, put in, mistaken, and neighbours exchanged (optimal string alignment); `limit` where there are that
 * many or more.
 */
function slipsBetween(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let earlier: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      const exchanged = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const least = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (same ? 0 : 1));
      row.push(exchanged ? Math.min(least, earlier[j - 2]! + 1) : least);
    }
    earlier = above;
    above = row;
  }
  return above[b.length]!;
}
