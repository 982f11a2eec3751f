/** The model's figures come from the page of measurements and from the recording, as they are committed. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { measured, readConstants } from "./constants.ts";
import { type RecordedLoad, replay } from "./load.ts";

const ROOT = new URL("../../../../", import.meta.url).pathname;
const recorded = JSON.parse(readFileSync(`${ROOT}controller/fixtures/recorded_load.json`, "utf8")) as RecordedLoad;

test("the page has the rows that the model needs", () => {
  const constants = readConstants(`${ROOT}docs/performance.md`, recorded);
  expect(constants.capacityPps).toBeGreaterThan(1e6);
  expect(constants.moveFlowsPerSecond).toBeGreaterThan(1e5);
  expect(constants.startMs).toBe(recorded.start_ms);
});

test("a row that is missing is named, with what makes it", () => {
  const page = "<!-- begin: bench x -->\n| a | b [ns] | 1,234.5 | 1–2 |\n<!-- end: bench x -->";
  expect(measured(page, ["x", "a", "b [ns]"])).toBe(1234.5);
  expect(() => measured(page, ["x", "a", "c [ns]"])).toThrow("no row 'a', 'c [ns]' of x: 'npm run bench -- x --write'");
  expect(() => measured(page, ["y", "a", "b [ns]"])).toThrow("bench -- y");
});

test("the recorded load is replayed in time, with its mean as 1, and begins anew", () => {
  const at = replay(recorded, 0);
  const length = recorded.points.at(-1)![0]! / 1000;
  const values = Array.from({ length: 4000 }, (_, i) => at((i / 4000) * length));
  expect(values.reduce((a, b) => a + b, 0) / values.length).toBeCloseTo(1, 1);
  expect(Math.max(...values)).toBeGreaterThan(2);
  expect(at(length + 1)).toBe(at(1));
  expect(replay(recorded, 10)(5)).toBe(at(15));
});
