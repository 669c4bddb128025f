import t from "tap";
import type { Ref } from "../../../core/helper/api.ts";
import { Dialogue, type Pending } from "../../../helpers/ftp/dialogue.ts";
import { verb } from "../../../helpers/ftp/wire.ts";

const command = (word: string, rest: Partial<Pending> = {}): Pending => ({
  verb: word === "" ? 0 : verb(word),
  ref: null,
  barred: false,
  all: false,
  ...rest,
});

/** A dialogue past its greeting in which `words` were sent. */
function sent(...words: string[]): { dialogue: Dialogue; commands: Pending[] } {
  const dialogue = new Dialogue();
  dialogue.answered(220);
  const commands = words.map((word) => command(word));
  for (const one of commands) dialogue.sent(one);
  return { dialogue, commands };
}

t.test("each final reply answers one command, in order; 1xx answers none", async (t) => {
  const { dialogue, commands } = sent("USER", "", "RETR");
  t.equal(dialogue.answered(331), commands[0]);
  t.equal(dialogue.answered(500), commands[1], "a line that is no command is answered too");
  t.equal(dialogue.answered(150), null);
  t.equal(dialogue.answered(226), commands[2]);
  t.equal(dialogue.answered(226), null, "nothing waits any more");
});

t.test("the greeting answers nothing, also when commands came before it, and 120 before it", async (t) => {
  const dialogue = new Dialogue();
  const user = command("USER");
  dialogue.sent(user);
  t.equal(dialogue.answered(120), null);
  t.equal(dialogue.answered(220), null);
  t.equal(dialogue.answered(331), user);
});

t.test("227 to 229 find the first passive command, and what was before it waits no longer", async (t) => {
  const { dialogue, commands } = sent("NOOP", "PASV", "EPSV", "NOOP");
  t.equal(dialogue.answered(227), commands[1]);
  t.equal(dialogue.answered(229), commands[2]);
  t.equal(dialogue.answered(227), null, "no third");
});

t.test("a passive command answered otherwise: one further 2xx is let pass, an error is its answer", async (t) => {
  const tolerant = sent("PASV");
  t.equal(tolerant.dialogue.answered(250), null);
  t.equal(tolerant.dialogue.answered(227), tolerant.commands[0]);
  const failed = sent("PASV", "NOOP");
  t.equal(failed.dialogue.answered(425), failed.commands[0]);
  t.equal(failed.dialogue.answered(200), failed.commands[1]);
});

t.test("EPSV ALL is not passive", async (t) => {
  const dialogue = new Dialogue();
  dialogue.answered(220);
  const all = command("EPSV", { all: true });
  dialogue.sent(all);
  t.equal(dialogue.answered(200), all);
});

t.test("234 and 235 answer AUTH and ADAT only", async (t) => {
  const { dialogue, commands } = sent("AUTH");
  t.equal(dialogue.answered(234), commands[0]);
  dialogue.sent(command("NOOP"));
  t.equal(dialogue.answered(234), null);
});

t.test("64 commands are remembered; the oldest gives way", async (t) => {
  const dialogue = new Dialogue();
  dialogue.answered(220);
  for (let i = 0; i < 64; i++) t.ok(dialogue.sent(command("NOOP")));
  const last = command("PWD");
  t.notOk(dialogue.sent(last));
  for (let i = 0; i < 63; i++) dialogue.answered(200);
  t.equal(dialogue.answered(257), last);
});

t.test("replies are missing: those commands are kept whose answers matter", async (t) => {
  const { dialogue } = sent("NOOP", "PASV", "AUTH");
  const port = command("PORT", { ref: 1 as Ref });
  dialogue.sent(port);
  t.notOk(dialogue.guessing);
  dialogue.lost("reply");
  t.ok(dialogue.guessing);
  t.equal(dialogue.answered(227)?.verb, verb("PASV"));
  t.equal(dialogue.answered(234)?.verb, verb("AUTH"));
  t.equal(dialogue.answered(200), port);
});

t.test("commands are missing: the others wait on", async (t) => {
  const { dialogue, commands } = sent("USER");
  dialogue.lost("original");
  t.ok(dialogue.guessing);
  t.equal(dialogue.answered(331), commands[0]);
});
