/** Who answers for a VIP on the link. */
import type { ArpAnswer } from "../facts.ts";
import { type Finding, finding } from "../finding.ts";
import { type Scene, servedBy, vipsOf } from "../scene.ts";

export function* neighbourFindings(scene: Scene): Generator<Finding> {
  for (const vip of vipsOf(scene.services)) {
    const answers = distinct(scene.facts.answers.get(String(vip)) ?? []);
    // To the director itself nobody may answer; elsewhere one may, and that is the director.
    const most = scene.role === "director" ? 0 : 1;
    if (answers.length <= most) continue;
    const who = answers.map((answer) => `${answer.hardware}${named(answer, scene)}`).join(", ");
    const where = [...new Set(answers.map(({ device }) => device))].join(", ");
    const what =
      scene.role === "director" ? `others answer for ${vip}: ${who}` : `${answers.length} answer for ${vip}: ${who}`;
    yield finding("vip-taken", "error", where, what);
  }
}

const distinct = (answers: readonly ArpAnswer[]): ArpAnswer[] =>
  answers.filter(({ hardware }, i) => answers.findIndex((other) => other.hardware === hardware) === i);

/** The realserver that has this hardware address, where one answered for its own. */
function named({ hardware }: ArpAnswer, { facts, services }: Scene): string {
  const found = servedBy(services).find(({ realserver }) =>
    facts.answers.get(String(realserver.address))?.some((answer) => answer.hardware === hardware),
  );
  return found === undefined ? "" : ` (realserver ${found.realserver.address})`;
}
