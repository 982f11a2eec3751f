/**
 * `buildNf`: from an NF's folder to its artifact.
 *
 * The result is kept in <folder>/build under a key of everything that it depends on (the NF's sources and manifest, the SDK's library, compiler
 * and packer, the compiler's version), so that a second call only reads. Files are written aside and renamed: a reader sees
 * the old artifact or the new one.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { LIMITS } from "../abi/gen/abi.ts";
import { NfError } from "../errors.ts";
import type { ConfigSchema } from "../config/schema.ts";
import { MANIFEST_FILE, type Manifest, readManifest } from "../manifest/manifest.ts";
import type { StateSchema } from "../manifest/state_schema.ts";
import { packComponent, stripCustomSections, unpackComponent } from "../pack/index.ts";
import { ASCONFIG, SDK, compileNf, readSource } from "./compile.ts";
import { type BuildWarning, warningsOf } from "./diagnostics.ts";

export interface BuiltNf {
  name: string;
  version: string;
  /** The NF's folder, absolute. */
  folder: string;
  manifest: Manifest;
  /** The core module, without custom sections. */
  core: Uint8Array;
  /** The artifact: the component around the core module, with its metadata. */
  component: Uint8Array;
  /** Where the artifact lies. */
  componentPath: string;
  /** SHA-256 of the core module, hex: what names a module everywhere. */
  digest: string;
  stateSchema: StateSchema;
  configSchema: ConfigSchema;
  /** Where the source map of the core module lies. */
  sourceMap: string;
  warnings: BuildWarning[];
  /** True when nothing had to be compiled. */
  cached: boolean;
}

export interface BuildOptions {
  /** Compile even if the result is there. */
  force?: boolean;
  /** Where results go instead of <folder>/build. */
  outFolder?: string;
}

/** What is kept besides the artifact and the source map. */
interface Kept {
  key: string;
  /** Digests of the two files, so that a pair that does not fit (a write cut off between them) is not used. */
  files: { component: string; sourceMap: string };
  digest: string;
  stateSchema: StateSchema;
  configSchema: ConfigSchema;
  warnings: BuildWarning[];
}

/** Builds the NF in `folder`; throws NfError (manifest.*, build.no_source, build.compile, pack.component). */
export async function buildNf(folder: string, options: BuildOptions = {}): Promise<BuiltNf> {
  const root = resolve(folder);
  const manifest = readManifest(join(root, MANIFEST_FILE), join(folder, MANIFEST_FILE)).value;
  if (readSource(root, manifest.entry) === null) {
    throw new NfError("build.no_source", `${join(folder, manifest.entry)} does not exist`, {
      where: { file: join(folder, MANIFEST_FILE) },
      fix: "Set 'entry' to the file with the NF's class.",
    });
  }
  const out = options.outFolder ?? join(root, "build");
  const paths = { component: join(out, `${manifest.name}.wasm`), sourceMap: join(out, `${manifest.name}.wasm.map`), core: join(out, `${manifest.name}.core.wasm`), kept: join(out, `${manifest.name}.build.json`) };
  const key = buildKey(root);
  const found = options.force ? undefined : readKept(paths, key);
  if (found) return { ...describe(manifest, root, paths), ...found, cached: true };

  const compiled = await compileNf(root, manifest, folder);
  const core = stripCustomSections(compiled.binary);
  if (core.length > LIMITS.module_bytes_max) {
    throw new NfError("build.compile", `the module has ${core.length} bytes`, { where: { file: join(folder, manifest.entry) }, allowed: `at most ${LIMITS.module_bytes_max}` });
  }
  const digest = sha256(core);
  const { stateSchema, configSchema } = compiled;
  const component = await packComponent(core, { manifest, stateSchema, configSchema });
  const warnings = warningsOf(compiled.warnings, (name) => readSource(root, name));
  const files = { component: sha256(component), sourceMap: sha256(Buffer.from(compiled.sourceMap)) };
  const kept: Kept = { key, files, digest, stateSchema, configSchema, warnings };
  mkdirSync(out, { recursive: true });
  writeAtomically(paths.sourceMap, compiled.sourceMap);
  writeAtomically(paths.component, component);
  // Last: whoever reads this finds the others complete.
  writeAtomically(paths.kept, JSON.stringify(kept));
  return { ...describe(manifest, root, paths), core, component, digest, stateSchema, configSchema, warnings, cached: false };
}

type Paths = Record<"component" | "sourceMap" | "kept", string>;

function describe(manifest: Manifest, folder: string, paths: Paths): Pick<BuiltNf, "name" | "version" | "folder" | "manifest" | "componentPath" | "sourceMap"> {
  return { name: manifest.name, version: manifest.version, folder, manifest, componentPath: paths.component, sourceMap: paths.sourceMap };
}

type Found = Pick<BuiltNf, "core" | "component" | "digest" | "stateSchema" | "configSchema" | "warnings">;

function readKept(paths: Paths, key: string): Found | undefined {
  try {
    const kept = JSON.parse(readFileSync(paths.kept, "utf8")) as Kept;
    const component = new Uint8Array(readFileSync(paths.component));
    const isWhole = sha256(component) === kept.files.component && sha256(readFileSync(paths.sourceMap)) === kept.files.sourceMap;
    if (kept.key !== key || !isWhole) return undefined;
    const { core } = unpackComponent(component);
    return { core, component, digest: kept.digest, stateSchema: kept.stateSchema, configSchema: kept.configSchema, warnings: kept.warnings };
  } catch {
    return undefined;
  }
}

/** A digest of all that the result depends on. */
function buildKey(root: string): string {
  const hash = createHash("sha256");
  const add = (name: string, path: string): void => void hash.update(`${name}\0`).update(readFileSync(path)).update("\0");
  for (const path of filesBelow(root, "", /\.(ts|yaml)$/)) add(path, join(root, path));
  for (const folder of ["assembly", "abi/gen", "transform", "build", "config", "manifest", "pack", "wit"]) {
    for (const path of filesBelow(join(SDK, folder), "", /(?<!\.test)\.(ts|wit)$/)) add(`sdk/${folder}/${path}`, join(SDK, folder, path));
  }
  add("sdk/package.json", join(SDK, "package.json"));
  add("asconfig.json", ASCONFIG);
  return hash.digest("hex");
}

function filesBelow(root: string, under: string, pattern: RegExp): string[] {
  return readdirSync(join(root, under), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = under === "" ? entry.name : `${under}/${entry.name}`;
      if (entry.isDirectory()) return ["build", "node_modules", "test"].includes(entry.name) || entry.name.startsWith(".") ? [] : filesBelow(root, path, pattern);
      return pattern.test(entry.name) && !entry.name.endsWith(".test.ts") && statSync(join(root, path)).isFile() ? [path] : [];
    });
}

function writeAtomically(path: string, content: Uint8Array | string): void {
  const aside = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(aside, content);
    renameSync(aside, path);
  } catch (error) {
    rmSync(aside, { force: true });
    throw error;
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
