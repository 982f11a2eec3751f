/** Who counts what the cluster does by itself; the names and labels are rest/metrics.ts's. */
import type { Decision } from "../scaling/index.ts";

export interface ClusterMetrics {
  /** Scaling has moved flows, or emptied a runtime. */
  observeMigration(by: "controller", moved: { readonly moved: number; readonly failed: number; readonly duration_ns: number }): void;
  /** What scaling or repair has decided was carried out, or was not. */
  observeOrder(kind: Decision["kind"], outcome: "ok" | "failed", seconds: number): void;
}
