import { expect, test } from "vitest";
import { type Store, openMemoryStore } from "../store/index.ts";
import { EventLog } from "./event_log.ts";

const open = (store: Store, kept?: number): Promise<EventLog> =>
  EventLog.open({ store, dateMs: () => 1000, onTrouble: (why) => expect.fail(why.message), ...(kept === undefined ? {} : { kept }) });

test("events are numbered without gaps, also by the next controller; the oldest go", async () => {
  const store = openMemoryStore();
  const log = await open(store, 100);
  for (let i = 1; i <= 250; i++) log.add("host", `h${i % 2}`, "info", `event ${i}`);
  await log.flush();
  const next = await open(store, 100);
  next.add("host", "h1", "info", "event 251");
  const all = await next.read({ limit: 1000 });
  expect(all.map(({ number }) => number)).toEqual(all.map((_, i) => all[0]!.number + i));
  expect(all.at(-1)).toEqual({ number: 251, at: 1000, kind: "host", about: "h1", severity: "info", text: "event 251" });
  expect(all.length).toBeGreaterThanOrEqual(100);
  expect(all.length).toBeLessThan(200);
});

test("they are read by what they are about, page by page, the newest last", async () => {
  const log = await open(openMemoryStore());
  for (let i = 1; i <= 20; i++) log.add("deployment", i % 2 ? "blue/web" : "bluer/web", "info", `${i}`);
  const last = await log.read({ about: "blue", limit: 3 });
  expect(last.map(({ text }) => text)).toEqual(["15", "17", "19"]);
  expect((await log.read({ about: "blue/web", before: last[0]!.number, limit: 2 })).map(({ text }) => text)).toEqual(["11", "13"]);
});

test("who watches gets what is there after a number, and then what comes; control characters are made harmless", async () => {
  const log = await open(openMemoryStore());
  for (const text of ["a", "b"]) log.add("host", "h1", "info", text);
  await log.flush();
  const over = new AbortController();
  const seen: string[] = [];
  const reading = (async () => {
    for await (const { text } of log.watch({ after: 1 }, over.signal)) {
      seen.push(text);
      if (text === "d") over.abort();
    }
  })();
  for (const text of ["c\u001b[2J", "d"]) {
    log.add("host", "h1", "info", text);
    await log.flush();
  }
  await reading;
  expect(seen).toEqual(["b", "c\\u{1b}[2J", "d"]);
});

test("who watches from a number that is still to come, as of a newer copy of the store, misses nothing of this one", async () => {
  const log = await open(openMemoryStore());
  log.add("host", "h1", "info", "a");
  await log.flush();
  const over = new AbortController();
  const reading = log.watch({ after: 5000 }, over.signal).next();
  // It is at its watch before something is said.
  await new Promise(setImmediate);
  log.add("host", "h1", "info", "b");
  expect(await reading).toMatchObject({ value: { number: 2, text: "b" } });
  over.abort();
});
