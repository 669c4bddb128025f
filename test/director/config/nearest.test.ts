import t from "tap";
import { nearest } from "../../../director/config/nearest.ts";

const known = ["scheduler", "persistence", "persistenceNetmask", "ports", "wlc", "wrr", "rr"];
const words: [word: string, meant: string | null][] = [
  ["schedular", "scheduler"],
  ["sheduler", "scheduler"],
  ["schedulre", "scheduler"],
  ["Scheduler", "scheduler"],
  ["port", "ports"],
  ["prots", "ports"],
  ["persistance", "persistence"],
  ["persistencenetmask", "persistenceNetmask"],
  ["wlcc", "wlc"],
  ["wcl", "wlc"],
  ["rrr", "wrr"],
  ["colour", null],
  ["weight", null],
  ["x", null],
  ["", null],
];
for (const [word, meant] of words) {
  t.test(
    `${JSON.stringify(word)} was ${meant === null ? "nothing known" : `probably meant to be ${meant}`}`,
    async (t) => {
      t.equal(nearest(word, known), meant);
    },
  );
}
