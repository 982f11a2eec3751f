/** The host as a library: what the command line is made of, for the demo, the benchmarks and the end-to-end tests. */
export { type ChainFlags, type EntryPlan, type Plan, makePlan } from "./config/plan.ts";
export { type HostConfig, CONFIG_FILE, defaultConfig, parseHostConfig, readHostConfig } from "./config/host_config.ts";
export { loadAddon, startAddon } from "./dataplane/addon.ts";
export { AddonDataplane } from "./dataplane/addon_dataplane.ts";
export { type Dataplane } from "./dataplane/dataplane.ts";
export type * from "./dataplane/native_types.ts";
export { nfSpec, runtimeSpec } from "./dataplane/runtime_spec.ts";
export { Runtimes } from "./dataplane/runtimes.ts";
export { prepareChain } from "./nf/chain.ts";
export { compileNf } from "./nf/compile.ts";
export { type PreparedNf } from "./nf/prepare.ts";
export { NFACTOR, ROOT, SHIPPED_NFS, VERSION } from "./package.ts";
export { type FlowJson, type RunResult, runResultSchema } from "./result/run_result.ts";
export { ControlClient, findHost } from "./rpc/client.ts";
export { runCapture } from "./run/capture_run.ts";
export { runLive } from "./run/live_run.ts";
