/**
 * Small tools over the compiler's syntax tree: decorators, a walk over all nodes, names resolved through imports, and parsing of generated text.
 *
 * The tree is that of assemblyscript 0.28, whose nodes are plain objects with `kind` and `range`.
 */
import * as as from "assemblyscript";
import { NodeKind, CommonFlags, Token } from "./enums.ts";

type Decorated = { decorators: as.DecoratorNode[] | null };

/** The decorator of this name, if the node has it. */
export function decoratorOf(node: Decorated, name: string): as.DecoratorNode | undefined {
  return node.decorators?.find((d) => isIdentifier(d.name) && d.name.text === name);
}

export function isIdentifier(node: as.Node): node is as.IdentifierExpression {
  return node.kind === NodeKind.Identifier;
}

export function isClass(node: as.Node): node is as.ClassDeclaration {
  return node.kind === NodeKind.ClassDeclaration;
}

export function isField(node: as.Node): node is as.FieldDeclaration {
  return node.kind === NodeKind.FieldDeclaration;
}

export function isMethod(node: as.Node): node is as.MethodDeclaration {
  return node.kind === NodeKind.MethodDeclaration;
}

/** The source text of a node. */
export function textOf(node: as.Node): string {
  return node.range.source.text.substring(node.range.start, node.range.end);
}

/** The name of a plain type (`Foo`, `ns.Foo`); undefined for function types and the like. */
export function typeName(type: as.TypeNode | null): string | undefined {
  if (type === null || type.kind !== NodeKind.NamedType) return undefined;
  let name = (type as as.NamedTypeNode).name;
  const parts = [name.identifier.text];
  while (name.next) {
    name = name.next;
    parts.push(name.identifier.text);
  }
  return parts.join(".");
}

export function typeArguments(type: as.TypeNode | null): readonly as.TypeNode[] {
  if (type === null || type.kind !== NodeKind.NamedType) return [];
  return (type as as.NamedTypeNode).typeArguments ?? [];
}

/** Every node below (and with) `root`, parents first. `visit` may return false to stay out of a node's children. */
export function walk(root: as.Node, visit: (node: as.Node, parents: readonly as.Node[]) => boolean | void): void {
  const parents: as.Node[] = [];
  const step = (node: as.Node): void => {
    if (visit(node, parents) === false) return;
    parents.push(node);
    for (const value of Object.values(node)) {
      if (Array.isArray(value)) for (const item of value) if (isNode(item)) step(item);
      if (isNode(value)) step(value);
    }
    parents.pop();
  };
  step(root);
}

function isNode(value: unknown): value is as.Node {
  return value instanceof as.Node;
}

/** Files that authors wrote: not the language's library, not the SDK, not what the compiler generated. */
export function isAuthored(source: as.Source): boolean {
  return !source.normalizedPath.startsWith(as.LIBRARY_PREFIX) && !source.normalizedPath.startsWith(GENERATED_PREFIX);
}

/** Where generated files seem to lie. */
export const GENERATED_PREFIX = "nfactor-generated/";

/** Parses generated text as a source of its own and hands out its statements, to be moved to where they belong. */
export function parseGenerated(parser: as.Parser, name: string, text: string): as.Statement[] {
  parser.parseFile(text, `${GENERATED_PREFIX}${name}.ts`, false);
  const source = parser.sources.at(-1)!;
  const statements = source.statements;
  source.statements = [];
  return statements;
}

/** The source that an import path names. */
export function sourceAt(sources: readonly as.Source[], internalPath: string): as.Source | undefined {
  return sources.find((s) => s.internalPath === internalPath || s.internalPath === `${internalPath}/index`);
}

/** The class that `name` means in `source`: declared there, or imported, also through re-exports. */
export function resolveClass(sources: readonly as.Source[], source: as.Source, name: string): as.ClassDeclaration | undefined {
  return resolve(sources, source, name, true, new Set());
}

function resolve(sources: readonly as.Source[], source: as.Source, name: string, local: boolean, seen: Set<string>): as.ClassDeclaration | undefined {
  const key = `${source.internalPath}#${name}#${local}`;
  if (seen.has(key)) return undefined;
  seen.add(key);
  for (const statement of source.statements) {
    if (isClass(statement) && statement.name.text === name) return statement;
    if (statement.kind === NodeKind.Import && local) {
      const imported = statement as as.ImportStatement;
      const match = imported.declarations?.find((d) => d.name.text === name);
      const target = match && sourceAt(sources, imported.internalPath);
      if (match && target) return resolve(sources, target, match.foreignName.text, false, seen);
    }
    if (statement.kind === NodeKind.Export) {
      const exported = statement as as.ExportStatement;
      const target = exported.internalPath === null ? undefined : sourceAt(sources, exported.internalPath);
      if (exported.members === null) {
        const found = target && resolve(sources, target, name, false, seen);
        if (found) return found;
        continue;
      }
      const match = exported.members.find((m) => m.exportedName.text === name);
      if (!match || (local && exported.internalPath !== null)) continue;
      if (exported.internalPath === null) return resolve(sources, source, match.localName.text, true, seen);
      if (target) return resolve(sources, target, match.localName.text, false, seen);
    }
  }
  return undefined;
}

/** The value of a constant integer expression: literals, + - * << ( ), and top-level constants of the same file. */
export function bigintOf(expression: as.Expression, depth = 0): bigint | undefined {
  if (depth > 20) return undefined;
  const of = (e: as.Expression): bigint | undefined => bigintOf(e, depth + 1);
  switch (expression.kind) {
    case NodeKind.Literal: {
      const text = textOf(expression).replaceAll("_", "");
      return /^(0x[0-9a-f]+|0b[01]+|0o[0-7]+|\d+)$/i.test(text) ? BigInt(text) : undefined;
    }
    case NodeKind.Parenthesized:
      return of((expression as as.ParenthesizedExpression).expression);
    case NodeKind.Assertion:
      return of((expression as as.AssertionExpression).expression);
    case NodeKind.UnaryPrefix: {
      const { operand, operator } = expression as as.UnaryPrefixExpression;
      const value = of(operand);
      return value !== undefined && operator === Token.Minus ? -value : undefined;
    }
    case NodeKind.Binary: {
      const { left, right, operator } = expression as as.BinaryExpression;
      const a = of(left);
      const b = of(right);
      if (a === undefined || b === undefined) return undefined;
      if (operator === Token.Plus) return a + b;
      if (operator === Token.Minus) return a - b;
      if (operator === Token.Asterisk) return a * b;
      return operator === Token.LessThan_LessThan && b >= 0n && b < 64n ? a << b : undefined;
    }
    case NodeKind.Identifier: {
      const name = (expression as as.IdentifierExpression).text;
      for (const statement of expression.range.source.statements) {
        if (statement.kind !== NodeKind.Variable) continue;
        const found = (statement as as.VariableStatement).declarations.find((d) => d.name.text === name && d.is(CommonFlags.Const));
        if (found?.initializer) return of(found.initializer);
      }
      return undefined;
    }
    default:
      return undefined;
  }
}

/** The same, where it is a number that counts something. */
export function integerOf(expression: as.Expression): number | undefined {
  const value = bigintOf(expression);
  return value === undefined || value > BigInt(Number.MAX_SAFE_INTEGER) || value < 0n ? undefined : Number(value);
}
