/** From an NF's folder to its artifact. Loads the compiler; a host that only runs artifacts imports @nfactor/sdk/config instead. */
export { type BuildOptions, type BuiltNf, buildNf } from "./build.ts";
export type { BuildWarning } from "./diagnostics.ts";
export { ConfigError, encodeConfig } from "./config.ts";
export type { ConfigSchema } from "../config/index.ts";
export { stateToJson } from "../manifest/state_values.ts";
