/**
 * The development set of captures, which stands beside the checkout (../shared/captures) and not in it. Where it is
 * absent its tests are skipped by name.
 */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { ROOT } from "./root.ts";

const FOLDER = resolve(ROOT, "..", "shared", "captures");

/** A line of INDEX.json. */
export interface CaptureEntry {
  readonly file: string;
  readonly truth: string;
  readonly truth_level: "full" | "container" | "robustness";
  readonly protocols: readonly string[];
  readonly packets: number;
}

/** What a truth file says of connections and of the file itself; its README explains each field. */
export interface Truth {
  readonly packets: number;
  readonly oracle_check?: {
    /** What the Linux kernel's own helpers expected; the list may be cut short of its total. */
    readonly kernel_expectations?: readonly {
      readonly from_ip: string;
      readonly to_ip: string;
      readonly to_port: number;
      readonly helper: string;
    }[];
    readonly kernel_expectations_total?: number;
  };
  readonly summary: { readonly tcp_flows: number; readonly udp_flows: number };
  readonly control_connections?: readonly {
    readonly id: number;
    readonly client: string;
    readonly cport: number;
    readonly server: string;
    readonly sport: number;
    readonly helper: string;
  }[];
  readonly related?: readonly {
    readonly cid: number;
    readonly by_frame: number;
    readonly kind: string;
    readonly from_ip: string;
    readonly from_port: number | "*";
    readonly to_ip: string;
    readonly to_port: number;
    readonly state: string;
    readonly observed: boolean;
  }[];
  readonly radius?: {
    readonly pairs: readonly (readonly [request: number, reply: number, requestCode: number, replyCode: number])[];
    readonly unanswered: readonly number[];
    readonly duplicates: readonly (readonly [frame: number, first: number])[];
    readonly orphan_responses: readonly number[];
  };
}

/** Why there are no captures to test with, or false. For tap's `skip`. */
export const capturesMissing: string | false = existsSync(join(FOLDER, "INDEX.json"))
  ? false
  : "../shared/captures is absent";

export const captureEntries = (): CaptureEntry[] =>
  capturesMissing ? [] : JSON.parse(readFileSync(join(FOLDER, "INDEX.json"), "utf8"));

export const captureName = ({ file }: CaptureEntry): string => file.slice(file.lastIndexOf("/") + 1);
export const capturePath = ({ file }: CaptureEntry): string => join(FOLDER, file);
export const truthOf = ({ truth }: CaptureEntry): Truth => JSON.parse(readFileSync(join(FOLDER, truth), "utf8"));
