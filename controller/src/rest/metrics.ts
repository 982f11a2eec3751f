/**
 * What Prometheus asks for: base units (seconds, bytes, packets), names `nfactor_…`, labels that are bounded: tenants, deployments and runtimes that there
 * are, routes of the table, reasons of a list. Nothing a stranger sends becomes a label.
 *
 * Counters of runtimes are those that their processes report: they begin anew with a process, as Prometheus expects of counters.
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { ToldHistogram } from "./told_histogram.ts";

const SHORT = [1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 1e-3, 1e-2];
const FLOWS = [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.5, 1, 5, 30, 120];
const CALLS = [1e-3, 5e-3, 0.02, 0.1, 0.5, 2, 10, 60, 600];

/** Who wanted it: somebody who asked, or scaling and repair. */
export type AskedBy = "request" | "controller";

export class ControllerMetrics {
  readonly registry = new Registry();
  readonly #http = this.#histogram("nfactor_http_request_duration_seconds", "Requests, from their headers to the end of their answers.", ["route"], CALLS);
  readonly #answers = this.#counter("nfactor_http_answers_total", "Answers by status.", ["route", "status"]);
  readonly #rpc = this.#histogram(
    "nfactor_rpc_duration_seconds",
    "What the controller asks hosts for, by how it ended: ok; refused, with the host's words; given_up, at its deadline; lost, with its connection.",
    ["method", "outcome"],
    CALLS,
  );
  readonly #orders = this.#histogram(
    "nfactor_scaling_order_duration_seconds",
    "What scaling and repair have decided, from the order to its end; failed: also what will be tried again.",
    ["kind", "outcome"],
    CALLS,
  );
  readonly #migration = this.#histogram("nfactor_migration_duration_seconds", "Moves of flows between runtimes, each with all its flows.", ["by"], FLOWS);
  readonly #movedFlows = this.#counter("nfactor_migration_flows_total", "Flows of those moves, by what became of them.", ["by", "outcome"]);
  readonly #swap = this.#histogram("nfactor_swap_pause_seconds", "From the burst boundary of a swap to the first burst of the new version.", [], SHORT);
  readonly #recovery = this.#histogram(
    "nfactor_recovery_duration_seconds",
    "From the order to recover a runtime's flows until the last one was.",
    ["by"],
    FLOWS,
  );
  readonly #recoveredFlows = this.#counter("nfactor_recovery_flows_total", "Flows of those recoveries, by what became of them.", ["by", "outcome"]);
  readonly #refused = this.#counter("nfactor_http_unauthorized_total", "Requests with no token, or one that is not good.", ["reason"]);
  readonly #auditFailures = this.#counter("nfactor_audit_failures_total", "Changes whose audit record could not be written.", []);

  /** `method` is one of HOST_METHODS. */
  observeRpc(method: string, outcome: "ok" | "refused" | "given_up" | "lost", seconds: number): void {
    this.#rpc.observe({ method, outcome }, seconds);
  }

  observeOrder(kind: string, outcome: "ok" | "failed", seconds: number): void {
    this.#orders.observe({ kind, outcome }, seconds);
  }

  /** Of a migration or drain that took place. */
  observeMigration(by: AskedBy, { moved, failed, duration_ns }: { readonly moved: number; readonly failed: number; readonly duration_ns: number }): void {
    this.#migration.observe({ by }, duration_ns / 1e9);
    this.#movedFlows.inc({ by, outcome: "moved" }, moved);
    this.#movedFlows.inc({ by, outcome: "stayed" }, failed);
  }

  observeSwap({ pause_ns }: { readonly pause_ns: number }): void {
    this.#swap.observe(pause_ns / 1e9);
  }

  observeRecovery(by: AskedBy, { recovered, lost, duration_ns }: { readonly recovered: number; readonly lost: number; readonly duration_ns: number }): void {
    this.#recovery.observe({ by }, duration_ns / 1e9);
    this.#recoveredFlows.inc({ by, outcome: "recovered" }, recovered);
    this.#recoveredFlows.inc({ by, outcome: "lost" }, lost);
  }

  observeHttp(route: string, status: number, seconds: number): void {
    this.#http.observe({ route }, seconds);
    this.#answers.inc({ route, status: String(status) });
  }

  countRefused(reason: "token" | "rate"): void {
    this.#refused.inc({ reason });
  }

  countAuditFailure(): void {
    this.#auditFailures.inc();
  }

  gauge<L extends string>(name: string, help: string, labelNames: readonly L[] = []): Gauge<L> {
    return new Gauge({ name, help, labelNames: [...labelNames], registers: [this.registry] });
  }

  counter<L extends string>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    return this.#counter(name, help, labelNames);
  }

  /** Of what hosts have counted; see ToldHistogram. */
  told<L extends string>(name: string, help: string, bounds: readonly number[]): ToldHistogram<L> {
    return new ToldHistogram<L>({ name, help, bounds, registry: this.registry });
  }

  #counter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
    return new Counter({ name, help, labelNames: [...labelNames], registers: [this.registry] });
  }

  #histogram<L extends string>(name: string, help: string, labelNames: readonly L[], buckets: readonly number[]): Histogram<L> {
    return new Histogram({ name, help, labelNames: [...labelNames], buckets: [...buckets], registers: [this.registry] });
  }
}
