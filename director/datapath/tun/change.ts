/** What a director changes of its host, as data: printed, made (host.ts) and taken back. */
export type Change =
  /** Arguments of ip(8), and those that take it back; null: it goes with the device. */
  | { readonly ip: readonly string[]; readonly undo: readonly string[] | null }
  /**
   * A script for nft(8), and the one that takes it back. This stays in place when a director was killed and the next one
   * makes the same change: connections depend on it that the kernel still has.
   */
  | { readonly nft: string; readonly undo: string }
  /** A setting below /proc/sys. */
  | { readonly setting: string; readonly value: string };

/** As one would type it. */
export function changeText(change: Change): string {
  if ("ip" in change) return `ip ${change.ip.join(" ")}`;
  return "nft" in change ? `nft '${change.nft}'` : `sysctl -w ${change.setting}=${change.value}`;
}
