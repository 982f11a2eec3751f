/** Types of what hosts serve, for who calls it, and what numbers in it mean. */
import type { z } from "zod";
import type { HOST_METHODS } from "./host_methods.ts";
import type { hostInfoSchema } from "./host_methods.ts";
import type { ItemOf, ParamsOf, ResultOf } from "./method.ts";

type Methods = typeof HOST_METHODS;
export type Params<N extends keyof Methods> = ParamsOf<Methods[N]>;
export type Result<N extends keyof Methods> = ResultOf<Methods[N]>;
export type Item<N extends keyof Methods> = ItemOf<Methods[N]>;
export type HostInfo = z.output<typeof hostInfoSchema>;
export type RuntimesReport = Result<"poll_load">;
export { DELAY_BOUNDS_US, RECOVERY_BOUNDS_MS } from "../result/runtimes_result.ts";
export type { DeployedEntry, DeploymentSpec, DeploymentStatus } from "../daemon/deployment_spec.ts";
