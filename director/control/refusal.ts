/** What a request is answered with when it is not done: a code for programs, a sentence and a remedy for people. */
import type { Problem } from "../config/problem.ts";
import { ConfigError } from "../config.ts";
import { ChangeError } from "../datapath/change-error.ts";
import { ListenError } from "../datapath/listeners.ts";
import { HelperError } from "../helpers.ts";

type Status = 400 | 401 | 403 | 404 | 409 | 413 | 415 | 421 | 422 | 500 | 501;

export interface ErrorBody {
  /** In kebab-case. */
  readonly error: string;
  readonly message: string;
  readonly remedy: string;
  /** Of a configuration: where each is. */
  readonly problems?: readonly Problem[];
}

export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: Status;
  readonly body: ErrorBody;

  constructor(status: Status, error: string, message: string, remedy: string, problems?: readonly Problem[]) {
    super(message);
    this.status = status;
    this.body = { error, message, remedy, ...(problems === undefined ? {} : { problems }) };
  }
}

/** Bugs are told as such, without what they say: that is in the log. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof ConfigError) {
    const remedy = "correct what is listed, and try again; nothing has changed";
    return new Refusal(422, "wrong-configuration", error.message, remedy, error.problems);
  }
  if (error instanceof ChangeError) return new Refusal(409, error.code, error.message, error.remedy);
  if (error instanceof ListenError) {
    const remedy = ["nothing has changed", error.remedy].filter((text) => text !== null).join("; ");
    return new Refusal(409, "cannot-listen", error.message, remedy);
  }
  if (error instanceof HelperError) {
    return new Refusal(422, "wrong-helper", error.message, "correct the module; nothing has changed");
  }
  return new Refusal(500, "internal", "something in the director is wrong", "see its log, and report it");
}
