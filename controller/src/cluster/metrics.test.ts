/** What the controller asks hosts for, and what scaling does by itself, is in its metrics. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Family, parsePrometheus } from "../rest/testing/prometheus_text.ts";
import { ClusterWorld, inputOf } from "./testing/cluster_world.ts";

const NAME = "blue/web";
let world: ClusterWorld;

beforeEach(async () => {
  world = await ClusterWorld.open({ manual: true });
  await world.push();
  await world.cluster.deploy(NAME, inputOf({ scaling: { min: 2, max: 6 } }), { by: "ann" });
  await world.advance(3000);
});
afterEach(() => world.close());

const metrics = async (): Promise<Map<string, Family>> => parsePrometheus(await world.controller.metrics.registry.metrics());

function valueOf(families: Map<string, Family>, name: string, labels: Readonly<Record<string, string>>): number | undefined {
  const samples = families.get(name.replace(/_(count|sum)$/, ""))?.samples ?? [];
  return samples.find((sample) => sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value))?.value;
}

test("scaling's starts and moves, with their flows", async () => {
  for (const runtime of [1, 2]) world.host().set(NAME, runtime, { load: 0.97, flows: 1000 });
  await world.advance(60_000);
  const asked = world.host().asked.filter(({ method }) => method === "migrate_flows");
  const started = world.host().asked.filter(({ method }) => method === "add_runtime");
  expect([asked.length > 0, started.length > 0]).toEqual([true, true]);
  const families = await metrics();
  expect(valueOf(families, "nfactor_migration_duration_seconds_count", { by: "controller" })).toBe(asked.length);
  const moved = asked.reduce((sum, { params }) => sum + (params.flows as { count: number }).count, 0);
  expect(valueOf(families, "nfactor_migration_flows_total", { by: "controller", outcome: "moved" })).toBe(moved);
  expect(valueOf(families, "nfactor_scaling_order_duration_seconds_count", { kind: "start", outcome: "ok" })).toBe(started.length);
  expect(valueOf(families, "nfactor_scaling_order_duration_seconds_count", { kind: "move", outcome: "ok" })).toBe(asked.length);
});

test("repair: what has died is given up", async () => {
  world.host().set(NAME, 2, { state: "down" });
  await world.advance(30_000);
  expect(valueOf(await metrics(), "nfactor_scaling_order_duration_seconds_count", { kind: "remove", outcome: "ok" })).toBe(1);
});

test("each request to a host, by method and how it ended", async () => {
  const drain = (runtime: number): Promise<unknown> => world.cluster.drain(NAME, { runtime, to: [], dry_run: true }, { by: "ann" });
  await drain(1);
  await expect(drain(60)).rejects.toThrow();
  let isHeld = true;
  world.host().before = async (method) => {
    while (method === "drain" && isHeld) await new Promise((done) => setImmediate(done));
  };
  const late = drain(1).catch((error: unknown) => error);
  await world.until(() => world.host().asked.filter(({ method }) => method === "drain").length === 3);
  await world.advance(601_000);
  isHeld = false;
  expect(await late).toMatchObject({ code: "rpc.deadline" });
  const families = await metrics();
  const calls = (outcome: string) => valueOf(families, "nfactor_rpc_duration_seconds_count", { method: "drain", outcome });
  expect([calls("ok"), calls("refused"), calls("given_up"), calls("lost")]).toEqual([1, 1, 1, undefined]);
  expect(valueOf(families, "nfactor_rpc_duration_seconds_count", { method: "deploy", outcome: "ok" })).toBeGreaterThan(0);
  // A stream lasts as long as it lasts.
  expect(valueOf(families, "nfactor_rpc_duration_seconds_count", { method: "watch_load" })).toBeUndefined();
});
