/** Of a session whose other side is newer, and says more than this one knows: its answers are taken without that, what it asks for is refused. */
import { type Duplex, duplexPair } from "node:stream";
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import { FrameReader, frameOf } from "../rpc/frame.ts";
import { accept, dial } from "./greet.ts";
import { FRAME } from "./messages.ts";
import { change, read, stream } from "./method.ts";
import { type Session, serve } from "./session.ts";

const flow = z.strictObject({ port: z.int() });
const METHODS = {
  look: read(z.strictObject({ limit: z.int() }), z.strictObject({ flows: z.array(flow), next: z.int().optional() })),
  move: change(z.strictObject({ to: z.int() }), z.strictObject({ moved: z.int() })),
  watch: stream(z.strictObject({}), z.strictObject({ flow }), z.strictObject({ seen: z.int() })),
};
const newerFlow = flow.extend({ age_us: z.int() });
const NEWER = {
  look: read(z.strictObject({ limit: z.int(), newest: z.boolean().optional() }), z.strictObject({ flows: z.array(newerFlow), took_us: z.int() })),
  move: change(z.strictObject({ to: z.int(), at_most: z.int().optional() }), z.strictObject({ moved: z.int(), left: z.int() })),
  watch: stream(z.strictObject({}), z.strictObject({ flow: newerFlow, at_us: z.int() }), z.strictObject({ seen: z.int(), lost: z.int() })),
};

const sessions: Pick<Session<typeof METHODS>, "close">[] = [];
afterEach(() => {
  for (const session of sessions.splice(0)) session.close();
});

test("what a newer side answers is taken without the fields that are not known: results, items of streams, and their ends", async () => {
  const [ours, theirs] = duplexPair();
  const newer = serve(NEWER, {
    look: async () => ({ flows: [{ port: 1, age_us: 7 }], took_us: 3 }),
    move: async () => ({ moved: 2, left: 1 }),
    watch: async (_, sink) => {
      await sink.send({ flow: { port: 4, age_us: 8 }, at_us: 9 });
      return { seen: 1, lost: 0 };
    },
  });
  const [older] = await Promise.all([
    dial(ours, serve({}, {}), { calls: METHODS, name: "older" }),
    accept(theirs, async ({ name }) => ({ name, serves: newer }), { calls: {}, name: "newer" }).then((session) => sessions.push(session)),
  ]);
  sessions.push(older);
  expect(await older.call("look", { limit: 1 })).toEqual({ flows: [{ port: 1 }] });
  expect(await older.call("move", { to: 1 }, { key: "k" })).toEqual({ moved: 2 });
  const watched = older.open("watch", {});
  const items = [];
  for await (const event of watched) items.push(event);
  expect(items).toEqual([{ type: "item", item: { flow: { port: 4 } } }]);
  expect(await watched.result).toEqual({ seen: 1 });
});

test("what a newer side asks for with a field that is not known is refused, with its name, and not done", async () => {
  const [ours, theirs] = duplexPair();
  let done = 0;
  const handlers = {
    look: async () => ({ flows: [] }),
    move: async () => ({ moved: (done += 1) }),
    watch: async () => ({ seen: (done += 1) }),
  };
  const [newer] = await Promise.all([
    dial(theirs, serve({}, {}), { calls: NEWER, name: "newer" }),
    accept(ours, async ({ name }) => ({ name, serves: serve(METHODS, handlers) }), { calls: {}, name: "older" }).then((session) => sessions.push(session)),
  ]);
  sessions.push(newer);
  await expect(newer.call("move", { to: 1, at_most: 5 }, { key: "k" })).rejects.toMatchObject({
    ...{ code: "rpc.params", message: expect.stringContaining("at_most") as string },
  });
  expect(done).toBe(0);
  expect(newer.isOpen).toBe(true);
});

test("messages that carry answers may have more fields, and an error a code that nobody knows here", async () => {
  const [ours, theirs] = duplexPair();
  const opened = dial(ours, serve({}, {}), { calls: METHODS, name: "older" });
  const received = messagesOf(theirs);
  const say = (message: object): void => void theirs.write(frameOf({ ...message, more: 1 }, FRAME));
  await received.next();
  say({ t: "welcome", version: 1, name: "newer", software: "9.0.0", life: "x", requests: 8 });
  const session = await opened;
  sessions.push(session);
  const [good, bad] = [session.call("look", { limit: 1 }), session.call("look", { limit: 2 })];
  await received.next();
  say({ t: "result", id: 1, result: { flows: [] } });
  say({ t: "error", id: 2, error: { code: "flow.too_new", message: "not now", more: 1 } });
  expect(await good).toEqual({ flows: [] });
  await expect(bad).rejects.toMatchObject({ code: "internal", message: "not now (flow.too_new)" });
  expect(session.isOpen).toBe(true);
});

async function* messagesOf(stream: Duplex): AsyncGenerator {
  const reader = new FrameReader(FRAME);
  for await (const chunk of stream) yield* reader.push(chunk as Buffer);
}
