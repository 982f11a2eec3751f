/** Traps of the language that a reader of TypeScript walks into, found in the author's syntax tree. */
import type * as as from "assemblyscript";
import type { Rights } from "../manifest/manifest.ts";
import { textOf, walk } from "./ast.ts";
import { assignedTarget, isCompound } from "./code_checks.ts";
import { NodeKind } from "./enums.ts";
import type { Report } from "./report.ts";

/** Names of the language's library that need a host, and what to use instead. */
const FOREIGN: Record<string, string> = {
  "Math.random": "random(p) gives random numbers that replay",
  "Date.now": "now() is the only clock",
  Date: "now() is the only clock",
  console: "log(level, text) writes log lines",
  trace: "log(level, text) writes log lines",
  performance: "now() is the only clock",
  crypto: "random(p) gives random numbers that replay",
  process: "an NF sees packets, its state and its configuration only",
  fetch: "an NF sees packets, its state and its configuration only",
};

export function lint(sources: readonly as.Source[], rights: Rights, report: Report): void {
  for (const source of sources) {
    const own = declaredNames(source);
    walk(source, (node, parents) => {
      checkCompound(node, report);
      checkForeign(node, parents.at(-1), own, report);
      checkVerdict(node, rights, report);
    });
  }
}

/** `a[i++] += 1` evaluates `a[i++]` twice: once to read, once to write. */
function checkCompound(node: as.Node, report: Report): void {
  const target = assignedTarget(node);
  if (!target || (node.kind === NodeKind.Binary && !isCompound((node as as.BinaryExpression).operator))) return;
  let effect: as.Node | undefined;
  let call: as.Node | undefined;
  walk(target, (inner) => {
    if (inner !== target && assignedTarget(inner)) effect ??= inner;
    if (inner.kind === NodeKind.Call) call ??= inner;
  });
  if (effect)
    report.error(effect.range, `the language evaluates ${textOf(target)} twice here, to read and to write: do ${textOf(effect)} in a statement of its own.`);
  else if (call)
    report.warn(
      call.range,
      `the language evaluates ${textOf(target)} twice here, to read and to write, so this is called twice: keep its result in a variable.`,
    );
}

function checkForeign(node: as.Node, parent: as.Node | undefined, own: ReadonlySet<string>, report: Report): void {
  if (node.kind === NodeKind.PropertyAccess) {
    const instead = FOREIGN[textOf(node)];
    if (instead !== undefined && !own.has(textOf(node).split(".")[0]!))
      report.error(node.range, `${textOf(node)} needs a host, and an NF has none: ${instead}.`);
    return;
  }
  if (node.kind !== NodeKind.Identifier) return;
  const { text } = node as as.IdentifierExpression;
  const instead = Object.hasOwn(FOREIGN, text) ? FOREIGN[text] : undefined;
  if (instead === undefined || own.has(text) || parent === undefined) return;
  const isUse =
    (parent.kind === NodeKind.Call && (parent as as.CallExpression).expression === node) ||
    parent.kind === NodeKind.New ||
    (parent.kind === NodeKind.PropertyAccess && (parent as as.PropertyAccessExpression).expression === node && !Object.hasOwn(FOREIGN, textOf(parent)));
  if (isUse) report.error(node.range, `${text} needs a host, and an NF has none: ${instead}.`);
}

function checkVerdict(node: as.Node, rights: Rights, report: Report): void {
  if (node.kind !== NodeKind.PropertyAccess) return;
  const text = textOf(node);
  if (text === "Verdict.CONSUME") report.error(node.range, "CONSUME is reserved: this version of the ABI refuses it.");
  if (text === "Verdict.REPLY" && !rights.reply) report.error(node.range, "this sends the packet back, which needs 'reply: true' among the rights in nf.yaml.");
  if (text === "Verdict.PENDING") report.error(node.range, "PENDING is what a packet has before the NF decided: it counts as a fault.");
}

/** Names that a file declares or imports at its top level, or anywhere as functions, parameters or variables. */
function declaredNames(source: as.Source): Set<string> {
  const names = new Set<string>();
  walk(source, (node) => {
    const named = (node as { name?: unknown }).name;
    const isDeclaration = node.kind >= NodeKind.ClassDeclaration || node.kind === NodeKind.Parameter;
    if (isDeclaration && typeof named === "object" && named !== null && "text" in named) names.add(String(named.text));
  });
  return names;
}
