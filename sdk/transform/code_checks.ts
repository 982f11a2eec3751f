/**
 * What the code may not do, checked when it is generated: allocate while packets are processed, use a right that nf.yaml does not ask for, give a
 * drop reason that is the host's, import anything. And what it should not do without knowing: change variables that belong to
 * the instance, not to the flow.
 */
import type * as as from "assemblyscript";
import type { Manifest } from "../manifest/manifest.ts";
import { bigintOf, decoratorOf, isAuthored, walk } from "./ast.ts";
import type { Call, CallSites } from "./call_sites.ts";
import { CodeGraph } from "./code_graph.ts";
import { NodeKind, Token } from "./enums.ts";
import type { Report } from "./report.ts";

export interface CodeInput {
  graph: CodeGraph;
  sites: CallSites;
  sources: readonly as.Source[];
  manifest: Manifest;
  /** Where complaints go that have no better place: the NF's class. */
  nf: as.Range;
  report: Report;
}

/** Exports that run again and again; the others run once per instance. */
const isRecurring = (name: string): boolean => !["init", "configure", "abi-version", "state-bytes", "state-version"].includes(name);

const ALLOCATORS = ["__new", "__alloc", "__realloc", "__renew"].map((n) => `~lib/rt/stub/${n}`);
const RUNTIME = "~lib/rt/";
const LIBRARY = "~lib/@nfactor/sdk/";

export function checkCode(input: CodeInput): void {
  const roots = [...input.graph.exports].filter(([name]) => isRecurring(name)).map(([, internal]) => internal);
  const reached = input.graph.reachable(roots);
  checkImports(input);
  checkAllocation(input, reached);
  checkRights(input, reached);
  for (const call of input.sites.calls) checkCall(input, call);
  checkGlobals(input, reached);
  checkArithmetic(input);
}

function checkImports({ graph, nf, report }: CodeInput): void {
  for (const name of graph.imports)
    report.error(nf, `the module would import ${name}, and an NF has no imports: it sees packets, its state and its configuration only.`);
}

/** The author's place that is nearest to `target` on the way to it, and the function called there. */
function placeOn(input: CodeInput, reached: ReadonlyMap<string, string>, target: string): { at: as.Range; callee: string } {
  const path = CodeGraph.path(reached, target);
  for (let i = path.length - 1; i > 0; i--) {
    const at = input.sites.placeOf(path[i - 1]!, path[i]!);
    if (at) return { at, callee: path[i]! };
  }
  return { at: input.nf, callee: target };
}

/** Functions of the language's runtime that allocate, directly or not. */
function runtimeAllocators(graph: CodeGraph): Set<string> {
  const found = new Set(ALLOCATORS);
  for (let before = 0; before < found.size;) {
    before = found.size;
    for (const [name, callees] of graph.calls) if (name.startsWith(RUNTIME) && [...callees].some((c) => found.has(c))) found.add(name);
  }
  return found;
}

function checkAllocation(input: CodeInput, reached: ReadonlyMap<string, string>): void {
  const places = new Map<string, { at: as.Range; how: string }>();
  // One complaint per place of the author's: every function that is reached and allocates.
  const allocators = runtimeAllocators(input.graph);
  for (const [caller, callees] of input.graph.calls) {
    if (!reached.has(caller) || caller.startsWith(RUNTIME)) continue;
    const allocator = [...callees].find((c) => allocators.has(c));
    if (allocator === undefined) continue;
    const direct = input.sites.placeOf(caller, allocator);
    const { at, callee } = direct ? { at: direct, callee: "" } : placeOn(input, reached, caller);
    const key = `${at.source.normalizedPath}:${at.start}`;
    if (!places.has(key)) places.set(key, { at, how: callee === "" ? "this allocates" : `${shortName(callee)} allocates` });
  }
  const inOrder = [...places.values()].sort((a, b) => compareText(a.at.source.normalizedPath, b.at.source.normalizedPath) || a.at.start - b.at.start);
  for (const { at, how } of inOrder) {
    input.report.error(
      at,
      `${how}, and it can run for every packet: memory is never freed, so the NF would run out of it. Allocate in configure, or use the flow's state.`,
    );
  }
}

interface Need {
  /** A function of the SDK that stands for the right. */
  target: string;
  granted: (manifest: Manifest) => boolean;
  needs: string;
}

const RIGHTS: readonly Need[] = [
  { target: "runtime/editedHeader", granted: ({ rights }) => rights.edit !== "none", needs: "changes header bytes, which needs 'edit: headers'" },
  { target: "runtime/editedPayload", granted: ({ rights }) => rights.edit === "payload", needs: "changes payload bytes, which needs 'edit: payload'" },
  { target: "runtime/reshaped", granted: ({ rights }) => rights.reshape, needs: "changes the packet's lengths, which needs 'reshape: true'" },
  { target: "packet/Packet#reply", granted: ({ rights }) => rights.reply, needs: "sends the packet back, which needs 'reply: true'" },
  { target: "packet/Packet#emit", granted: ({ rights }) => rights.emits > 0, needs: "sends a frame of its own, which needs 'emits: 1' or 2" },
];

