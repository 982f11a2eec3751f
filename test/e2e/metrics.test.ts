/** What Prometheus gets of a system that runs, with real traffic through it. Needs root, as CI has. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { type Family, parsePrometheus } from "../../controller/src/rest/testing/prometheus_text.ts";
import type { OperationJson } from "../../host/src/result/runtimes_text.ts";
import { NumberedFlows } from "../../scripts/lib/numbered_flows.ts";
import { clusterForEach, describeAsRoot } from "./testing/labs.ts";

const FLOWS = 20;

describeAsRoot("a scrape", () => {
  const at = clusterForEach();

  const scrape = async (): Promise<Map<string, Family>> => {
    const { lab, cluster } = at;
    const token = readFileSync(join(cluster.state, "admin.token"), "utf8").trim();
    const { code, stdout, stderr } = await lab.run("wire", "curl", ["-sS", "--fail", "-H", `Authorization: Bearer ${token}`, "http://127.0.0.1:7780/metrics"]);
    expect(code, stderr).toBe(0);
    return parsePrometheus(stdout);
  };
  const sum = (families: Map<string, Family>, name: string, labels: Readonly<Record<string, string>> = {}): number =>
    (families.get(name.replace(/_(count|sum)$/, "")) ?? families.get(name))?.samples
      .filter((sample) => sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
      .reduce((all, { value }) => all + value, 0) ?? 0;

  /** Of a runtime that has some. */
  const ownerOfFlows = async (): Promise<number> => {
    const { runtimes } = await at.cluster.json<{ runtimes: { runtime: number; flows: number; pid: number }[] }>("runtimes", "web");
    return runtimes.find(({ runtime, flows }) => runtime > 0 && flows > 0)!.pid;
  };

  test("has packets, bytes, drops by reason, requests to the host, moves of flows, what scaling has done, delays and recoveries", async () => {
    const { lab, cluster } = at;
    await cluster.up();
    await cluster.json("push", "flow_monitor");
    await cluster.json("push", "firewall");
    const config = { rules: [{ action: "drop", protocol: "icmp" }], default: "allow" };
    await cluster.deploy("web", { replication: {}, scaling: { min: 2, max: 3 }, chain: [{ nf: "flow_monitor" }, { nf: "firewall", config }] });
    const traffic = await NumberedFlows.start(lab, { flows: FLOWS, everyMs: 20 });
    await lab.run("client", "ping", ["-c", "3", "-i", "0.05", "-W", "1", lab.serverAddress]);
    // A flow that is busy just then stays, and is counted.
    const { moved, failed, reason } = await cluster.json<OperationJson>("migrate", "web", "--from", "1", "--to", "2", "--count", "2");
    expect([moved + failed, moved > 0], reason).toEqual([2, true]);
    await cluster.json("scale", "web", "3");
    const of = { tenant: "default", deployment: "web" };
    const families = await scrape();
    for (const [name, { type, help }] of families) {
      expect(name).toMatch(/^(nfactor|process)_[a-z0-9_]+$/);
      expect(name.endsWith("_total")).toBe(type === "counter");
      expect(help).not.toBe("");
    }
    const received = sum(families, "nfactor_runtime_packets_received_total", { ...of, runtime: "0" });
    expect(received).toBeGreaterThan(FLOWS);
    expect(sum(families, "nfactor_runtime_received_bytes_total", { ...of, runtime: "0" })).toBeGreaterThan(60 * received);
    expect(sum(families, "nfactor_runtime_sent_bytes_total", { ...of, runtime: "0" })).toBeGreaterThan(0);
    const samples = sum(families, "nfactor_packet_delay_seconds_count", of);
    expect(samples).toBeGreaterThan(0);
    expect(samples).toBeLessThanOrEqual(received);
    const mean = sum(families, "nfactor_packet_delay_seconds_sum", of) / samples;
    expect(mean).toBeGreaterThan(1e-6);
    expect(mean).toBeLessThan(1);
    // What the firewall has refused, and nothing that has no reason.
    expect(sum(families, "nfactor_runtime_packets_dropped_total", { ...of, reason: "nf" })).toBeGreaterThanOrEqual(3);
    expect(sum(families, "nfactor_runtime_packets_dropped_total", { ...of, reason: "other" })).toBe(0);
    expect(sum(families, "nfactor_runtime_replicas", of)).toBeGreaterThan(0);
    for (const name of ["nfactor_runtime_flows_unprotected", "nfactor_runtime_replication_lag_updates", "nfactor_runtime_queue_full_packets_total"])
      expect(families.get(name)!.samples.length).toBeGreaterThan(1);
    for (const method of ["info", "deploy", "migrate_flows", "add_runtime"])
      expect(sum(families, "nfactor_rpc_duration_seconds_count", { method, outcome: "ok" }), method).toBeGreaterThan(0);
    expect(sum(families, "nfactor_migration_flows_total", { by: "request", outcome: "moved" })).toBe(moved);
    expect(sum(families, "nfactor_scaling_order_duration_seconds_count", { kind: "start", outcome: "ok" })).toBeGreaterThan(0);

    process.kill(await ownerOfFlows(), "SIGKILL");
    let later = families;
    const recoveries = (): number => sum(later, "nfactor_runtime_death_recovery_seconds_count", of);
    for (const until = performance.now() + 10_000; recoveries() === 0 && performance.now() < until; await pause(200)) later = await scrape();
    expect(recoveries()).toBe(1);
    // Few flows go on before anybody hears of it.
    expect(sum(later, "nfactor_runtime_death_recovery_seconds_sum", of)).toBeLessThan(10);
    await traffic.end();
  }, 90_000);
});
