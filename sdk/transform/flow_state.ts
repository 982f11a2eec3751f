/**
 * @flowState classes: what they may hold, where each field lies, and the state schema.
 *
 * Two steps. Before names are resolved (`rewriteFlowState`), the class becomes @unmanaged and @final, and each `@bytes(n)` or `@length(n)` field
 * is replaced: a hidden field of one element keeps its place, and a getter of the field's name makes the view. When types are known
 * (`layOut`), every field gets its offset (the compiler's own layout knows no arrays) and the schema is written down.
 *
 * Fields lie in the order of the class, each aligned to its element; the slot's size is rounded up to 8.
 */
import * as as from "assemblyscript";
import { LIMITS } from "../abi/gen/abi.ts";
import { type StateFieldType, type StateSchema, elementBytes, stateDigest } from "../manifest/state_schema.ts";
import { decoratorOf, integerOf, isField, isIdentifier, isMethod, parseGenerated, textOf, typeName, walk } from "./ast.ts";
import { CommonFlags, ElementKind, NodeKind } from "./enums.ts";
import type { Report } from "./report.ts";

const ARRAYS: Record<string, { type: StateFieldType; element: string }> = {
  U8Array: { type: "u8[]", element: "u8" },
  U16Array: { type: "u16[]", element: "u16" },
  U32Array: { type: "u32[]", element: "u32" },
  U64Array: { type: "u64[]", element: "u64" },
};
const SCALARS = ["bool", "u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64"] as const;

interface StateField {
  declaration: as.FieldDeclaration;
  name: string;
  /** The field that has the place: itself, or the hidden one of an array. */
  place: string;
  /** Undefined for scalars, whose type is known only later. */
  type: StateFieldType | undefined;
  count: number;
  text: boolean;
}

export interface FlowState {
  declaration: as.ClassDeclaration;
  version: number;
  fields: StateField[];
}

export const HIDDEN = "nf$";

/** Rewrites one class. `arrays` collects the array classes that are needed: name → [element, length]. */
export function rewriteFlowState(parser: as.Parser, declaration: as.ClassDeclaration, arrays: Map<string, [string, number]>, report: Report): FlowState {
  const mark = decoratorOf(declaration, "flowState")!;
  const version = mark.args && mark.args.length > 0 ? integerOf(mark.args[0]!) : 1;
  if (version === undefined || version > 0xffffffff) report.error(mark.range, "write @flowState or @flowState(version), the version of the layout.");
  if (declaration.extendsType) report.error(declaration.extendsType.range, "a flow state extends nothing: its bytes are all in one class.");
  if (declaration.typeParameters) report.error(declaration.name.range, "a flow state has no type parameters.");
  for (const name of ["unmanaged", "final"]) {
    if (decoratorOf(declaration, name)) continue;
    const range = declaration.name.range;
    (declaration.decorators ??= []).push(as.Node.createDecorator(as.Node.createIdentifierExpression(name, range), null, range));
  }
  declaration.flags |= CommonFlags.Export;

  const fields: StateField[] = [];
  const getters: string[] = [];
  const cells: string[] = [];
  const className = declaration.name.text;
  for (const member of [...declaration.members]) {
    if (isMethod(member) && member.is(CommonFlags.Constructor))
      report.error(member.name.range, "a flow state has no constructor: the host zeroes the slot, then open is called.");
    if (!isField(member) || member.is(CommonFlags.Static)) continue;
    if (member.initializer) report.error(member.initializer.range, `a slot starts as zeros: set ${member.name.text} in open.`);
    const field = fieldOf(member, report);
    if (!field) continue;
    fields.push(field);
    if (field.type === undefined) continue;
    declaration.members.splice(declaration.members.indexOf(member), 1);
    const place = `offsetof<${className}>("${field.place}")`;
    if (field.type === "bytes") {
      const type = textOf(member.type!);
      cells.push(`const ${HIDDEN}cell$${className}$${field.name}: usize = memory.data(8, 8);`);
      getters.push(
        `${HIDDEN}place: u8;`.replace(`${HIDDEN}place`, field.place),
        `@inline get ${field.name}(): ${type} { return ${type}.over(${HIDDEN}cell$${className}$${field.name}, changetype<usize>(this) + ${place}, ${field.count}); }`,
      );
    } else {
      const { element } = Object.values(ARRAYS).find((a) => a.type === field.type)!;
      const view = `${element.toUpperCase()}Array${field.count}`;
      arrays.set(view, [element, field.count]);
      getters.push(
        `${field.place}: ${element};`,
        `@inline get ${field.name}(): ${HIDDEN}${view} { return changetype<${HIDDEN}${view}>(changetype<usize>(this) + ${place}); }`,
      );
    }
  }
  if (getters.length > 0) {
    const source = declaration.range.source;
    const statements = parseGenerated(parser, `state-${source.internalPath}-${className}`, `${cells.join("\n")}\nclass X {\n${getters.join("\n")}\n}`);
    const members = (statements.pop() as as.ClassDeclaration).members;
    declaration.members.push(...members);
    source.statements.unshift(...statements);
  }
  return { declaration, version: version ?? 1, fields };
}

