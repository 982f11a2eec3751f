/** A field's initialiser as the default of its schema, where it is a constant; other initialisers work, and the schema does not show them. */
import * as as from "assemblyscript";
import type { ConfigNode } from "../config/schema.ts";
import { bigintOf, textOf } from "./ast.ts";
import { NodeKind } from "./enums.ts";

export function defaultOf(initializer: as.Expression, schema: ConfigNode): boolean | number | string | [] | undefined {
  switch (schema.type) {
    case "boolean":
      return initializer.kind === NodeKind.True ? true : initializer.kind === NodeKind.False ? false : undefined;
    case "integer": {
      const value = bigintOf(initializer);
      return value === undefined ? undefined : Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
    }
    case "number": {
      const value = Number(textOf(initializer).replaceAll("_", ""));
      return Number.isFinite(value) ? value : undefined;
    }
    case "string":
      return initializer instanceof as.StringLiteralExpression ? initializer.value : undefined;
    case "array":
      return initializer instanceof as.ArrayLiteralExpression && initializer.elementExpressions.length === 0 ? [] : undefined;
    case "object":
      return undefined;
  }
}
