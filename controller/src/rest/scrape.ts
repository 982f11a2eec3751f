/** One scrape: what the cluster, its hosts and this process are at this moment, and the text of all metrics. */
import type { Counter, Gauge } from "prom-client";
import { DELAY_BOUNDS_US, RECOVERY_BOUNDS_MS, type RuntimesReport } from "@nfactor/host/cluster";
import { DROP_REASON_DOCS } from "@nfactor/sdk/abi";
import type { Services } from "./route.ts";
import type { ControllerMetrics } from "./metrics.ts";
import type { ToldHistogram } from "./told_histogram.ts";

export type ScrapeServices = Pick<Services, "cluster" | "store" | "metrics" | "limits" | "clock">;
type Runtime = RuntimesReport["runtimes"][number];
type Labels = "tenant" | "deployment" | "runtime";
const LABELS = ["tenant", "deployment", "runtime"] as const;

interface Field {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  /** Undefined: this runtime has no such series. */
  value(runtime: Runtime): number | undefined;
}

const counter = (name: string, help: string, value: Field["value"]): Field => ({
  name: `nfactor_runtime_${name}_total`,
  help,
  type: "counter",
  value,
});
const gauge = (name: string, help: string, value: Field["value"]): Field => ({ name: `nfactor_runtime_${name}`, help, type: "gauge", value });

/** Of each runtime; runtime 0 is the virtual switch. */
const FIELDS: readonly Field[] = [
  gauge("up", "1 while its process lives and is heard of.", ({ state, unreachable }) => (state === "down" || unreachable === true ? 0 : 1)),
  gauge("flows", "Open flows; of the virtual switch, its route entries.", ({ flows }) => flows),
  counter("packets_received", "Packets.", ({ received }) => received),
  counter("packets_sent", "Packets.", ({ sent }) => sent),
  counter("received_bytes", "Bytes of those packets, without what the wire adds.", ({ received_bytes }) => received_bytes),
  counter("sent_bytes", "Bytes of those packets, without what the wire adds.", ({ sent_bytes }) => sent_bytes),
  counter(
    "queue_full_packets",
    "Packets that the virtual switch dropped since this runtime's queue was full; they are among the switch's own drops too, as runtime_full.",
    ({ runtime, runtime_full }) => (runtime === 0 ? undefined : runtime_full),
  ),
  gauge("packets_held", "Packets that wait for something.", ({ held }) => held),
  gauge("packets_queued", "Packets that wait in its input ring.", ({ queued }) => queued),
  counter("flows_moved_in", "Flows.", ({ moved_in }) => moved_in),
  counter("flows_moved_out", "Flows.", ({ moved_out }) => moved_out),
  gauge("flows_moving", "Flows that are moving away now.", ({ under_way }) => under_way),
  gauge("flows_unprotected", "With replication: flows without a replica, or without all of it.", ({ unprotected }) => unprotected),
  gauge("replicas", "Replicas of others' flows that it keeps.", ({ replicas }) => replicas),
  gauge("replication_lag_updates", "Updates on their way to replicas.", ({ replication_lag }) => replication_lag),
  counter("flows_recovered", "Flows that it made of replicas after their runtime's death.", ({ recovered }) => recovered),
  counter("flows_state_lost", "Flows that began anew, since their state died with a runtime.", ({ state_lost }) => state_lost),
  counter("busy_seconds", "Time of its lcore with work in it.", ({ busy_us }) => busy_us / 1e6),
  counter("restarts", "How often its process was started again.", ({ restarts = 0 }) => restarts),
];

/** Packets that went nowhere, by reason. */
const DROPS = "nfactor_runtime_packets_dropped_total";
const REASONS: ReadonlySet<string> = new Set([...Object.keys(DROP_REASON_DOCS), "nf"]);
/** What a link of a member does not take, in its words. */
const LINK_REASONS: ReadonlySet<string> = new Set(["malformed", "unsound", "forged", "replayed", "wrong_life", "unknown_member", "forward_full", "no_room"]);

