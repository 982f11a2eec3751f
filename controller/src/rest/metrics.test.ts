/** What Prometheus gets: it can be read, means what it says, and is bounded. */
import { afterEach, expect, test } from "vitest";
import { runtimeJsonOf } from "@nfactor/host/testing";
import { type Family, type Sample, parsePrometheus } from "./testing/prometheus_text.ts";
import { type RestLab, openRestLab } from "./testing/rest_lab.ts";

let lab: RestLab;
afterEach(() => lab.close());

async function scrape(): Promise<Map<string, Family>> {
  const reply = await lab.send("GET", "/metrics", { token: lab.token.read });
  expect([reply.status, reply.headers["content-type"]]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
  return parsePrometheus(reply.text);
}

const valueOf = (families: Map<string, Family>, name: string, labels: Readonly<Record<string, string>> = {}): number | undefined =>
  samplesOf(families, name, labels)[0]?.value;

function samplesOf(families: Map<string, Family>, name: string, labels: Readonly<Record<string, string>> = {}): Sample[] {
  const all = [...families.values()].flatMap(({ samples }) => samples);
  return all.filter((sample) => sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value));
}

test("each family says what it is, in base units", async () => {
  lab = await openRestLab();
  const families = await scrape();
  expect(families.size).toBeGreaterThan(30);
  for (const [name, { type, help }] of families) {
    expect(name).toMatch(/^(nfactor|process)_[a-z0-9_]+$/);
    expect(["counter", "gauge", "histogram"]).toContain(type);
    expect(help).not.toBe("");
    expect(name.endsWith("_total")).toBe(type === "counter");
    expect(name).not.toMatch(/_(ms|us|ns|kb|mb|percent)(_|$)/);
  }
});

test("runtimes are told as they reported, also when a process began anew", async () => {
  lab = await openRestLab();
  const labels = { tenant: "blue", deployment: "web", runtime: "1" };
  const report = (more: Parameters<typeof runtimeJsonOf>[1]) =>
    (lab.cluster.reports = [{ deployment: "blue/web", report: { at_us: 1, runtimes: [runtimeJsonOf(1, more)] } }]);
  report({
    received: 700,
    received_bytes: 70_000,
    sent_bytes: 60_000,
    dropped: 5,
    drops: { no_runtime: 3, nf: 2 },
    runtime_full: 8,
    missed: 2,
    busy_us: 1_500_000,
    flows: 9,
    unprotected: 3,
    replication_lag: 4,
    refused_frames: { forged: 6 },
  });
  const first = await scrape();
  expect(valueOf(first, "nfactor_runtime_packets_received_total", labels)).toBe(700);
  expect(valueOf(first, "nfactor_runtime_busy_seconds_total", labels)).toBe(1.5);
  expect(valueOf(first, "nfactor_runtime_flows", labels)).toBe(9);
  expect(valueOf(first, "nfactor_runtime_flows_unprotected", labels)).toBe(3);
  expect(valueOf(first, "nfactor_runtime_replication_lag_updates", labels)).toBe(4);
  expect(valueOf(first, "nfactor_runtime_received_bytes_total", labels)).toBe(70_000);
  expect(valueOf(first, "nfactor_runtime_sent_bytes_total", labels)).toBe(60_000);
  expect(valueOf(first, "nfactor_runtime_queue_full_packets_total", labels)).toBe(8);
  const drops = samplesOf(first, "nfactor_runtime_packets_dropped_total", labels).map(({ labels: { reason }, value }) => [reason, value]);
  expect(drops).toEqual([
    ["no_runtime", 3],
    ["nf", 2],
    ["missed", 2],
    ["link_forged", 6],
  ]);
  report({ received: 10, state: "down" });
  const second = await scrape();
  expect(valueOf(second, "nfactor_runtime_packets_received_total", labels)).toBe(10);
  expect(valueOf(second, "nfactor_runtime_up", labels)).toBe(0);
  lab.cluster.reports = [];
  expect(samplesOf(await scrape(), "nfactor_runtime_flows")).toEqual([]);
});

