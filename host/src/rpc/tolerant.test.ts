import { expect, test } from "vitest";
import { z } from "zod";
import { CONTROLLER_METHODS, GUEST_METHODS, HOST_METHODS } from "../session/host_methods.ts";
import { METHODS } from "./protocol.ts";
import { tolerant } from "./tolerant.ts";

const point = z.strictObject({ x: z.int() });
const schema = z.strictObject({
  at: point,
  all: z.array(point),
  maybe: point.optional(),
  none: point.nullable(),
  usual: point.default({ x: 0 }),
  by_name: z.record(z.string(), point),
  two: z.tuple([point, point]),
  either: z.union([point, z.strictObject({ y: z.string() })]),
  read: point.readonly(),
  made: point.transform(({ x }) => x + 1),
  even: point.refine(({ x }) => x % 2 === 0, "is odd"),
});
const p = (x: number): object => ({ x });
const given = (point: (x: number) => object, y: object = {}) => ({
  ...{ at: point(1), all: [point(2), point(3)], maybe: point(4), none: point(5), usual: point(6), by_name: { a: point(7) }, two: [point(8), point(9)] },
  ...{ either: { y: "z", ...y }, read: point(10), made: point(11), even: point(12) },
});

test("fields that are not known are left out at any depth, and nothing else is taken that was not before", () => {
  const taken = { ...given(p), made: 12 };
  expect(tolerant(schema).parse({ ...given((x) => ({ x, new: [x] }), { new: 1 }), new: {} })).toEqual(taken);
  expect(schema.safeParse({ ...given(p), new: {} }).success).toBe(false);
  const without = { ...given(p), at: undefined };
  for (const wrong of [{ ...given(p), at: p(0.5) }, { ...given(p), even: p(13) }, { ...given(p), two: [p(1)] }, { ...given(p), either: { z: 1 } }, without])
    expect(tolerant(schema).safeParse(wrong).success, JSON.stringify(wrong)).toBe(false);
});

/** All objects in a schema, as JSON schema has them. */
function objectsIn(schema: z.ZodType): { additionalProperties?: unknown }[] {
  const found: object[] = [];
  const seek = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    if ("properties" in value) found.push(value);
    Object.values(value).forEach(seek);
  };
  seek(z.toJSONSchema(schema, { unrepresentable: "any", io: "input" }));
  return found;
}

test("of every method there is, no object of a result refuses more fields, and every object of a request does", () => {
  for (const [name, { params, result, ...more }] of Object.entries({ ...METHODS, ...HOST_METHODS, ...CONTROLLER_METHODS, ...GUEST_METHODS })) {
    const answers = [result as z.ZodType, ...("item" in more ? [more.item as z.ZodType] : [])];
    for (const one of answers.flatMap((answer) => objectsIn(tolerant(answer)))) expect(one.additionalProperties, name).not.toBe(false);
    for (const one of objectsIn(params as z.ZodType)) expect(one.additionalProperties, name).toBe(false);
  }
});