function fieldOf(member: as.FieldDeclaration, report: Report): StateField | undefined {
  const name = member.name.text;
  const base = { declaration: member, name, place: name, type: undefined, count: 1, text: false };
  const type = typeName(member.type);
  const simple = type?.split(".").at(-1);
  const text = decoratorOf(member, "text");
  const counted = simple === "Bytes" ? "bytes" : simple !== undefined && simple in ARRAYS ? "length" : undefined;
  for (const other of ["bytes", "length"]) {
    const wrong = decoratorOf(member, other);
    if (wrong && other !== counted) {
      report.error(
        wrong.range,
        other === "bytes" ? "@bytes(n) belongs to a field of type Bytes." : "@length(n) belongs to a field of type U8Array, U16Array, U32Array or U64Array.",
      );
      return undefined;
    }
  }
  if (text && counted !== "bytes") report.error(text.range, "@text belongs to a field of type Bytes.");
  if (counted === undefined) return base;
  const mark = decoratorOf(member, counted);
  const argument = mark?.args?.[0];
  const count = argument === undefined ? undefined : integerOf(argument);
  if (count === undefined || count < 1 || count > LIMITS.state_bytes_max) {
    report.error(
      (argument ?? mark ?? member.name).range,
      `say how large ${name} is: @${counted}(n) ${name}: ${simple}, n a constant from 1 to ${LIMITS.state_bytes_max}.`,
    );
    return undefined;
  }
  return { ...base, place: `${HIDDEN}${name}`, type: counted === "bytes" ? "bytes" : ARRAYS[simple!]!.type, count, text: text !== undefined };
}

/**
 * `offsetof<State>("field")` of an array field means its place. Rewrites all such calls in a file; `places` knows the
 * hidden place of a field of the class that a name means there.
 */
export function rewriteOffsetof(source: as.Source, places: (className: string, field: string) => string | undefined): void {
  walk(source, (node) => {
    if (node.kind !== NodeKind.Call) return;
    const call = node as as.CallExpression;
    const [type] = call.typeArguments ?? [];
    const [argument] = call.args;
    if (!isIdentifier(call.expression) || call.expression.text !== "offsetof" || !type || !argument || argument.kind !== NodeKind.Literal) return;
    if (node.range.source !== source) return;
    const name = typeName(type);
    const place = name === undefined ? undefined : places(name, (argument as as.StringLiteralExpression).value);
    if (place !== undefined) call.args[0] = as.Node.createStringLiteralExpression(place, argument.range);
  });
}

/** Source of the array classes: one for each element type and length, so that the index check is against a constant. */
export function arrayClasses(arrays: ReadonlyMap<string, readonly [string, number]>): string {
  const classes = [...arrays].map(([name, [element, length]]) => {
    const shift = { u8: 0, u16: 1, u32: 2, u64: 3 }[element];
    const value = element === "u64" ? "u64" : "u32";
    const at = `changetype<usize>(this) + (<usize>i << ${shift})`;
    return `@unmanaged @final export class ${name} {
  @inline get length(): u32 { return ${length}; }
  @inline get address(): usize { return changetype<usize>(this); }
  @inline @operator("[]") private __get(i: u32): ${value} { if (i >= ${length}) badIndex(); return <${value}>load<${element}>(${at}); }
  @inline @operator("[]=") private __set(i: u32, value: ${value}): void { if (i >= ${length}) badIndex(); store<${element}>(${at}, <${element}>value); }
}`;
  });
  return `import { badIndex } from "@nfactor/sdk/number_array";\n${classes.join("\n")}\n`;
}

/** Gives every field its place and returns the schema. Complains about what is no plain data. */
export function layOut(state: FlowState, instance: as.Class, report: Report): StateSchema {
  let offset = 0;
  const fields: StateSchema["fields"] = [];
  for (const field of state.fields) {
    const property = propertyOf(instance, field.place);
    if (!property) continue; // The compiler has complained about its type.
    const type = field.type ?? scalarType(property.type);
    if (type === undefined) {
      report.error(
        (field.declaration.type ?? field.declaration.name).range,
        `field ${field.name} of a flow state is ${property.type.toString()}, which is not plain data. Allowed: ${SCALARS.join(", ")}; @bytes(n) name: Bytes; @length(n) name: U8Array, U16Array, U32Array, U64Array.`,
      );
      continue;
    }
    const unit = elementBytes(type);
    offset = roundUp(offset, unit);
    property.memoryOffset = offset;
    const size = unit * field.count;
    fields.push({ name: field.name, type, offset, size, ...(field.text ? { text: true } : {}) });
    offset += size;
  }
  const bytes = roundUp(offset, LIMITS.state_align);
  instance.nextMemoryOffset = bytes;
  if (bytes > LIMITS.state_bytes_max) {
    report.error(state.declaration.name.range, `a flow state has at most ${LIMITS.state_bytes_max} bytes; ${state.declaration.name.text} has ${bytes}.`);
  }
  const layout = { version: state.version, bytes, fields };
  return { ...layout, digest: stateDigest(layout) };
}

export function emptySchema(): StateSchema {
  const layout = { version: 1, bytes: 0, fields: [] };
  return { ...layout, digest: stateDigest(layout) };
}

function propertyOf(instance: as.Class, name: string): as.Property | undefined {
  const member = instance.members?.get(name);
  if (!member) return undefined;
  const property = member.kind === ElementKind.PropertyPrototype ? (member as as.PropertyPrototype).instance : member;
  return property?.kind === ElementKind.Property ? (property as as.Property) : undefined;
}

function scalarType(type: as.Type): StateFieldType | undefined {
  if (type.isReference) return undefined;
  const name = type.toString();
  return (SCALARS as readonly string[]).includes(name) ? (name as StateFieldType) : name === "usize" ? "u32" : undefined;
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
