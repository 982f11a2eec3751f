/**
 * @config classes: the JSON schema that describes a configuration, and the decoder that reads it in the NF.
 *
 * A configuration travels as MessagePack: an object is an array of its fields in the order of the class, nil where the default holds. Each class
 * gets a static method that reads one object. A field without an initialiser is required. What a field may be: bool, the number types,
 * string, another @config class, and arrays of these.
 */
import * as as from "assemblyscript";
import type { ConfigNode, NumberFormat, ObjectSchema } from "../config/schema.ts";
import { NUMBER_FORMATS } from "../config/schema.ts";
import { TEXT_FORMATS } from "../config/formats.ts";
import { bigintOf, decoratorOf, integerOf, isField, isMethod, parseGenerated, resolveClass, textOf, typeArguments, typeName } from "./ast.ts";
import { defaultOf } from "./config_default.ts";
import { docOf } from "./doc_comment.ts";
import { CommonFlags } from "./enums.ts";
import { HIDDEN } from "./flow_state.ts";
import type { Report } from "./report.ts";

const ALLOWED = "bool, u8 to u64, i8 to i64, f32, f64, string, a @config class, and arrays of these";
const DEPTH_MAX = 8;

const RANGES: Record<NumberFormat, readonly [string, string]> = {
  u8: ["0", "255"],
  u16: ["0", "65535"],
  u32: ["0", "4294967295"],
  u64: ["0", "18446744073709551615"],
  i8: ["-128", "127"],
  i16: ["-32768", "32767"],
  i32: ["-2147483648", "2147483647"],
  i64: ["-9223372036854775808", "9223372036854775807"],
  f32: ["-f32.MAX_VALUE", "f32.MAX_VALUE"],
  f64: ["-f64.MAX_VALUE", "f64.MAX_VALUE"],
};

/** How a value of some type is read, and what its schema says. */
interface Reading {
  expression: string;
  schema: ConfigNode;
  /** What a field of this type starts as when its class says nothing; undefined for plain values. */
  empty: string | undefined;
}

export class ConfigClasses {
  readonly #sources: readonly as.Source[];
  readonly #report: Report;
  readonly #schemas = new Map<as.ClassDeclaration, ObjectSchema>();
  readonly #methods = new Map<as.ClassDeclaration, string[]>();
  readonly #open: as.ClassDeclaration[] = [];

  constructor(sources: readonly as.Source[], report: Report) {
    this.#sources = sources;
    this.#report = report;
  }

  /** The schema of a class; its decoder is written by `addDecoders`. Undefined after complaints. */
  schemaOf(declaration: as.ClassDeclaration): ObjectSchema | undefined {
    const known = this.#schemas.get(declaration);
    if (known) return known;
    if (this.#open.includes(declaration) || this.#open.length >= DEPTH_MAX) {
      this.#report.error(declaration.name.range, `a configuration is nested ${DEPTH_MAX} deep at most, and holds no ${declaration.name.text} inside another.`);
      return undefined;
    }
    if (declaration.extendsType) this.#report.error(declaration.extendsType.range, "a configuration class extends nothing.");
    if (declaration.typeParameters) this.#report.error(declaration.name.range, "a configuration class has no type parameters.");
    this.#open.push(declaration);
    const schema = this.#read(declaration);
    this.#open.pop();
    this.#schemas.set(declaration, schema);
    return schema;
  }

