/** The rules on what an artifact says about itself: manifest, state schema, configuration schema. The JSON is a stranger's. */
import type { z } from "zod";
import { type ConfigSchema, checkConfigSchema } from "../config/index.ts";
import { NfError } from "../errors.ts";
import { type Manifest, type StateSchema, describeIssue, manifestSchema, stateSchema } from "../manifest/index.ts";
import type { Metadata } from "../pack/index.ts";
import { type Report, type RuleId, printable } from "./rules.ts";

const TEXT_MAX = 300;

export interface CheckedMetadata {
  manifest: Manifest | undefined;
  stateSchema: StateSchema | undefined;
  configSchema: ConfigSchema | undefined;
}

/** What is missing in `metadata` was refused before, and is left out. */
export function checkMetadata(metadata: Partial<Metadata>, report: Report): CheckedMetadata {
  const { manifest, stateSchema: state, configSchema: config } = metadata;
  return {
    manifest: manifest === undefined ? undefined : parse("manifest", manifestSchema, manifest, report),
    stateSchema: state === undefined ? undefined : parse("state_schema", stateSchema, state, report),
    configSchema: config === undefined ? undefined : parseConfigSchema(config, report),
  };
}

/** The slot has to be the one that the module's exports declare. */
export function checkStateAgrees(schema: StateSchema, stateBytes: number | undefined, stateVersion: number | undefined, report: Report): void {
  if (stateBytes !== undefined && schema.bytes !== stateBytes) {
    report.refuse("state_schema", schema.bytes, `the state schema is of ${schema.bytes} bytes, state-bytes is ${stateBytes}`, stateBytes);
  }
  if (stateVersion !== undefined && schema.version !== stateVersion) {
    report.refuse("state_schema", schema.version, `the state schema has version ${schema.version}, state-version is ${stateVersion}`, stateVersion);
  }
}

function parse<S extends z.ZodType>(rule: RuleId, schema: S, json: unknown, report: Report): z.output<S> | undefined {
  const parsed = schema.safeParse(json, { reportInput: true });
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) {
    const { message, given, allowed } = describeIssue(issue, () => ({ file: "" }), schema);
    report.refuse(
      rule,
      printable(given ?? "missing", TEXT_MAX),
      printable(message.replace(/^the file /, "it "), TEXT_MAX),
      allowed === undefined ? undefined : printable(allowed, TEXT_MAX),
    );
  }
  return undefined;
}

function parseConfigSchema(json: unknown, report: Report): ConfigSchema | undefined {
  try {
    return checkConfigSchema(json);
  } catch (error) {
    if (!(error instanceof NfError)) throw error;
    report.refuse("config_schema", "misfit", printable(error.message, TEXT_MAX));
    return undefined;
  }
}
