import fc from "fast-check";
import t from "tap";
import { type EndReason, TransactionTable } from "../../../core/flow/transaction.ts";
import type { Request } from "../../../core/helper/api.ts";
import { type Ms, ms, seconds } from "../../../core/units.ts";

const at = (n: number): Ms => seconds(n);
const asks = (id: string, rest = ""): Request => ({ code: 1, same: `${id} ${rest}`, ids: [id], affinity: null });
const gives = (id: string) => ({ code: 2, id });

function table(capacity = 100, linger = 5) {
  const ended: string[] = [];
  const transactions = new TransactionTable<string, string>({
    capacity,
    patience: seconds(30),
    linger: seconds(linger),
    ended: ({ client, request }, reason: EndReason) => ended.push(`${client} ${request.ids[0]} ${reason}`),
  });
  return { transactions, ended };
}

t.test("a request sent again is known, with the realserver that was asked; another one is new", async (t) => {
  const { transactions } = table();
  const first = transactions.open("nas:1", asks("7", "x"), "a", "nas:1>a", at(0));
  t.equal(transactions.repeated("nas:1", asks("7", "x"), at(3)), first);
  t.equal(first.sent, 2);
  t.equal(transactions.repeated("nas:1", asks("8", "x"), at(3)), null, "another id");
  t.equal(transactions.repeated("nas:1", asks("7", "y"), at(3)), null, "another authenticator");
  t.equal(transactions.repeated("nas:2", asks("7", "x"), at(3)), null, "another socket");
});

t.test("an answer is taken from whom was asked, and under the id that was sent; nothing else is one", async (t) => {
  const { transactions } = table();
  const asked = transactions.open("nas:1", asks("7"), "a", "nas:1>a", at(0));
  t.equal(transactions.answer("nas:1>b", gives("7"), at(1)), "unknown-request", "another realserver");
  t.equal(transactions.answer("nas:2>a", gives("7"), at(1)), "unknown-request", "another client's socket");
  t.equal(transactions.answer("nas:1>a", gives("8"), at(1)), "unknown-request", "another id");
  t.equal(transactions.answer("nas:1>a", gives("7"), at(1)), asked);
  t.equal(transactions.answer("nas:1>a", gives("7"), at(1)), "answered-already");
});

t.test("a request sent again after its answer goes to the same realserver, and is answered again", async (t) => {
  const { transactions, ended } = table();
  const asked = transactions.open("nas:1", asks("7"), "a", "nas:1>a", at(0));
  transactions.answer("nas:1>a", gives("7"), at(1));
  t.equal(transactions.repeated("nas:1", asks("7"), at(5)), asked);
  t.equal(transactions.answer("nas:1>a", gives("7"), at(6)), asked);
  transactions.advance(at(10));
  t.same(ended, []);
  transactions.advance(at(11));
  t.same(ended, ["nas:1 7 done"]);
  t.equal(transactions.size, 0);
});

t.test("where nothing lingers, the answer frees the request", async (t) => {
  const { transactions, ended } = table(100, 0);
  transactions.open("c:1", asks("7"), "a", "c:1>a", at(0));
  transactions.answer("c:1>a", gives("7"), at(1));
  t.same([transactions.size, transactions.uses("c:1>a"), ended], [0, false, ["c:1 7 done"]]);
});

t.test("a request nobody answers is open until it was not sent again for its patience", async (t) => {
  const { transactions, ended } = table();
  transactions.open("nas:1", asks("7"), "a", "nas:1>a", at(0));
  transactions.open("nas:1", asks("8"), "a", "nas:1>a", at(1));
  transactions.repeated("nas:1", asks("7"), at(20));
  transactions.advance(at(31));
  t.same(ended, ["nas:1 8 expired"]);
  t.equal(transactions.repeated("nas:1", asks("7"), at(50)), null, "over, though nothing has swept it");
  t.equal(transactions.answer("nas:1>a", gives("7"), at(50)), "unknown-request");
  t.same(ended, ["nas:1 8 expired", "nas:1 7 expired"]);
});

t.test("what is over is not answered, though nothing has swept it", async (t) => {
  const { transactions } = table();
  transactions.open("nas:1", asks("7"), "a", "nas:1>a", at(0));
  t.equal(transactions.answer("nas:1>a", gives("7"), at(30)), "unknown-request");
});

