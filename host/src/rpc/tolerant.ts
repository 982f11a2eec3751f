/**
 * Results are read tolerantly and requests strictly. A daemon, a supervisor, a host and a controller are each exchanged while the others go on, so the side
 * that answers may be newer than the side that has asked: a field that the reader does not know is left out, at any depth. A request with such a field is
 * refused instead: half of a wish is another wish. Whoever answers checks its own results strictly.
 */
import type { z } from "zod";

const known = new WeakMap<z.ZodType, z.ZodType>();

/** The same schema for its reader. Not for recursive ones (z.lazy), which stay as they are. */
export function tolerant<S extends z.ZodType>(schema: S): S {
  const made = known.get(schema) ?? relaxed(schema);
  known.set(schema, made);
  return made as S;
}

function relaxed(schema: z.ZodType): z.ZodType {
  const inner = (one: z.core.SomeType): z.ZodType => tolerant(one as z.ZodType);
  const { def } = (schema as unknown as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case "object": {
      const shape = Object.fromEntries(Object.entries(def.shape).map(([name, field]) => [name, inner(field)]));
      // Without a word on other fields they are left out.
      return schema.clone({ ...def, shape, catchall: undefined } as never);
    }
    case "array":
      return schema.clone({ ...def, element: inner(def.element) } as never);
    case "record":
      return schema.clone({ ...def, valueType: inner(def.valueType) } as never);
    case "tuple":
      return schema.clone({ ...def, items: def.items.map(inner), rest: def.rest && inner(def.rest) } as never);
    case "union":
      return schema.clone({ ...def, options: def.options.map(inner) } as never);
    case "pipe":
      return schema.clone({ ...def, in: inner(def.in), out: inner(def.out) } as never);
    case "optional":
    case "nullable":
    case "default":
    case "prefault":
    case "nonoptional":
    case "readonly":
    case "catch":
      return schema.clone({ ...def, innerType: inner(def.innerType) } as never);
    default:
      return schema;
  }
}
