/**
 * The page's script is these functions as they are compiled (`script.ts` puts their text into the page), so each may
 * use its arguments, the others and the browser, and nothing else of this program. Text reaches the page by
 * `textContent` alone.
 */

export function el(tag: string, className = "", text = ""): HTMLElement {
  const element = document.createElement(tag);
  if (className !== "") element.className = className;
  if (text !== "") element.textContent = text;
  return element;
}

export function add(parent: HTMLElement, ...children: readonly HTMLElement[]): HTMLElement {
  parent.append(...children);
  return parent;
}

export function button(className: string, text: string, act: () => void): HTMLButtonElement {
  const element = el("button", className, text) as HTMLButtonElement;
  element.type = "button";
  element.addEventListener("click", act);
  return element;
}

/** Seconds behind the first packet. */
export function offsetText(seconds: number): string {
  if (seconds < 1) return `${(seconds * 1000).toFixed(1)} ms`;
  if (seconds < 600) return `${seconds.toFixed(3)} s`;
  if (seconds < 7200) return `${(seconds / 60).toFixed(1)} min`;
  return seconds < 172_800 ? `${(seconds / 3600).toFixed(1)} h` : `${(seconds / 86_400).toFixed(1)} d`;
}

export function sizeText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = bytes < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

export function plural(n: number, unit: string): string {
  return `${n.toLocaleString("en")} ${unit}${n === 1 ? "" : "s"}`;
}

/** A word in a coloured box: a severity, a state, a verdict. */
export function badge(kind: string, text: string): HTMLElement {
  return el("span", `badge ${kind}`, text);
}
