/** Configurations of NFs: their schema, and the bytes that an NF reads. Light: loads no compiler. */
export { ConfigError, encodeConfig } from "./encode.ts";
export { checkConfigSchema } from "./check_schema.ts";
export type { ConfigNode, ConfigSchema } from "./schema.ts";