function checkRights(input: CodeInput, reached: ReadonlyMap<string, string>): void {
  for (const { target, granted, needs } of RIGHTS) {
    const name = `${LIBRARY}${target}`;
    if (granted(input.manifest) || !reached.has(name)) continue;
    input.report.error(placeOn(input, reached, name).at, `this ${needs} among the rights in nf.yaml.`);
  }
}

function checkCall({ manifest, report }: CodeInput, { callee, args, at }: Call): void {
  const name = callee.internalName;
  if (!name.startsWith(LIBRARY)) return;
  const rights = manifest.rights;
  if (name.startsWith(`${LIBRARY}payload/Payload#`) && rights.view !== "payload") {
    report.warn(at, "the payload has length 0 here: reading it needs 'view: payload' among the rights in nf.yaml.");
  }
  if (name === `${LIBRARY}packet/Packet#get:lease` && !rights.lease)
    report.warn(at, "lease is always 0 here: it needs 'lease: true' among the rights in nf.yaml.");
  const constant = args?.[0] === undefined ? undefined : bigintOf(args[0]);
  if (constant === undefined) return;
  if (name === `${LIBRARY}packet/Packet#drop` || name === `${LIBRARY}packet/Packet#refuse`) {
    if (constant !== 0n && (constant < 128n || constant > 255n))
      report.error(at, `drop reason ${constant} is not the NF's to give: its own are 128 to 255, and 0 is none.`);
    else if (constant !== 0n && !(String(constant) in manifest.drop_reasons))
      report.warn(at, `drop reason ${constant} has no name: add it to drop_reasons in nf.yaml.`);
  }
  if (name === `${LIBRARY}counter/counter` && constant >= BigInt(manifest.counters.length)) {
    report.warn(at, `counter ${constant} has no name: add it to counters in nf.yaml.`);
  }
}

/** Top-level variables that are written while packets are processed. */
function checkGlobals(input: CodeInput, reached: ReadonlyMap<string, string>): void {
  const written = new Set([...input.graph.writes].filter(([name]) => reached.has(name)).flatMap(([, globals]) => [...globals]));
  for (const source of input.sources.filter(isAuthored)) {
    for (const statement of source.statements) {
      if (statement.kind !== NodeKind.Variable) continue;
      for (const variable of (statement as as.VariableStatement).declarations) {
        if (!written.has(`${source.internalPath}/${variable.name.text}`) || decoratorOf(variable, "instanceState")) continue;
        const at = assignmentOf(input.sources, variable) ?? variable.name.range;
        input.report.warn(
          at,
          `${variable.name.text} is a variable of the instance, written while packets are processed: it does not migrate with flows, is not shared between runtimes, and starts anew after a fault or a swap. Keep what belongs to a flow in the @flowState class; if this is meant, write @instanceState before ${variable.name.text}.`,
        );
      }
    }
  }
}

/** The first assignment to a top-level variable that is neither in configure nor at top level. */
function assignmentOf(sources: readonly as.Source[], variable: as.VariableDeclaration): as.Range | undefined {
  let found: as.Range | undefined;
  for (const source of sources.filter(isAuthored)) {
    walk(source as unknown as as.Node, (node, parents) => {
      const target = assignedTarget(node);
      if (found || target?.kind !== NodeKind.Identifier || (target as as.IdentifierExpression).text !== variable.name.text) return;
      const enclosing = parents.find((p) => p.kind === NodeKind.MethodDeclaration || p.kind === NodeKind.FunctionDeclaration) as
        as.FunctionDeclaration | undefined;
      if (!enclosing || enclosing.name.text === "configure") return;
      found = target.range;
    });
  }
  return found;
}

/** What an assignment, `++` or `--` writes to. */
export function assignedTarget(node: as.Node): as.Expression | undefined {
  if (node.kind === NodeKind.Binary) {
    const { operator, left } = node as as.BinaryExpression;
    return operator === Token.Equals || isCompound(operator) ? left : undefined;
  }
  if (node.kind !== NodeKind.UnaryPostfix && node.kind !== NodeKind.UnaryPrefix) return undefined;
  const { operator, operand } = node as as.UnaryPrefixExpression;
  return operator === Token.Plus_Plus || operator === Token.Minus_Minus ? operand : undefined;
}

export function isCompound(operator: as.Token): boolean {
  return operator >= Token.Plus_Equals && operator <= Token.Bar_Equals;
}

const WRAPPING: readonly as.Token[] = [Token.Plus, Token.Minus, Token.Asterisk, Token.LessThan_LessThan];

/** Sums of 8 or 16 bits that go where there is room for more: the compiler computes them in 8 or 16 bits, and cuts. */
function checkArithmetic({ sites, report }: CodeInput): void {
  for (const { expression, wanted, computed } of sites.arithmetic) {
    if (!WRAPPING.includes(expression.operator) || !computed.isIntegerValue || !wanted.isIntegerValue) continue;
    if (computed.size >= 32 || computed.size < 8 || wanted.size < 32) continue;
    report.warn(
      expression.range,
      `this is computed in ${computed.size} bits and wraps there, though ${wanted.size} bits are wanted: convert the operands first, as in <u32>a + <u32>b.`,
    );
  }
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** `~lib/string/String#concat` → `String#concat` */
function shortName(internal: string): string {
  return internal.replace(/^.*\//, "").replaceAll(/~lib\/[\w/]*\//g, "");
}