/** The reasons are those of the lists above, whatever a host says. Together with what has no reason, as of an older host, they are all that it dropped. */
function reasonsOf({ dropped, drops, missed, refused_frames = {} }: Runtime): readonly (readonly [reason: string, n: number])[] {
  const sums = new Map<string, number>();
  const add = (reason: string, n: number): void => void sums.set(reason, (sums.get(reason) ?? 0) + n);
  for (const [reason, n] of Object.entries(drops)) add(REASONS.has(reason) ? reason : "other", n);
  const named = [...sums.values()].reduce((sum, n) => sum + n, 0);
  if (dropped > named) add("other", dropped - named);
  add("missed", missed);
  for (const [reason, n] of Object.entries(refused_frames)) add(LINK_REASONS.has(reason) ? `link_${reason}` : "link_other", n);
  return [...sums];
}

export class Scrape {
  readonly #services: ScrapeServices;
  readonly #metrics: ControllerMetrics;
  readonly #fields: readonly { readonly field: Field; readonly metric: Counter<Labels> | Gauge<Labels> }[];
  readonly #drops: Counter<Labels | "reason">;
  readonly #nfFaults: Counter<"tenant" | "deployment" | "nf">;
  readonly #nfQuarantined: Gauge<"tenant" | "deployment" | "nf">;
  readonly #delays: ToldHistogram<"tenant" | "deployment">;
  readonly #recoveries: ToldHistogram<"tenant" | "deployment">;
  readonly #leftOut: Counter<string>;
  readonly #lastSeconds: Gauge<string>;
  readonly #set: readonly [name: string, gauge: Gauge<string>][];
  readonly #deployments: Gauge<"state">;
  readonly #cpu: Counter<string>;
  readonly #openStreams: () => number;

