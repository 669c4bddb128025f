import { add, el } from "./dom.ts";

export interface Column<T> {
  readonly title: string;
  /** What the column is sorted and searched by. */
  readonly value: (row: T) => string | number;
  /** What is shown, if that is another text, or an element. */
  readonly show?: (row: T) => string | HTMLElement;
  readonly className?: string;
}

export interface Table {
  readonly root: HTMLElement;
  /** Shows the rows that match and says how many. */
  filter(matches: (text: string) => boolean): number;
  /** Marks this row. */
  select(index: number): void;
}

/** A table that is sorted by a click on a heading; `pick` makes its rows into choices. */
export function makeTable<T>(
  label: string,
  columns: readonly Column<T>[],
  rows: readonly T[],
  pick?: (row: T, index: number) => void,
): Table {
  const body = el("tbody");
  const elements = rows.map((row, index) => rowElement(columns, row, index, pick));
  const texts = rows.map((row) =>
    columns
      .map(({ value }) => String(value(row)))
      .join(" ")
      .toLowerCase(),
  );
  const order = rows.map((_row, index) => index);
  const table = add(
    el("table"),
    heading(columns, (column, down) => sort(column, down)),
    body,
  );
  table.setAttribute("aria-label", label);
  const empty = el("p", "empty", rows.length === 0 ? "There are none." : "Nothing matches.");
  let shown: (text: string) => boolean = () => true;
  const draw = (): number => {
    const visible = order.filter((index) => shown(texts[index]!));
    body.replaceChildren(...visible.map((index) => elements[index]!));
    empty.hidden = visible.length > 0;
    return visible.length;
  };
  const sort = (column: Column<T>, down: boolean): void => {
    const by = (index: number) => column.value(rows[index]!);
    order.sort((one, other) => (compare(by(one), by(other)) || one - other) * (down ? -1 : 1));
    draw();
  };
  draw();
  return {
    root: add(el("div", "scroll"), table, empty),
    filter(matches) {
      shown = matches;
      return draw();
    },
    select(index) {
      for (const [at, element] of elements.entries()) element.setAttribute("aria-selected", String(at === index));
    },
  };
}

export function compare(one: string | number, other: string | number): number {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other), "en", { numeric: true });
}

export function heading<T>(
  columns: readonly Column<T>[],
  sort: (column: Column<T>, down: boolean) => void,
): HTMLElement {
  const row = el("tr");
  for (const column of columns) {
    const cell = el("th", column.className ?? "");
    const press = el("button", "sort", column.title);
    press.addEventListener("click", () => {
      const down = cell.getAttribute("aria-sort") === "ascending";
      for (const other of row.children) other.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", down ? "descending" : "ascending");
      sort(column, down);
    });
    row.append(add(cell, press));
  }
  return add(el("thead"), row);
}

export function rowElement<T>(
  columns: readonly Column<T>[],
  row: T,
  index: number,
  pick: ((row: T, index: number) => void) | undefined,
): HTMLElement {
  const element = el("tr");
  for (const { value, show, className } of columns) {
    const shown = show === undefined ? String(value(row)) : show(row);
    const cell = el("td", className ?? "", typeof shown === "string" ? shown : "");
    if (typeof shown !== "string") cell.append(shown);
    element.append(cell);
  }
  if (pick === undefined) return element;
  element.className = "choice";
  element.tabIndex = 0;
  element.addEventListener("click", () => pick(row, index));
  element.addEventListener("keydown", (event) => rowKey(event as KeyboardEvent, element, () => pick(row, index)));
  return element;
}

/** Enter and space choose, the arrows move. */
export function rowKey(event: KeyboardEvent, row: HTMLElement, choose: () => void): void {
  const next = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling }[event.key];
  if (event.key === "Enter" || event.key === " ") choose();
  else if (next instanceof HTMLElement) next.focus();
  else return;
  event.preventDefault();
}