t.test("a realserver that goes loses its requests at once, and no others", async (t) => {
  const { transactions, ended } = table();
  for (let i = 0; i < 4; i++) transactions.open("nas:1", asks(`${i}`), i % 2 ? "a" : "b", `nas:1>${i % 2}`, at(0));
  transactions.answer("nas:1>1", gives("3"), at(1));
  t.equal(transactions.purge("a"), 2, "the answered one too: whoever sends it again gets another realserver");
  t.equal(transactions.repeated("nas:1", asks("1"), at(1)), null);
  t.not(transactions.repeated("nas:1", asks("2"), at(1)), null);
  t.same(ended, ["nas:1 1 purged", "nas:1 3 purged"]);
  t.equal(transactions.purge("a"), 0);
});

t.test("an upstream that is closed takes what was asked through it", async (t) => {
  const { transactions } = table();
  transactions.open("nas:1", asks("1"), "a", "nas:1>a", at(0));
  transactions.open("nas:2", asks("1"), "a", "nas:2>a", at(0));
  transactions.close("nas:1>a");
  t.same([transactions.uses("nas:1>a"), transactions.uses("nas:2>a")], [false, true]);
  t.equal(transactions.repeated("nas:1", asks("1"), at(1)), null);
});

t.test("an id used for another request takes the place of the one it was used for before", async (t) => {
  const { transactions, ended } = table();
  transactions.open("nas:1", asks("7", "x"), "a", "nas:1>a", at(0));
  const second = transactions.open("nas:1", asks("7", "y"), "a", "nas:1>a", at(1));
  t.same(ended, ["nas:1 7 replaced"]);
  t.equal(transactions.answer("nas:1>a", gives("7"), at(2)), second);
});

t.test("one id, two questions: each answer finds its own, one without a question the later", async (t) => {
  const { transactions } = table();
  const query = (question: string): Request => ({ ...asks("5", question), ids: [`5 ${question}`, "5"] });
  const first = transactions.open("c:1", query("a."), "a", "c:1>a", at(0));
  const second = transactions.open("c:1", query("b."), "a", "c:1>a", at(0));
  t.equal(transactions.answer("c:1>a", gives("5 a."), at(1)), first);
  t.equal(transactions.answer("c:1>a", gives("5"), at(1)), second);
});

t.test("bounded: what is answered gives way, then the one that was heard of longest ago, counted", async (t) => {
  const { transactions, ended } = table(3);
  for (const id of ["1", "2", "3"]) transactions.open("nas:1", asks(id), "a", "nas:1>a", at(0));
  transactions.repeated("nas:1", asks("1"), at(1));
  transactions.answer("nas:1>a", gives("3"), at(1));
  for (const id of ["4", "5"]) transactions.open("nas:1", asks(id), "a", "nas:1>a", at(2));
  t.same(ended, ["nas:1 3 evicted", "nas:1 2 evicted"]);
  t.equal(transactions.size, 3);
});

t.test("whatever happens: never more than the capacity, and all that began ends once", async (t) => {
  const kind = fc.constantFrom(
    "ask" as const,
    "answer" as const,
    "purge" as const,
    "close" as const,
    "advance" as const,
  );
  const event = fc.record({ kind, id: fc.integer({ min: 0, max: 5 }), rest: fc.constantFrom("x", "y") });
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const { transactions, ended } = table(4);
        let begun = 0;
        const run = (now: Ms, upstream: string, { id, rest }: { id: number; rest: string }) => ({
          ask: () => {
            if (transactions.repeated("c", asks(`${id}`, rest), now) !== null) return;
            transactions.open("c", asks(`${id}`, rest), `r${upstream}`, upstream, now);
            begun++;
          },
          answer: () => transactions.answer(upstream, gives(`${id}`), now),
          purge: () => transactions.purge(`r${upstream}`),
          close: () => transactions.close(upstream),
          advance: () => transactions.advance(now),
        });
        for (const [i, event] of events.entries()) {
          run(ms(i * 1500), `u${event.id % 2}`, event)[event.kind]();
          if (transactions.size > 4) return false;
        }
        transactions.advance(seconds(1000));
        return ended.length === begun && !transactions.uses("u0") && !transactions.uses("u1");
      }),
    ),
  );
});
