/**
 * Round trips between controller and host, over both transports: `node --import ./sdk/register.mjs controller/src/rpc/bench.ts`. Both ends are in one process,
 * so a figure is that of both together. For ADR 22; no gate.
 */
import { type Session, accept, dial, read, serve } from "@nfactor/host/session";
import { z } from "zod";
import { type Transport, tlsTransport, unixTransport } from "./testing.ts";

const METHODS = { echo: read(z.strictObject({ bytes: z.instanceof(Uint8Array) }), z.strictObject({ bytes: z.instanceof(Uint8Array) })) };
const ROUNDS = 7;

async function pair(transport: Transport): Promise<Session<typeof METHODS>> {
  const { dialer, listener } = await transport.pair();
  const served = serve(METHODS, { echo: async (params) => params });
  const accepted = accept(listener, async ({ name }) => ({ name, serves: served }), { calls: METHODS, name: "controller" });
  const session = await dial(dialer, served, { calls: METHODS, name: "host" });
  await accepted;
  return session;
}

/** Round trips per second. */
async function rate(session: Session<typeof METHODS>, bytes: number, atOnce: number, count: number): Promise<number> {
  const params = { bytes: new Uint8Array(bytes) };
  const begin = performance.now();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let i = 0; i < count / atOnce; i++) await session.call("echo", params);
    }),
  );
  return (count / (performance.now() - begin)) * 1000;
}

const spread = (rates: number[]): string => {
  const sorted = rates.sort((a, b) => a - b);
  const [least, median, most] = [sorted[0]!, sorted[sorted.length >> 1]!, sorted.at(-1)!].map((n) => n.toPrecision(3));
  return `${Number(median)} (${Number(least)} to ${Number(most)})`;
};

for (const open of [unixTransport, tlsTransport]) {
  const transport = await open();
  const connects: number[] = [];
  for (let i = 0; i < 30; i++) {
    const begin = performance.now();
    const session = await pair(transport);
    connects.push(performance.now() - begin);
    session.close();
  }
  console.log(`${transport.name}: connected and greeted in ${spread(connects)} ms`);
  const session = await pair(transport);
  await rate(session, 32, 64, 4000);
  for (const [what, bytes, atOnce, count] of [
    ["32 bytes, one after the other", 32, 1, 3000],
    ["32 bytes, 64 at once", 32, 64, 10_000],
    ["256 KiB, 4 at once", 256 * 1024, 4, 400],
  ] as const) {
    const rates: number[] = [];
    for (let round = 0; round < ROUNDS; round++) rates.push(await rate(session, bytes, atOnce, count));
    console.log(`  ${what}: ${spread(rates)} round trips a second`);
  }
  session.close();
  transport.close();
}
