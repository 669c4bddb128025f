import type { Event } from "../../events.ts";
import type { TemplateState } from "../../operated.ts";
import { type Client, type Moment, moment, send } from "./api.ts";
import { charts } from "./charts.ts";
import { liveTable, make, say, within } from "./dom.ts";
import { type Act, serviceTables } from "./services.ts";
import { connectionTree } from "./tree.ts";

export function start(): void {
  const client: Client = { token: "" };
  const act: Act = (service, realserver, method, path, body) => {
    const at = `/v1/services/${encodeURIComponent(service)}/realservers/${encodeURIComponent(realserver)}${path}`;
    send(client, method, at, body).then(
      (plan) => tell("notice", ((plan as { changes?: string[] }).changes ?? []).join("; ") || "nothing changes"),
      (error: Error) => tell("notice", `Not done: ${error.message}`),
    );
  };
  const show = sections(act);
  const poll = async (): Promise<void> => {
    try {
      if (!document.hidden && !paused()) show(await moment(client));
      tell("state", paused() ? "paused" : "live");
    } catch (error) {
      tell("state", (error as Error).message);
    }
  };
  const again = (): void => void poll().then(() => setTimeout(again, 2000));
  tokenForm(client, () => void poll());
  themeSwitch();
  again();
}

export function tell(id: string, text: string): void {
  say(document.getElementById(id)!, text);
}

export function paused(): boolean {
  return document.getElementById("pause")!.getAttribute("aria-pressed") === "true";
}

export function sections(act: Act): (now: Moment) => void {
  const main = document.querySelector("main")!;
  const section = (id: string, title: string, content: HTMLElement): void => {
    const heading = make("h2", "", title);
    heading.id = `${id}-title`;
    const element = within(make("section"), heading, content);
    element.id = id;
    element.setAttribute("aria-labelledby", heading.id);
    main.append(element);
  };
  const [drawn, tables, tree] = [charts(), serviceTables(act), connectionTree()];
  const refusals = refusalTable();
  const groups = groupTable();
  section("services", "Services", tables.root);
  section("charts", "Rates", drawn.root);
  section("connections", "Connections", tree.root);
  section("refusals", "Refusals", refusals.root);
  section("groups", "Groups", groups.root);
  document.getElementById("theme")!.addEventListener("click", () => setTimeout(drawn.redraw));
  return (now) => {
    const {
      path,
      pid,
      since,
      waiting = 0,
    } = now.status as { path: string; pid: number; since: string; waiting?: number };
    const wait = waiting === 0 ? "" : `, ${waiting} clients wait for their turn`;
    tell("about", `path ${path}, pid ${pid}, since ${since}${wait}`);
    tables.show(now.services, now.at);
    drawn.show(now);
    tree.show(now);
    refusals.show(now.refusals);
    groups.show(now.groups.items);
  };
}

export function refusalTable() {
  const field = (name: string) => (event: Event) => String(event[name] ?? "");
  const columns = [
    { title: "Time", text: field("time") },
    { title: "What", text: field("event") },
    { title: "Reason", text: field("reason") },
    { title: "Message", text: field("message") },
    { title: "Client", text: field("client") },
    { title: "Realserver", text: field("realserver") },
  ];
  return liveTable<Event>("The last refusals", columns, (event) => JSON.stringify(event));
}

export function groupTable() {
  const columns = [
    { title: "Client", text: ({ client }: TemplateState) => client },
    { title: "Service", text: ({ service }: TemplateState) => service },
    { title: "Realserver", text: ({ realserver }: TemplateState) => realserver },
    { title: "Connections", number: true, text: ({ active }: TemplateState) => String(active) },
    { title: "Left", number: true, text: ({ expires }: TemplateState) => `${Math.ceil(expires / 1000)} s` },
  ];
  return liveTable<TemplateState>("Port groups", columns, ({ client, service }) => `${service} ${client}`);
}

/** The token is in `client` only: no storage, no cookie, no address. */
export function tokenForm(client: Client, changed: () => void): void {
  const field = document.getElementById("token") as HTMLInputElement;
  const known = (): void => {
    document.body.classList.toggle("may", client.token !== "");
    field.value = "";
    changed();
  };
  document.getElementById("access")!.addEventListener("submit", (event) => {
    event.preventDefault();
    client.token = field.value.trim();
    tell("notice", client.token === "" ? "" : "The token is kept until this page is closed.");
    known();
  });
  document.getElementById("forget")!.addEventListener("click", () => {
    client.token = "";
    tell("notice", "The token is forgotten.");
    known();
  });
  const pause = document.getElementById("pause")!;
  pause.addEventListener("click", () => {
    pause.setAttribute("aria-pressed", String(!paused()));
    changed();
  });
}

export function themeSwitch(): void {
  document.getElementById("theme")!.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset["theme"] ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    root.dataset["theme"] = dark === "dark" ? "light" : "dark";
  });
}
