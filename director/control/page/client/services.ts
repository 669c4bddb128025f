import type { RealserverState, ServiceState, WayCounts } from "../../operated.ts";
import { keyed, liveTable, make, pressable, say, within } from "./dom.ts";

/** What is asked of a realserver: `path` is below its own. */
export type Act = (service: string, realserver: string, method: string, path: string, body?: unknown) => void;

interface Row extends RealserverState {
  readonly rate: string;
}

/** A table for each service. */
export function serviceTables(act: Act) {
  const root = make("div", "services");
  const shown = new WeakMap<HTMLElement, (rows: readonly Row[]) => void>();
  const rates = new Map<string, { readonly at: number; readonly flows: number }>();
  const build = ({ name, realservers }: ServiceState): HTMLElement => {
    const counted = realservers.some(({ traffic }) => traffic !== undefined);
    const table = serviceTable(name, act, counted);
    const element = within(make("article"), make("h3"), table.root);
    shown.set(element, table.show);
    return element;
  };
  const update =
    (at: number) =>
    (element: HTMLElement, service: ServiceState): void => {
      const { name, vip, ports, helper, scheduler, removed } = service;
      const read = helper === null ? "" : `, read by ${helper}`;
      say(
        element.querySelector("h3")!,
        `${name}: ${vip} ${ports.join(" ")}${read}, ${scheduler}${removed ? ", removed" : ""}`,
      );
      shown.get(element)!(service.realservers.map((one) => ({ ...one, rate: change(rates, name, one, at) })));
    };
  const show = (services: readonly ServiceState[], at: number): void =>
    keyed(root, services, ({ name, removed }) => `${name} ${removed}`, build, update(at));
  return { root, show };
}

/** How its open flows grow or shrink a second. */
export function change(
  rates: Map<string, { readonly at: number; readonly flows: number }>,
  service: string,
  { realserver, flows: { control, related, data, plain } }: RealserverState,
  at: number,
): string {
  const key = `${service} ${realserver}`;
  const flows = control + related + data + plain;
  const before = rates.get(key) ?? { at: at - 1, flows };
  rates.set(key, { at, flows });
  const rate = (flows - before.flows) / Math.max(0.1, at - before.at);
  return `${rate > 0 ? "+" : ""}${rate.toFixed(1)}`;
}

export function ways(counts: WayCounts | undefined): string {
  return counts === undefined ? "" : `${counts.original}, ${counts.reply}`;
}

/** `counted`: packets are; the socket path counts none. */
export function serviceTable(service: string, act: Act, counted: boolean) {
  const count = (title: string, text: (row: Row) => string | number) => ({
    title,
    number: true,
    text: (row: Row) => String(text(row)),
  });
  const columns = [
    { title: "Realserver", text: ({ realserver }: Row) => realserver },
    { title: "State", text: ({ condition, sorry }: Row) => `${condition}${sorry ? ", sorry server" : ""}` },
    count("Weight", ({ weight }) => weight),
    count("Active", ({ active }) => active),
    count("Inactive", ({ inactive }) => inactive),
    count("Control", ({ flows }) => flows.control),
    count("Related", ({ flows }) => flows.related),
    count("Data", ({ flows }) => flows.data),
    count("Plain", ({ flows }) => flows.plain),
    count("Change a second", ({ rate }) => rate),
  ];
  const traffic = [
    count("Packets in, out", ({ traffic }) => ways(traffic?.packets)),
    count("Bytes in, out", ({ traffic }) => ways(traffic?.bytes)),
  ];
  const key = ({ realserver, condition }: Row): string => `${realserver} ${condition === "removed"}`;
  const all = counted ? [...columns, ...traffic] : columns;
  return liveTable<Row>(`Realservers of ${service}`, all, key, (row) => actions(service, row, act));
}

export function actions(service: string, { realserver, weight }: RealserverState, act: Act): HTMLElement {
  const field = make("input") as HTMLInputElement;
  field.type = "number";
  field.min = "0";
  field.max = "65535";
  field.value = String(weight);
  field.setAttribute("aria-label", `New weight of ${realserver}`);
  const set = (): void => act(service, realserver, "PATCH", "", { weight: Number(field.value) });
  const buttons = [
    pressable("Set weight", `Set weight of ${realserver}`, set),
    pressable("Drain", `Drain ${realserver}`, () => act(service, realserver, "POST", "/drain")),
  ];
  return within(make("div", "act"), field, ...buttons);
}
