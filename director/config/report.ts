/** Collects problems, and knows where in the file each path stands. */
import { LineCounter } from "yaml";
import { type Path, type Problem, pathText } from "./problem.ts";

/** Where a problem points: at the key, or at its value. */
export type Where = "key" | "value";

export class Report {
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];
  readonly lines = new LineCounter();
  readonly #file: string;
  readonly #offsets = { key: new Map<string, number>(), value: new Map<string, number>() };
  /** Refused already: what stands below is not looked at. */
  readonly #broken = new Set<string>();

  constructor(file: string) {
    this.#file = file;
  }

  /** `path` stands at these character offsets. */
  locate(path: Path, where: Where, offset: number): void {
    this.#offsets[where].set(pathText(path), offset);
  }

  error(path: Path, message: string, remedy: string, where: Where = "value"): void {
    this.problems.push(this.#problem(this.#offsetOf(path, where), path, message, remedy));
  }

  /** At a character offset, for what has no path. */
  errorAt(offset: number, message: string, remedy: string, path: Path = []): void {
    this.problems.push(this.#problem(offset, path, message, remedy));
  }

  /** Wrong, but the director can run with it. */
  warn(path: Path, message: string, remedy: string, where: Where = "value"): void {
    this.warnings.push(this.#problem(this.#offsetOf(path, where), path, message, remedy));
  }

  break(path: Path): void {
    this.#broken.add(pathText(path));
  }

  isBroken(path: Path): boolean {
    return path.some((_, depth) => this.#broken.has(pathText(path.slice(0, depth + 1))));
  }

  /** Whether something at or below `path` was refused. */
  holdsBroken(path: Path): boolean {
    const text = pathText(path);
    return [...this.#broken].some(
      (broken) => broken === text || broken.startsWith(`${text}.`) || broken.startsWith(`${text}[`),
    );
  }

  lineOf(path: Path): number {
    return this.lines.linePos(this.#offsetOf(path, "value")).line;
  }

  /** In the order of the file. */
  sorted(problems: readonly Problem[] = this.problems): Problem[] {
    return problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
  }

  /** What is missing is reported where it is missed: at the nearest that is there. */
  #offsetOf(path: Path, where: Where): number {
    for (let depth = path.length; depth >= 0; depth--) {
      const offset = this.#offsets[depth === path.length ? where : "value"].get(pathText(path.slice(0, depth)));
      if (offset !== undefined) return offset;
    }
    return 0;
  }

  #problem(offset: number, path: Path, message: string, remedy: string): Problem {
    const { line, col } = this.lines.linePos(offset);
    return { file: this.#file, line, column: col, path: pathText(path), message, remedy };
  }
}
