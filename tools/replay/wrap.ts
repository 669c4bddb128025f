/** What is longer than a terminal is wide goes on in the next line, further in, broken at a blank where there is one. */

const ESC = "\u001b";
/** How much further in. */
const FURTHER = 4;
/** On less there is no room for that. */
const NARROWEST = 40;

/** `text` on `width` columns; undefined: nobody knows how many, and nothing is broken. */
export function wrapped(text: string, width: number | undefined): string {
  if (width === undefined || width < NARROWEST) return text;
  return text
    .split("\n")
    .flatMap((line) => pieces(line, width))
    .join("\n");
}

function pieces(line: string, width: number): string[] {
  const further = " ".repeat(Math.min(indentationOf(line) + FURTHER, width / 2));
  const broken: string[] = [];
  let rest = line;
  for (let cut = cutOf(rest, width); cut < rest.length; cut = cutOf(rest, width)) {
    broken.push(rest.slice(0, cut).trimEnd());
    rest = further + rest.slice(cut).trimStart();
  }
  return [...broken, rest];
}

/** Where the line breaks: behind the last blank that is on it and is not its indentation, or within a word. */
function cutOf(line: string, width: number): number {
  const indentation = indentationOf(line);
  let blank = 0;
  let shown = 0;
  let at = 0;
  for (const { text, columns } of glyphs(line)) {
    if (shown + columns > width) return blank > 0 ? blank : at;
    shown += columns;
    at += text.length;
    if (text === " " && shown > indentation) blank = at;
  }
  return at;
}

/** Blanks at its start, in whatever colour. */
function indentationOf(line: string): number {
  let blanks = 0;
  for (const { text, columns } of glyphs(line)) {
    if (columns > 0 && text !== " ") break;
    blanks += columns;
  }
  return blanks;
}

/** Characters, and the escape sequences of colours, which take no room. */
function* glyphs(line: string): Generator<{ readonly text: string; readonly columns: 0 | 1 }> {
  for (let at = 0; at < line.length; ) {
    const last = line[at] === ESC ? line.indexOf("m", at) : -1;
    const text = last < 0 ? String.fromCodePoint(line.codePointAt(at)!) : line.slice(at, last + 1);
    yield { text, columns: last < 0 ? 1 : 0 };
    at += text.length;
  }
}
