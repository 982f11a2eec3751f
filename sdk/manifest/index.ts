/** What an artifact says about itself: manifest (nf.yaml) and state schema; and the YAML reader with positions. */
export * from "./manifest.ts";
export * from "./state_schema.ts";
export * from "./yaml_file.ts";
export * from "./suggest.ts";
export * from "./state_values.ts";