  constructor(services: ScrapeServices, openStreams: () => number) {
    const { metrics } = services;
    this.#services = services;
    this.#metrics = metrics;
    this.#openStreams = openStreams;
    this.#fields = FIELDS.map((field) => ({ field, metric: metrics[field.type](field.name, field.help, LABELS) }));
    this.#drops = metrics.counter(
      DROPS,
      "Packets that went nowhere, by reason (docs/abi.md); nf: dropped by the NFs; missed: lost by the interfaces before anybody took them.",
      [...LABELS, "reason"],
    );
    const ofNf = ["tenant", "deployment", "nf"] as const;
    this.#nfFaults = metrics.counter("nfactor_nf_faults_total", "Faults of an entry's NF, over all runtimes.", [...ofNf]);
    this.#nfQuarantined = metrics.gauge("nfactor_nf_quarantined", "1 while an entry's NF gets no packets, since it faulted too often.", [...ofNf]);
    this.#delays = metrics.told<"tenant" | "deployment">(
      "nfactor_packet_delay_seconds",
      "How long packets were in a deployment, from interface to interface; of a sample, one in 50 µs at most, those that were dropped left out.",
      DELAY_BOUNDS_US.map((us) => us / 1e6),
    );
    this.#recoveries = metrics.told<"tenant" | "deployment">(
      "nfactor_runtime_death_recovery_seconds",
      "With replication: from when its supervisor saw a runtime's death until the last of its flows went on elsewhere; 0 if all did by then. What 'nfactor recover' took is in nfactor_recovery_duration_seconds.",
      RECOVERY_BOUNDS_MS.map((ms) => ms / 1e3),
    );
    this.#leftOut = metrics.counter("nfactor_metrics_series_left_out_total", "Series of runtimes that scrapes had no room for.");
    this.#lastSeconds = metrics.gauge("nfactor_scrape_duration_seconds", "How long the scrape before this one took.");
    this.#deployments = metrics.gauge("nfactor_deployments", "Deployments by state.", ["state"]);
    this.#cpu = metrics.counter("process_cpu_seconds_total", "CPU time of the controller.");
    const single = (name: string, help: string): [string, Gauge<string>] => [name, metrics.gauge(name, help)];
    this.#set = [
      single("nfactor_up", "1 while the controller can do its work."),
      single("nfactor_hosts", "Hosts that are known."),
      single("nfactor_hosts_connected", "Hosts that are connected."),
      single("nfactor_http_streams", "Streams that are open, and operations that nobody waits for."),
      single("nfactor_store_entries", "Keys in the store."),
      single("nfactor_store_bytes", "Keys and values of the store, its history included."),
      single("nfactor_artifact_bytes", "Blobs of the artifact registry."),
      single("process_resident_memory_bytes", "Memory of the controller."),
      single("process_start_time_seconds", "When the controller was started, seconds since 1970."),
    ];
  }

  async text(): Promise<string> {
    const { clock } = this.#services;
    const beganMs = clock.nowMs();
    this.#runtimes();
    await this.#cluster();
    const text = await this.#metrics.registry.metrics();
    this.#lastSeconds.set((clock.nowMs() - beganMs) / 1000);
    return text;
  }

  get type(): string {
    return this.#metrics.registry.contentType;
  }

  #runtimes(): void {
    for (const { metric } of this.#fields) metric.reset();
    this.#drops.reset();
    this.#nfFaults.reset();
    this.#nfQuarantined.reset();
    this.#delays.forget();
    this.#recoveries.forget();
    let room = this.#services.limits.series;
    for (const { deployment, report } of this.#services.cluster.load()) {
      const [tenant = "", name = ""] = deployment.split("/");
      for (const { entry, faults, quarantined } of report.nfs ?? []) {
        if (room < 2) {
          this.#leftOut.inc(2);
          continue;
        }
        room -= 2;
        this.#nfFaults.inc({ tenant, deployment: name, nf: entry }, faults);
        this.#nfQuarantined.set({ tenant, deployment: name, nf: entry }, quarantined ? 1 : 0);
      }
      for (const runtime of report.runtimes) {
        const labels = { tenant, deployment: name, runtime: String(runtime.runtime) };
        const drops = reasonsOf(runtime);
        const values = this.#fields.flatMap(({ field, metric }) => {
          const value = field.value(runtime);
          return value === undefined ? [] : [{ metric, value }];
        });
        const { delay, recoveries } = runtime;
        const series = values.length + drops.length + (delay ? this.#delays.series : 0) + (recoveries ? this.#recoveries.series : 0);
        if (room < series) {
          this.#leftOut.inc(series);
          continue;
        }
        room -= series;
        for (const { metric, value } of values) metric.inc(labels, value);
        if (delay) this.#delays.tell({ tenant, deployment: name }, { counts: delay.counts, sum: delay.sum_us / 1e6 });
        if (recoveries) this.#recoveries.tell({ tenant, deployment: name }, { counts: recoveries.counts, sum: recoveries.sum_ms / 1000 });
        for (const [reason, n] of drops) this.#drops.inc({ ...labels, reason }, n);
      }
    }
  }

  async #cluster(): Promise<void> {
    const { cluster, store } = this.#services;
    const [health, deployments, status] = await Promise.all([cluster.health(), cluster.deployments(), store.status()]);
    const cpu = process.cpuUsage();
    const values: Readonly<Record<string, number>> = {
      nfactor_up: health.ok ? 1 : 0,
      nfactor_hosts: health.hosts,
      nfactor_hosts_connected: health.hosts_connected,
      nfactor_http_streams: this.#openStreams(),
      nfactor_store_entries: status.entries,
      nfactor_store_bytes: status.bytes,
      nfactor_artifact_bytes: cluster.artifacts.bytes,
      process_resident_memory_bytes: process.memoryUsage.rss(),
      process_start_time_seconds: Math.floor(Date.now() / 1000 - process.uptime()),
    };
    for (const [name, metric] of this.#set) metric.set(values[name]!);
    this.#cpu.reset();
    this.#cpu.inc((cpu.user + cpu.system) / 1e6);
    this.#deployments.reset();
    for (const state of ["running", "behind", "failed", "host_away", "ending"] as const)
      this.#deployments.set({ state }, deployments.filter((view) => view.state === state).length);
  }
}