test("reasons of drops are those of the list, whatever a host says, and none is left out", async () => {
  lab = await openRestLab();
  const strange = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`made_up_${i}`, 1]));
  const drops = { flow_closing: 4, 'a"b\nc': 2, ...strange };
  const runtimes = [runtimeJsonOf(0, { dropped: 7, runtime_full: 7 }), runtimeJsonOf(1, { dropped: 600, drops, refused_frames: { forged: 1, ...strange } })];
  lab.cluster.reports = [{ deployment: "blue/web", report: { at_us: 1, runtimes } }];
  const families = await scrape();
  const of = (runtime: string) => samplesOf(families, "nfactor_runtime_packets_dropped_total", { runtime }).map(({ labels, value }) => [labels.reason, value]);
  expect(of("0")).toEqual([
    ["other", 7],
    ["missed", 0],
  ]);
  expect(of("1")).toEqual([
    ["flow_closing", 4],
    ["other", 596],
    ["missed", 0],
    ["link_forged", 1],
    ["link_other", 500],
  ]);
  // Their sum is in the switch's own drops.
  expect(valueOf(families, "nfactor_runtime_queue_full_packets_total", { runtime: "0" })).toBeUndefined();
});

test("delays are a histogram of what the switch has counted, whatever number of counts it tells", async () => {
  lab = await openRestLab();
  const delayOf = async (counts: number[], sum_us: number) => {
    lab.cluster.reports = [{ deployment: "blue/web", report: { at_us: 1, runtimes: [runtimeJsonOf(0, { delay: { counts, sum_us } }), runtimeJsonOf(1)] } }];
    const families = await scrape();
    const of = (name: string) => samplesOf(families, `nfactor_packet_delay_seconds_${name}`, { tenant: "blue", deployment: "web" });
    const buckets = new Map(of("bucket").map(({ labels, value }) => [labels.le, value]));
    return { buckets, sum: of("sum").map(({ value }) => value), count: of("count").map(({ value }) => value) };
  };
  const { buckets, sum, count } = await delayOf([3, 0, 2, ...Array<number>(17).fill(0), 1], 2_500_000);
  expect([buckets.get("0.000002"), buckets.get("0.000004"), buckets.get("0.000008"), buckets.get("1.048576"), buckets.get("+Inf")]).toEqual([3, 3, 5, 5, 6]);
  expect({ sum, count, buckets: buckets.size }).toEqual({ sum: [2.5], count: [6], buckets: 21 });
  expect((await delayOf([1], 1)).buckets.get("+Inf")).toBe(1);
  const { buckets: more } = await delayOf(Array<number>(30).fill(1), 1);
  expect([more.get("1.048576"), more.get("+Inf")]).toEqual([20, 30]);
  lab.cluster.reports = [];
  expect(samplesOf(await scrape(), "nfactor_packet_delay_seconds_bucket")).toEqual([]);
});

test("recoveries after deaths are a histogram, too", async () => {
  lab = await openRestLab();
  const counts = [1, 0, 2, ...Array<number>(8).fill(0), 1];
  lab.cluster.reports = [{ deployment: "blue/web", report: { at_us: 1, runtimes: [runtimeJsonOf(0, { recoveries: { counts, sum_ms: 20_033 } })] } }];
  const families = await scrape();
  const of = (le: string) => valueOf(families, "nfactor_runtime_death_recovery_seconds_bucket", { deployment: "web", le });
  expect([of("0.005"), of("0.01"), of("0.02"), of("10"), of("+Inf")]).toEqual([1, 1, 3, 3, 4]);
  expect(valueOf(families, "nfactor_runtime_death_recovery_seconds_sum")).toBeCloseTo(20.033);
});

