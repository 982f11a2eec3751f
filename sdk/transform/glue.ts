/**
 * The exports, written from the NF's class. They are functions of the entry file (so that the author's names mean there what they mean to the
 * author), and a file of one export statement makes them the module's exports, under the names of the ABI.
 */
import * as as from "assemblyscript";
import { ABI_VERSION } from "../abi/gen/abi.ts";
import type { StateSchema } from "../manifest/state_schema.ts";
import { GENERATED_PREFIX, parseGenerated, textOf } from "./ast.ts";
import { NodeKind, CommonFlags, SourceKind } from "./enums.ts";
import type { MethodName, NfClass } from "./find_nf.ts";
import { HIDDEN } from "./flow_state.ts";

/** Which optional export each method is for. */
const OPTIONAL: Partial<Record<MethodName, string>> = {
  timer: "flow-timer",
  tick: "tick",
  migrationTarget: "migration-target",
  arrived: "flow-arrived",
  left: "flow-left",
  migrateState: "migrate-state",
};

export interface GlueOptions {
  /** The configuration's decoder: an expression of the entry file; undefined for NoConfig. */
  decode: string | undefined;
}

/** Names of the ABI that the module will export, besides `memory` and `init`. */
export function exportNames(nf: NfClass): string[] {
  const optional = [...nf.methods.keys()].flatMap((m) => OPTIONAL[m] ?? []);
  return ["abi-version", "state-bytes", "state-version", "configure", "process-burst", "flow-close", ...optional];
}

const internal = (name: string): string => `${HIDDEN}${name.replaceAll("-", "_")}`;

function glueText(nf: NfClass, options: GlueOptions): string {
  const name = nf.declaration.name.text;
  const self = `changetype<${name}>(0)`;
  const state = (pointer: string): string => `changetype<${textOf(nf.state)}>(${pointer})`;
  const flow = `changetype<${HIDDEN}Flow>(<usize>flow)`;
  const has = (method: MethodName): boolean => nf.methods.has(method);
  const out: string[] = [
    `import { Flow as ${HIDDEN}Flow } from "@nfactor/sdk/flow";`,
    `import { Packet as ${HIDDEN}Packet } from "@nfactor/sdk/packet";`,
    `import { ${["glueBurst", "gluePacket", "glueNoPacket", "glueIsFirst", "glueState", "glueVerdict"].map((n) => `${n} as ${HIDDEN}${n}`).join(", ")} } from "@nfactor/sdk/glue";`,
    `export function ${internal("abi-version")}(): u32 { return ${ABI_VERSION}; }`,
    // Both are replaced when the layout is known.
    `export function ${internal("state-bytes")}(): u32 { return ${HIDDEN}stateBytes; }`,
    `export function ${internal("state-version")}(): u32 { return ${HIDDEN}stateVersion; }`,
    `const ${HIDDEN}stateBytes: u32 = 0;`,
    `const ${HIDDEN}stateVersion: u32 = 0;`,
    configureText(nf, self, options),
    `export function ${internal("process-burst")}(n: u32): void {
      const first = ${HIDDEN}glueBurst();
      const end = first + (<usize>n << 6);
      for (let d = first; d < end; d += 64) {
        ${HIDDEN}gluePacket(d);
        const s = ${HIDDEN}glueState(d);
        ${has("open") ? `if (${HIDDEN}glueIsFirst(d)) ${self}.open(changetype<${HIDDEN}Packet>(d), ${state("s")});` : ""}
        ${HIDDEN}glueVerdict(d, ${self}.process(changetype<${HIDDEN}Packet>(d), ${state("s")}));
      }
      ${HIDDEN}glueNoPacket();
    }`,
    `export function ${internal("flow-close")}(flow: u32, state: u32, reason: u32): void {
      ${has("close") ? `${self}.close(${flow}, ${state("<usize>state")}, <i32>reason);` : ""}
    }`,
  ];
  if (has("timer")) {
    out.push(`export function ${internal("flow-timer")}(flow: u32, state: u32, nowNs: u64): void { ${self}.timer(${flow}, ${state("<usize>state")}, nowNs); }`);
  }
  if (has("tick")) out.push(`export function ${internal("tick")}(nowMs: u64): void { ${self}.tick(nowMs); }`);
  if (has("migrationTarget")) {
    out.push(
      `export function ${internal("migration-target")}(cluster: u32, n: u32, flow: u32, state: u32): u32 { return <u32>${self}.migrationTarget(cluster, n, ${flow}, ${state("<usize>state")}); }`,
    );
  }
  if (has("arrived")) {
    out.push(
      `export function ${internal("flow-arrived")}(flow: u32, state: u32, reason: u32): u32 { return <u32>${self}.arrived(${flow}, ${state("<usize>state")}, reason); }`,
    );
  }
  if (has("left")) out.push(`export function ${internal("flow-left")}(flow: u32, state: u32): void { ${self}.left(${flow}, ${state("<usize>state")}); }`);
  if (has("migrateState")) {
    out.push(
      `export function ${internal("migrate-state")}(fromVersion: u32, old: u32, oldBytes: u32, to: u32): u32 { return ${self}.migrateState(fromVersion, <usize>old, oldBytes, ${state("<usize>to")}) ? 0 : 1; }`,
    );
  }
  return out.join("\n");
}

