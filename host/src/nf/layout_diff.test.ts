import { stateDigest, type StateField, type StateSchema } from "@nfactor/sdk/manifest";
import { expect, test } from "vitest";
import { layoutDiff, layoutDiffText } from "./layout_diff.ts";

function schema(bytes: number, fields: StateField[], version = 1): StateSchema {
  const layout = { version, bytes, fields };
  return { ...layout, digest: stateDigest(layout) };
}
const running = schema(16, [
  { name: "tag", type: "u8", offset: 0, size: 1 },
  { name: "count", type: "u32", offset: 4, size: 4 },
  { name: "host", type: "bytes", offset: 8, size: 8 },
]);

test("the same layout has no changes", () => {
  expect(layoutDiff(running, running).every(({ change }) => change === "")).toBe(true);
});

test("each field says what became of it", () => {
  const next = schema(
    32,
    [
      { name: "count", type: "u64", offset: 0, size: 8 },
      { name: "host", type: "bytes", offset: 8, size: 16 },
      { name: "seen", type: "u64", offset: 24, size: 8 },
    ],
    2,
  );
  const rows = layoutDiffText(running, next)
    .split("\n")
    .map((line) => line.split(/ {2,}/));
  expect(rows).toEqual([
    ["field", "running", "new"],
    ["(layout version)", "1", "2", "differs"],
    ["(slot)", "16 bytes", "32 bytes", "larger"],
    ["tag", "u8 @0", "-", "removed"],
    ["count", "u32 @4", "u64 @0", "other type, wider, moved"],
    ["host", "bytes of 8 bytes @8", "bytes of 16 bytes @8", "wider"],
    ["seen", "-", "u64 @24", "added"],
  ]);
});