test("series of runtimes are bounded, and those left out are counted", async () => {
  lab = await openRestLab({ limits: { series: 400 } });
  const runtimes = Array.from({ length: 15 }, (_, n) => runtimeJsonOf(n));
  lab.cluster.reports = Array.from({ length: 100 }, (_, n) => ({ deployment: `blue/d${n}`, report: { at_us: 1, runtimes } }));
  const families = await scrape();
  const of = [...families].filter(([name]) => name.startsWith("nfactor_runtime_")).flatMap(([, { samples }]) => samples);
  expect(of.length).toBeGreaterThan(300);
  expect(of.length).toBeLessThanOrEqual(400);
  // The switch has one series less.
  const each = of.filter(({ labels }) => labels.deployment === "d0" && labels.runtime === "1").length;
  expect(valueOf(families, "nfactor_metrics_series_left_out_total")).toBe(1500 * each - 100 - of.length);
});

test("nothing a stranger sends becomes a label", async () => {
  lab = await openRestLab();
  const before = await scrape();
  for (let i = 0; i < 50; i++) await lab.send(i % 2 === 0 ? "GET" : "PUT", `/v1/x${i}/%1b${i}`, { token: `nfa_${i}` });
  for (let i = 0; i < 20; i++) await lab.send("GET", `/v1/tenants/t${i}/deployments/d${i}`, { token: lab.token.read });
  const after = await scrape();
  const routes = new Set([...after.get("nfactor_http_answers_total")!.samples].map(({ labels }) => labels.route));
  expect([...routes].sort()).toEqual(["GET /metrics", "GET /v1/tenants/{tenant}/deployments/{deployment}", "unknown"]);
  expect(valueOf(after, "nfactor_http_answers_total", { route: "GET /v1/tenants/{tenant}/deployments/{deployment}", status: "404" })).toBe(20);
  const grown = [...after].flatMap(([, { samples }]) => samples).length - [...before].flatMap(([, { samples }]) => samples).length;
  expect(grown).toBeLessThan(50);
});

test("histograms have what operations took, dry runs left out", async () => {
  lab = await openRestLab();
  const path = "/v1/tenants/blue/deployments/web";
  const post = (name: string, body: object, query = "") => lab.send("POST", `${path}/${name}${query}`, { token: lab.token.operate, body });
  const migrate = { from: 1, to: 2, flows: { all: true } };
  await post("migrate", migrate);
  await post("migrate", migrate, "?dry_run=true");
  await post("drain", { runtime: 1 });
  await post("recover", { runtime: 1 });
  const families = await scrape();
  expect(valueOf(families, "nfactor_migration_duration_seconds_count", { by: "request" })).toBe(2);
  expect(valueOf(families, "nfactor_migration_duration_seconds_sum", { by: "request" })).toBeCloseTo(0.004);
  expect(valueOf(families, "nfactor_migration_flows_total", { outcome: "moved" })).toBe(6);
  expect(valueOf(families, "nfactor_recovery_duration_seconds_sum", { by: "request" })).toBeCloseTo(0.003);
  const buckets = samplesOf(families, "nfactor_migration_duration_seconds_bucket", { by: "request" });
  expect(buckets.at(-1)).toMatchObject({ labels: { le: "+Inf" }, value: 2 });
  for (const [i, { value }] of buckets.entries()) expect(value).toBeGreaterThanOrEqual(buckets[i - 1]?.value ?? 0);
});

test("an NF that is quarantined, and how often it has faulted, is told by its entry", async () => {
  const nfs = [{ entry: "quota", version: "0.4.0", faults: 10, quarantined: true }];
  lab = await openRestLab();
  lab.cluster.reports = [{ deployment: "blue/web", report: { at_us: 1, runtimes: [], nfs } }];
  const families = await scrape();
  const of = (name: string) => samplesOf(families, name).map(({ labels, value }) => ({ ...labels, value }));
  expect(of("nfactor_nf_faults_total")).toEqual([{ tenant: "blue", deployment: "web", nf: "quota", value: 10 }]);
  expect(of("nfactor_nf_quarantined")).toEqual([{ tenant: "blue", deployment: "web", nf: "quota", value: 1 }]);
});
