import { expect, test } from "vitest";
import { pickVersion } from "./version.ts";

const ranges = [1, 2, 3, 4, 5].flatMap((min) => [1, 2, 3, 4, 5].filter((max) => max >= min).map((max) => ({ min, max })));
const has = ({ min, max }: { min: number; max: number }, version: number): boolean => min <= version && version <= max;

test("of all ranges: the highest version that both have, whoever asks; with none, both are named, and who is older", () => {
  for (const ours of ranges)
    for (const theirs of ranges) {
      const both = [5, 4, 3, 2, 1].filter((version) => has(ours, version) && has(theirs, version));
      if (both.length > 0) {
        expect([pickVersion(ours, theirs), pickVersion(theirs, ours)]).toEqual([both[0], both[0]]);
        continue;
      }
      const older = theirs.max < ours.min ? "whoever has connected" : "whom it has connected to";
      const fix = `Bring ${older} to a newer release of NFActor.`;
      expect(() => pickVersion(ours, theirs)).toThrow(expect.objectContaining({ code: "rpc.version", fix }) as Error);
    }
});
