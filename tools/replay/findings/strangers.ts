/** Datagrams on a helper's port that are another protocol's. */
import { endpointText } from "../../../core/units.ts";
import type { Flows } from "../flows.ts";
import { grouped } from "../grouped.ts";
import type { Stranger } from "../strangers.ts";
import { type Finding, finding, type Scene } from "./finding.ts";

export function* strangerFindings({ flows, strangers }: Scene): Generator<Finding> {
  const byPort = grouped(strangers, ({ helper, server }) => `${helper.name} ${server.port}`);
  for (const same of byPort.values()) yield strangerFinding(flows, same);
}

/** `same`: all of one helper's port. */
function strangerFinding(flows: Flows, same: readonly Stranger[]): Finding {
  const { helper, client, server } = same[0]!;
  const rows = same.map(({ row }) => row);
  const datagrams = rows.reduce((sum, row) => sum + flows.frames(row), 0);
  const more = same.length > 1 ? ` and ${same.length - 1} more flow${same.length > 2 ? "s" : ""}` : "";
  const message =
    `${datagrams} datagram${datagrams === 1 ? " does" : "s do"} not look like ${helper.name} on port ${server.port} ` +
    `(${endpointText(client)} -> ${endpointText(server)}${more}), and no control connection is made of that`;
  const frames = rows.map((row) => flows.firstFrame(row));
  return finding("port-of-another-protocol", "info", null, frames, message);
}
