/**
 * A configuration schema out of an artifact is a stranger's JSON: it is checked for being what our compiler writes before anything is checked by
 * it. Unknown keys are let pass, unknown types not; depth and size are bounded.
 */
import { NfError } from "../errors.ts";
import { type ConfigNode, type ConfigSchema, NUMBER_FORMATS } from "./schema.ts";

const DEPTH_MAX = 24;
const NODES_MAX = 4096;

/** The schema, if it is one; throws NfError nf.artifact. */
export function checkConfigSchema(json: unknown): ConfigSchema {
  const count = { nodes: 0 };
  checkNode(json, "the configuration schema", 0, count);
  if ((json as ConfigNode).type !== "object") throw broken("the configuration schema is not of an object");
  return json as ConfigSchema;
}

function checkNode(json: unknown, where: string, depth: number, count: { nodes: number }): void {
  if (depth > DEPTH_MAX || ++count.nodes > NODES_MAX) throw broken("the configuration schema is too large or too deep");
  if (!isRecord(json)) throw broken(`${where} is no object`);
  switch (json["type"]) {
    case "boolean":
      return;
    case "integer":
    case "number":
      if (!(NUMBER_FORMATS as readonly unknown[]).includes(json["format"])) throw broken(`${where} has no number format`);
      for (const bound of ["minimum", "maximum"]) if (!isBound(json[bound])) throw broken(`${where}: ${bound} is no number`);
      return;
    case "string":
      if (!isStrings(json["enum"] ?? [])) throw broken(`${where}: enum is no list of strings`);
      if (json["format"] !== undefined && typeof json["format"] !== "string") throw broken(`${where}: format is no string`);
      if (!isCount(json["maxLength"])) throw broken(`${where}: maxLength is no number`);
      return;
    case "array":
      if (!isCount(json["maxItems"])) throw broken(`${where}: maxItems is no number`);
      return checkNode(json["items"], `${where}, items`, depth + 1, count);
    case "object": {
      const properties = json["properties"];
      if (!isRecord(properties)) throw broken(`${where}: properties are missing`);
      const required = json["required"] ?? [];
      if (!isStrings(required) || !required.every((r) => Object.hasOwn(properties, r))) throw broken(`${where}: required names what is not there`);
      for (const [key, node] of Object.entries(properties)) checkNode(node, `${where}, ${key.slice(0, 64)}`, depth + 1, count);
      return;
    }
    default:
      throw broken(`${where} has an unknown type`);
  }
}

function broken(message: string): NfError {
  return new NfError("nf.artifact", message, { fix: "Build the NF again with 'nfactor build'." });
}
function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((v) => typeof v === "string");
}
function isCount(value: unknown): boolean {
  return value === undefined || (Number.isSafeInteger(value) && Number(value) >= 0);
}
function isBound(value: unknown): boolean {
  return value === undefined || Number.isFinite(value) || (typeof value === "string" && /^-?\d{1,20}$/.test(value));
}
