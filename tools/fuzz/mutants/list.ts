/** Bugs of FTP helpers, each as a change of one place of what was built. The fuzzer must find every one. */
export interface Mutant {
  readonly name: string;
  /** In the folder that was built. */
  readonly file: string;
  /** Stands there exactly once. */
  readonly from: string;
  readonly to: string;
}

/** Ten classic ones. */
export const mutants: readonly Mutant[] = [
  {
    name: "octet-wrap",
    file: "helpers/ftp/ends.js",
    from: `for (let i = 0; i < 6; i++)
        if (numbers[i] > 255)
            return "bad-octet";`,
    to: "for (let i = 0; i < 6; i++) numbers[i] &= 255;",
  },
  {
    name: "unsolicited-227",
    file: "helpers/ftp/offers.js",
    from: "asked ? PASSIVE : UNASKED",
    to: "PASSIVE",
  },
  {
    name: "armed-by-a-file-name",
    file: "helpers/ftp/brief.js",
    from: "kindOf(code));",
    to: `kindOf(String.fromCharCode(...bytes.subarray(start, lf)).includes("PASV") ? verb("PASV") : code));`,
  },
  {
    name: "split-reply-missed",
    file: "helpers/ftp/helper.js",
    from: `if (lf < 0 && !tooLong)
            return { verdict: "pass", consumed: 0 };`,
    to: `if (lf < 0 && !tooLong)
            return { verdict: "pass", consumed: payload.length };`,
  },
  {
    name: "foreign-address",
    file: "core/helper/judge.js",
    from: '(family === own.family ? "bounce" : "family-mismatch")',
    to: '(family === own.family ? null : "family-mismatch")',
  },
  {
    name: "port-below-1024",
    file: "core/helper/judge.js",
    from: "const FIRST_UNRESERVED_PORT = 1024;",
    to: "const FIRST_UNRESERVED_PORT = 1;",
  },
  {
    name: "stale-generation",
    file: "core/flow/slots.js",
    from: "this.#generations[index] = (this.#generations[index] + 1) % GENERATIONS;",
    to: "this.#generations[index] = this.#generations[index] % GENERATIONS;",
  },
  {
    name: "regular-expression-blow-up",
    file: "helpers/ftp/ends.js",
    from: "export function seekHostPort(bytes, start, end) {",
    to: `export function seekHostPort(bytes, start, end) {
    /(\\d+,?)+[^\\d,]?$/.test(latin1(bytes, start, end));`,
  },
  {
    name: "rewrite-off-by-one",
    file: "helpers/ftp/offers.js",
    from: "actions.rewrite(start, end, ref, render);",
    to: "actions.rewrite(start, end - 1, ref, render);",
  },
  {
    name: "forgotten-telnet-bytes",
    file: "helpers/ftp/line.js",
    from: "this.textEnd = putPlain(bytes, end, this.#plain);",
    to: "this.textEnd = end, this.#plain.set(bytes.subarray(0, end));",
  },
];

/** Those that end the thread that they are found in. */
export const deadly: readonly Mutant[] = [
  {
    name: "never-returns",
    file: "helpers/ftp/ends.js",
    from: "export function seekHostPort(bytes, start, end) {",
    to: `export function seekHostPort(bytes, start, end) {
    while (end - start > 60);`,
  },
  {
    name: "holds-all",
    file: "helpers/ftp/ends.js",
    from: "export function seekHostPort(bytes, start, end) {",
    to: `export function seekHostPort(bytes, start, end) {
    for (const held = []; end - start > 60; ) held.push(new Array(1e6).fill(end));`,
  },
];
