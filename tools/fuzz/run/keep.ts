/** Findings as files: what was said as JSON, for a test, and as a capture. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Random } from "../generate/choices.ts";
import { checkDialogue } from "../properties/dialogue.ts";
import { type Finding, ftp } from "./campaign.ts";
import { captureOf } from "./capture.ts";
import { minimise } from "./minimise.ts";

const STREAMS = 3;
const FTP = 21;

/** The finding with as little said as shows it; as it is, where only the model knows that it is wrong. */
export function smallest(finding: Finding): Finding {
  if (finding.kind === "messages") return finding;
  const small = minimise(finding.dialogue, finding.property, (held) => {
    for (let i = 0; i < STREAMS; i++) {
      const found = checkDialogue(ftp, held, new Random(finding.seed, i));
      if (found !== null) return found;
    }
    return null;
  });
  return small === null ? finding : { ...finding, dialogue: small };
}

/** Writes `finding` into `folder` as NAME.json, and FTP as NAME.pcapng. Returns the name. */
export async function keep(finding: Finding, folder: string): Promise<string> {
  const { property, kind, seed, number, message, dialogue } = finding;
  const name = `${property}-${kind}-${seed}-${number}`;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${name}.json`), `${JSON.stringify(finding, null, 1)}\n`);
  if (kind === "messages") return name;
  await writeFile(join(folder, `${name}.pcapng`), captureOf(dialogue, FTP, `${property}: ${message}`));
  return name;
}