  #read(declaration: as.ClassDeclaration): ObjectSchema {
    const name = declaration.name.text;
    const methods: string[] = [];
    const reads: string[] = [];
    const required: string[] = [];
    const properties: Record<string, ConfigNode> = {};
    const fields = declaration.members.filter(isField).filter((f) => !f.is(CommonFlags.Static));
    for (const member of declaration.members) {
      if (isMethod(member) && member.is(CommonFlags.Constructor))
        this.#report.error(member.name.range, "a configuration class has no constructor: the decoder fills its fields.");
    }
    for (const [i, field] of fields.entries()) {
      const reading = this.#field(field, methods, name);
      if (!reading) continue;
      const key = field.name.text;
      const initial = field.initializer === null ? undefined : defaultOf(field.initializer, reading.schema);
      const description = docOf(field);
      properties[key] = {
        ...reading.schema,
        ...(description === undefined ? {} : { description }),
        ...(initial === undefined ? {} : { default: initial }),
      } as ConfigNode;
      if (field.initializer === null) {
        required.push(key);
        if (reading.empty !== undefined) field.initializer = expressionOf(reading.empty, field);
      }
      reads.push(`if (n > ${i} && !${HIDDEN}configNil()) c.${key} = ${reading.expression};`);
    }
    methods.push(`static ${HIDDEN}decode(): ${name} {
      const n = ${HIDDEN}configArray(${fields.length});
      if (!${HIDDEN}configRoom(offsetof<${name}>() + ${HIDDEN}slack)) return changetype<${name}>(0);
      const c = new ${name}();
      ${reads.join("\n")}
      return c;
    }`);
    this.#methods.set(declaration, methods);
    const description = docOf(declaration);
    return {
      type: "object",
      title: name,
      ...(description === undefined ? {} : { description }),
      properties,
      ...(required.length > 0 ? { required } : {}),
      additionalProperties: false,
    };
  }

  #field(field: as.FieldDeclaration, methods: string[], className: string): Reading | undefined {
    if (!field.type) {
      this.#report.error(field.name.range, `say the type of ${field.name.text}: ${ALLOWED}.`);
      return undefined;
    }
    return this.#type(field.type, field, methods, className, `${HIDDEN}list$${field.name.text}`);
  }

  #type(type: as.TypeNode, field: as.FieldDeclaration, methods: string[], className: string, list: string): Reading | undefined {
    const name = typeName(type);
    if (type.isNullable) {
      this.#report.error(type.range, "a field of a configuration is never null: give it a default.");
      return undefined;
    }
    if (name === "bool" || name === "boolean") return { expression: `${HIDDEN}configBool()`, schema: { type: "boolean" }, empty: undefined };
    if (name !== undefined && (NUMBER_FORMATS as readonly string[]).includes(name)) return this.#number(name as NumberFormat, field);
    if (name === "string" || name === "String") return this.#string(field);
    const [element] = typeArguments(type);
    if ((name === "Array" || name === "StaticArray") && element) {
      const items = this.#type(element, field, methods, className, `${list}$`);
      if (!items) return undefined;
      const limit = this.#limit(field);
      const collection = `${name}<${textOf(element)}>`;
      methods.push(`static ${list}(): ${collection} {
        const n = ${HIDDEN}configArray(${limit ?? "u32.MAX_VALUE"});
        if (!${HIDDEN}configRoom((<u64>n << alignof<${textOf(element)}>()) + ${HIDDEN}slack)) return changetype<${collection}>(0);
        const a = new ${collection}(n);
        for (let i: u32 = 0; i < n && !${HIDDEN}configFailed(); i++) unchecked((a[i] = ${items.expression}));
        return a;
      }`);
      const schema: ConfigNode = { type: "array", items: items.schema, ...(limit === undefined ? {} : { maxItems: limit }) };
      return { expression: `${className}.${list}()`, schema, empty: name === "Array" ? "[]" : `new ${collection}(0)` };
    }
    const nested = name === undefined ? undefined : resolveClass(this.#sources, type.range.source, name);
    if (!nested || !decoratorOf(nested, "config")) {
      this.#report.error(type.range, `${textOf(type)} is no type of a configuration. Allowed: ${ALLOWED}.`);
      return undefined;
    }
    const schema = this.schemaOf(nested);
    return schema && { expression: `${textOf(type)}.${HIDDEN}decode()`, schema, empty: `new ${textOf(type)}()` };
  }

  #number(format: NumberFormat, field: as.FieldDeclaration): Reading {
    const isFloat = format.startsWith("f");
    let [low, high] = RANGES[format];
    const range = decoratorOf(field, "range");
    const bounds: { minimum?: number | string; maximum?: number | string } = {};
    if (range) {
      const values = (range.args ?? []).map((a) => (isFloat ? Number(textOf(a)) : bigintOf(a)));
      const [from, to] = values;
      if (values.length !== 2 || from === undefined || to === undefined || Number.isNaN(from) || Number.isNaN(to) || from > to) {
        this.#report.error(range.range, "write @range(least, most), both constants.");
      } else {
        [low, high] = [String(from), String(to)];
        bounds.minimum = plain(from);
        bounds.maximum = plain(to);
      }
    }
    const call = isFloat ? "configFloat" : format.startsWith("u") ? "configUnsigned" : "configSigned";
    return {
      expression: `<${format}>${HIDDEN}${call}(${low}, ${high})`,
      schema: { type: isFloat ? "number" : "integer", format, ...bounds },
      empty: undefined,
    };
  }

  #string(field: as.FieldDeclaration): Reading {
    const schema: ConfigNode = { type: "string" };
    const oneOf = decoratorOf(field, "oneOf");
    if (oneOf) {
      const words = (oneOf.args ?? []).map(stringOf);
      if (words.length === 0 || words.includes(undefined)) this.#report.error(oneOf.range, 'write @oneOf("one", "other").');
      else schema.enum = words as string[];
    }
    const format = decoratorOf(field, "format");
    if (format) {
      const word = format.args?.[0] && stringOf(format.args[0]);
      if (word === undefined || !(word in TEXT_FORMATS))
        this.#report.error(format.range, `write @format("name"), one of ${Object.keys(TEXT_FORMATS).join(", ")}.`);
      else schema.format = word;
    }
    const isArray = typeName(field.type) !== "string" && typeName(field.type) !== "String";
    const limit = isArray ? undefined : this.#limit(field);
    if (limit !== undefined) schema.maxLength = limit;
    return { expression: `${HIDDEN}configString()`, schema, empty: '""' };
  }

  /** @limit(n): elements of an array, characters of a string. */
  #limit(field: as.FieldDeclaration): number | undefined {
    const mark = decoratorOf(field, "limit");
    if (!mark) return undefined;
    const limit = mark.args?.[0] && integerOf(mark.args[0]);
    if (limit === undefined || limit < 0 || limit > 0xffffffff)
      this.#report.error(mark.range, "write @limit(n), n a constant: elements of an array, or characters of a string.");
    return limit;
  }

  /** Writes the decoders into their classes. */
  addDecoders(parser: as.Parser): void {
    const using = new Set<as.Source>();
    for (const [declaration, methods] of this.#methods) {
      const source = declaration.range.source;
      const [made] = parseGenerated(parser, `config-${source.internalPath}-${declaration.name.text}`, `class X {\n${methods.join("\n")}\n}`);
      declaration.members.push(...(made as as.ClassDeclaration).members);
      using.add(source);
    }
    const imports = ["configArray", "configNil", "configRoom", "configFailed", "configBool", "configUnsigned", "configSigned", "configFloat", "configString"];
    const list = [...imports.map((n) => `${n} as ${HIDDEN}${n}`), `CONFIG_SLACK as ${HIDDEN}slack`].join(", ");
    for (const source of using) {
      source.statements.unshift(...parseGenerated(parser, `config-reader-${source.internalPath}`, `import { ${list} } from "@nfactor/sdk/config_reader";`));
    }
  }
}

/** A bound as JSON can hold it exactly. */
function plain(value: number | bigint): number | string {
  return typeof value === "number" || Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}

function stringOf(expression: as.Expression): string | undefined {
  return expression instanceof as.StringLiteralExpression ? expression.value : undefined;
}

/** An initialiser for a field that has none, at the field's place. */
function expressionOf(text: string, field: as.FieldDeclaration): as.Expression {
  const parser = new as.Parser();
  parser.parseFile(`const x = ${text};`, field.range.source.normalizedPath, false);
  const [statement] = parser.sources[0]!.statements;
  const expression = (statement as as.VariableStatement).declarations[0]!.initializer!;
  return moved(expression, field.name.range);
}

function moved<T extends as.Node>(node: T, range: as.Range): T {
  node.range = range;
  for (const value of Object.values(node)) {
    for (const item of Array.isArray(value) ? value : [value]) if (item instanceof as.Node) moved(item, range);
  }
  return node;
}
