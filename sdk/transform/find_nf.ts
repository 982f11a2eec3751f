/** Finds the NF: the one exported class of the entry file that extends NetworkFunction<State, Config>, and which of the known methods it has. */
import * as as from "assemblyscript";
import { isClass, isField, isMethod, typeName } from "./ast.ts";
import { CommonFlags } from "./enums.ts";
import type { Report } from "./report.ts";

/** The methods an author may write, and how many parameters each takes. */
export const METHODS = {
  configure: 1,
  open: 2,
  process: 2,
  close: 3,
  timer: 3,
  tick: 1,
  migrateState: 4,
  migrationTarget: 4,
  arrived: 3,
  left: 2,
} as const;
export type MethodName = keyof typeof METHODS;

const SHAPES: Record<MethodName, string> = {
  configure: "configure(c: Config): void",
  open: "open(p: Packet, s: State): void",
  process: "process(p: Packet, s: State): Verdict",
  close: "close(f: Flow, s: State, reason: CloseReason): void",
  timer: "timer(f: Flow, s: State, nowNs: u64): void",
  tick: "tick(nowMs: u64): void",
  migrateState: "migrateState(fromVersion: u32, old: usize, oldBytes: u32, s: State): bool",
  migrationTarget: "migrationTarget(cluster: u32, n: u32, f: Flow, s: State): u32",
  arrived: "arrived(f: Flow, s: State, reason: u32): u32",
  left: "left(f: Flow, s: State): void",
};

export interface NfClass {
  declaration: as.ClassDeclaration;
  source: as.Source;
  state: as.TypeNode;
  config: as.TypeNode;
  methods: Map<MethodName, as.MethodDeclaration>;
}

/** The NF of the entry source; undefined after complaints. */
export function findNf(entry: as.Source, report: Report): NfClass | undefined {
  const found = entry.statements.filter(isClass).filter((c) => typeName(c.extendsType) === "NetworkFunction");
  const exported = found.filter((c) => c.is(CommonFlags.Export));
  if (exported.length === 0) {
    if (found[0]) report.error(found[0].name.range, `class ${found[0].name.text} has to be exported: it is the NF.`);
    else report.error(start(entry), "this file has to export a class that extends NetworkFunction<State, Config>: it is the NF.");
    return undefined;
  }
  if (exported[1]) {
    report.error(exported[1].name.range, `${exported[0]!.name.text} is an NF already: an entry file exports one class that extends NetworkFunction.`);
    return undefined;
  }
  const declaration = exported[0]!;
  const types = (declaration.extendsType as as.NamedTypeNode).typeArguments ?? [];
  if (types.length !== 2) {
    report.error(declaration.extendsType!.range, "write NetworkFunction<State, Config>: a @flowState class or NoState, and a @config class or NoConfig.");
    return undefined;
  }
  const methods = methodsOf(declaration, report);
  if (!methods.has("process")) {
    if (!declaration.members.some((m) => m.name.text === "process"))
      report.error(declaration.name.range, `${declaration.name.text} has no method ${SHAPES.process}.`);
    return undefined;
  }
  return { declaration, source: entry, state: types[0]!, config: types[1]!, methods };
}

function methodsOf(declaration: as.ClassDeclaration, report: Report): Map<MethodName, as.MethodDeclaration> {
  const methods = new Map<MethodName, as.MethodDeclaration>();
  for (const member of declaration.members) {
    const isStatic = member.is(CommonFlags.Static);
    if (isField(member) && !isStatic) {
      report.error(
        member.range,
        `an NF has no instance fields: its methods run without an instance. Put what belongs to a flow into the @flowState class, and what all flows share into a top-level variable.`,
      );
    }
    if (!isMethod(member) || isStatic) continue;
    if (member.is(CommonFlags.Constructor)) {
      report.error(member.name.range, "an NF has no constructor: use configure.");
      continue;
    }
    const name = member.name.text;
    if (!(name in METHODS)) continue;
    const method = name as MethodName;
    const wanted = METHODS[method];
    const given = member.signature.parameters.length;
    if (given !== wanted) report.error(member.name.range, `${name} takes ${wanted} parameter${wanted === 1 ? "" : "s"}, not ${given}: ${SHAPES[method]}.`);
    else methods.set(method, member);
  }
  return methods;
}

function start(source: as.Source): as.Range {
  const range = new as.Range(0, 0);
  range.source = source;
  return range;
}
