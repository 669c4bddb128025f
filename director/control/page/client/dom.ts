/**
 * The page's script is these functions as they are compiled (`script.ts` puts their text into the page), so each may
 * use its arguments, the others and the browser, and nothing else of this program. Text reaches the page by
 * `textContent` alone. What is shown is changed in place: whoever reads or types there is not disturbed.
 */

export interface Column<T> {
  readonly title: string;
  readonly number?: boolean;
  readonly text: (item: T) => string;
}

export function make(tag: string, className = "", text = ""): HTMLElement {
  const element = document.createElement(tag);
  if (className !== "") element.className = className;
  if (text !== "") element.textContent = text;
  return element;
}

export function within(parent: HTMLElement, ...children: readonly HTMLElement[]): HTMLElement {
  parent.append(...children);
  return parent;
}

/** Does nothing where it says so already. */
export function say(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function pressable(text: string, label: string, act: () => void): HTMLButtonElement {
  const element = make("button", "", text) as HTMLButtonElement;
  element.type = "button";
  if (label !== "") element.setAttribute("aria-label", label);
  element.addEventListener("click", act);
  return element;
}

/** An element for each item, the same one for as long as the item's key is there; of the same keys, in their order. */
export function keyed<T>(
  parent: HTMLElement,
  items: readonly T[],
  keyOf: (item: T) => string,
  build: (item: T) => HTMLElement,
  update: (element: HTMLElement, item: T) => void,
): void {
  const before = new Map([...parent.children].map((one) => [(one as HTMLElement).dataset["key"], one as HTMLElement]));
  const times = new Map<string, number>();
  let place: Element | null = parent.firstElementChild;
  for (const item of items) {
    const time = times.get(keyOf(item)) ?? 0;
    times.set(keyOf(item), time + 1);
    const key = `${keyOf(item)} ${time}`;
    const known = before.get(key);
    const element = known ?? build(item);
    before.delete(key);
    element.dataset["key"] = key;
    update(element, item);
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  for (const element of before.values()) element.remove();
}

/** `actions`: what stands in a last column of each row. */
export function liveTable<T>(
  caption: string,
  columns: readonly Column<T>[],
  keyOf: (item: T) => string,
  actions: ((item: T) => HTMLElement) | null = null,
): { readonly root: HTMLElement; readonly show: (items: readonly T[]) => void } {
  const head = make("tr");
  for (const { title, number } of columns) {
    const cell = make("th", number === true ? "number" : "", title);
    cell.setAttribute("scope", "col");
    head.append(cell);
  }
  if (actions !== null) {
    const cell = make("th", "actions", "Actions");
    cell.setAttribute("scope", "col");
    head.append(cell);
  }
  const body = make("tbody");
  const table = within(make("table"), make("caption", "", caption), within(make("thead"), head), body);
  const empty = make("p", "empty", "None.");
  const scroll = within(make("div", "scroll"), table);
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", caption);
  const build = (item: T): HTMLElement => {
    const row = make("tr");
    for (const [index, { number }] of columns.entries()) {
      const cell = make(index === 0 ? "th" : "td", number === true ? "number" : "");
      if (index === 0) cell.setAttribute("scope", "row");
      row.append(cell);
    }
    if (actions !== null) row.append(within(make("td", "actions"), actions(item)));
    return row;
  };
  const update = (row: HTMLElement, item: T): void => {
    for (const [index, { text }] of columns.entries()) say(row.children[index] as HTMLElement, text(item));
  };
  const show = (items: readonly T[]): void => {
    keyed(body, items, keyOf, build, update);
    empty.hidden = items.length > 0;
    scroll.hidden = items.length === 0;
  };
  return { root: within(make("div"), empty, scroll), show };
}