function configureText(nf: NfClass, self: string, { decode }: GlueOptions): string {
  const method = nf.methods.get("configure");
  const returns = method !== undefined && textOf(method.signature.returnType) !== "void";
  const call = (value: string): string =>
    method === undefined ? "return 0;" : returns ? `return <u32>${self}.configure(${value});` : `${self}.configure(${value}); return 0;`;
  const config = textOf(nf.config);
  const head = `export function ${internal("configure")}(ptr: u32, length: u32): u32 {`;
  // Without a configuration there is nothing to read; the host sends an empty array or nothing.
  if (decode === undefined) return `${head} if (length > 1) return 0xffff0001; ${call(`new ${config}()`)} }`;
  return `import { configBegin as ${HIDDEN}begin, configEnd as ${HIDDEN}end } from "@nfactor/sdk/config_reader";
    ${head}
      if (length == 0) { ${call(`new ${config}()`)} }
      ${HIDDEN}begin(ptr, length);
      const c = ${decode};
      const failure = ${HIDDEN}end();
      if (failure != 0) return failure;
      ${call("c")}
    }`;
}

/** Adds the exports to the program. */
export function addGlue(parser: as.Parser, nf: NfClass, options: GlueOptions): void {
  const statements = parseGenerated(parser, "exports", glueText(nf, options));
  nf.source.statements.push(...statements);
  // Only this file's exports become the module's.
  nf.source.sourceKind = SourceKind.User;
  nf.declaration.flags |= CommonFlags.Export;
  const process = nf.methods.get("process")!;
  const range = process.name.range;
  (process.decorators ??= []).push(as.Node.createDecorator(as.Node.createIdentifierExpression("inline", range), null, range));
  const names = exportNames(nf);
  const list = names.map((n) => `${internal(n)} as ${n.replaceAll("-", "_")}`).join(", ");
  parser.parseFile(
    `import { sdkAbort } from "@nfactor/sdk/abort";\nexport { ${list} } from "../${nf.source.internalPath}";\n`,
    `${GENERATED_PREFIX}module.ts`,
    true,
  );
  const statement = parser.sources.at(-1)!.statements.find((s) => s.kind === NodeKind.Export) as as.ExportStatement;
  // The ABI's names have hyphens, which the language has no syntax for.
  statement.members!.forEach((member, i) => (member.exportedName = as.Node.createIdentifierExpression(names[i]!, member.range)));
}

/** Writes the state's size and version into the exports, before they are compiled. */
export function setStateConstants(nf: NfClass, schema: StateSchema): void {
  const values = new Map([
    [`${HIDDEN}stateBytes`, schema.bytes],
    [`${HIDDEN}stateVersion`, schema.version],
  ]);
  for (const statement of nf.source.statements) {
    if (statement.kind !== NodeKind.Variable) continue;
    for (const declaration of (statement as as.VariableStatement).declarations) {
      const value = values.get(declaration.name.text);
      if (value === undefined) continue;
      declaration.initializer = as.Node.createIntegerLiteralExpression(i64_new(value, 0), declaration.range);
    }
  }
}
