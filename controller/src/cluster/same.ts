/** JSON that is the same for the same value, in whatever order its fields were written. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

export const isSame = (a: unknown, b: unknown): boolean => canonical(a) === canonical(b);
