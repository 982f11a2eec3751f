/**
 * nf.yaml: what an NF is called, what it may do to packets, and what becomes of it when it faults. Its JSON schema is published as
 * nf.schema.json (written by `npm run generate`). State layout and configuration schema are not in it: the compiler writes those.
 */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { LIMITS } from "../abi/gen/abi.ts";
import { NfError } from "../errors.ts";
import { type Located, parseYamlFile } from "./yaml_file.ts";

export const MANIFEST_FILE = "nf.yaml";

/** Names of NFs, drop reasons, counters: they become parts of counter names and of JSON keys. */
export const nameSchema = z.string().regex(/^[a-z][a-z0-9_]{0,62}$/, "a name is a lower-case letter, then letters, digits and underscores, 63 at most");

export const rightsSchema = z
  .strictObject({
    view: z.enum(["headers", "payload"]).default("headers").describe("What the NF sees of each packet."),
    edit: z.enum(["none", "headers", "payload"]).default("none").describe("What it may change; payload includes headers."),
    reshape: z.boolean().default(false).describe("May change the packet's length or its headers' structure."),
    reply: z.boolean().default(false).describe("May send a packet back to where it came from."),
    emits: z.int().min(0).max(LIMITS.emits_per_packet_max).default(0).describe("Frames it may send of its own, per packet."),
    lease: z.boolean().default(false).describe("Gets a leased value for each new flow."),
  })
  .superRefine((rights, context) => {
    if (rights.edit === "payload" && rights.view !== "payload") {
      context.addIssue({ code: "custom", path: ["view"], message: "edit: payload needs view: payload", input: rights.view });
    }
    if (rights.reshape && rights.edit === "none") {
      context.addIssue({ code: "custom", path: ["edit"], message: "reshape: true needs edit: headers or edit: payload", input: rights.edit });
    }
  });

const OWN_REASONS = /^(12[89]|1[3-9][0-9]|2[0-4][0-9]|25[0-5])$/;

export const manifestSchema = z
  .strictObject({
    apiVersion: z.literal("nfactor/v1"),
    name: nameSchema,
    version: z
      .string("a version is major.minor.patch, like 1.0.0")
      .max(64)
      .regex(/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/, "a version is major.minor.patch, like 1.0.0"),
    description: z.string().max(1000).optional(),
    entry: z
      .string()
      .max(255)
      .regex(/^(?!\/)(?!.*(^|\/)\.\.(\/|$))[\w./-]+\.ts$/, "the entry is a .ts file inside the NF's folder")
      .default("assembly/index.ts"),
    rights: rightsSchema.prefault({}),
    drop_reasons: z
      .record(z.string().regex(OWN_REASONS, "an NF's own drop reasons have numbers from 128 to 255"), nameSchema)
      .default({})
      .describe("Names of the NF's own drop reasons, 128 to 255."),
    counters: z.array(nameSchema).max(LIMITS.counters_max).default([]).describe("Names of the NF's own counters, from number 0 on."),
    on_fault: z.enum(["drop", "close_flow", "bypass"]).default("close_flow").describe("What becomes of a packet on which the NF faults, and of its flow."),
    quarantine: z.enum(["closed", "open"]).default("closed").describe("After too many faults: closed drops the NF's packets, open lets them pass it."),
    heap_pages: z.int().min(1).max(LIMITS.heap_pages_max).default(1).describe("64 KiB pages for static data and heap."),
  })
  .superRefine((manifest, context) => {
    const reasons = Object.entries(manifest.drop_reasons);
    duplicates(reasons.map(([, name]) => name)).forEach((i) =>
      context.addIssue({ code: "custom", path: ["drop_reasons", reasons[i]![0]], message: "another reason has this name", input: reasons[i]![1] }),
    );
    duplicates(manifest.counters).forEach((i) =>
      context.addIssue({ code: "custom", path: ["counters", i], message: "another counter has this name", input: manifest.counters[i] }),
    );
  });

export type Manifest = z.output<typeof manifestSchema>;
export type Rights = z.output<typeof rightsSchema>;

function duplicates(names: readonly string[]): number[] {
  return names.flatMap((name, i) => (names.indexOf(name) < i ? [i] : []));
}

/** Parses the text of an nf.yaml; throws NfError (manifest.yaml, manifest.field) with the position. */
export function parseManifest(text: string, file = MANIFEST_FILE): Located<Manifest> {
  return parseYamlFile(text, file, manifestSchema, { yaml: "manifest.yaml", field: "manifest.field" });
}

/** Reads and parses an nf.yaml; throws NfError (manifest.not_found besides those of `parseManifest`). `shown` is how messages name the file. */
export function readManifest(path: string, shown = path): Located<Manifest> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new NfError("manifest.not_found", `${shown} cannot be read`, {
      cause,
      where: { file: shown },
      fix: "An NF is a folder with an nf.yaml; 'nfactor init' makes one.",
    });
  }
  return parseManifest(text, shown);
}

/** The JSON schema of nf.yaml, as it is published. */
export function manifestJsonSchema(): object {
  return { $id: "urn:nfactor:schema:nf.yaml", title: "nf.yaml", ...z.toJSONSchema(manifestSchema, { io: "input" }) };
}
