import { describe, expect, test } from "vitest";
import { compareVersions, newestOf, parseNfReference } from "./nf_reference.ts";

const DIGEST = "0123456789ab".padEnd(64, "c");

describe("a reference", () => {
  test("names an NF, a version of it, or the beginning of a digest", () => {
    expect(parseNfReference("nat44")).toEqual({ nf: "nat44" });
    expect(parseNfReference("nat44@1.2.0-rc.1")).toEqual({ nf: "nat44", version: "1.2.0-rc.1" });
    expect(parseNfReference(`nat44@sha256:${DIGEST}`)).toEqual({ nf: "nat44", digest: DIGEST });
    expect(parseNfReference("nat44@sha256:0123456789ab")).toEqual({ nf: "nat44", digest: "0123456789ab" });
  });

  test.each([
    "",
    "@1.0.0",
    "Nat44",
    "nat-44",
    "../nat44",
    "nat44/..",
    "nat44@",
    "nat44@1.0",
    "nat44@latest",
    "nat44@1.0.0/../x",
    "nat44@sha256:0123456789a",
    `nat44@sha256:${DIGEST}0`,
    `nat44@sha256:${DIGEST.toUpperCase()}`,
    "nat44@sha512:0123456789ab",
    "nat44@1.0.0@1.0.0",
    "nat44\u001b[2J",
    "nat44\n",
    "ﬁrewall",
    "__proto__",
    "x".repeat(64),
    "x".repeat(100_000),
  ])("is not %j", (text) => {
    const error = (() => {
      try {
        return parseNfReference(text);
      } catch (thrown) {
        return thrown as Error;
      }
    })();
    expect(error).toMatchObject({ name: "NfError", code: "artifact.name", fix: expect.any(String) as string, allowed: expect.any(String) as string });
    // What a terminal would obey is not in the message, nor all of a long name.
    const said = JSON.stringify([(error as Error).message, error]);
    expect(said).not.toMatch(/\\u001b|\\n/);
    expect(said.length).toBeLessThan(1000);
  });

  test("is a text", () => {
    expect(() => parseNfReference(undefined as unknown as string)).toThrow(expect.objectContaining({ code: "artifact.name" }));
  });
});

describe("versions", () => {
  test("are in the order of semantic versioning", () => {
    // The first eight are the example of its section 11, the rest its rules.
    const inOrder = [
      ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0"],
      [
        "1.0.1",
        "1.2.0",
        "1.10.0",
        "2.0.0-0",
        "2.0.0-9",
        "2.0.0-10",
        "2.0.0--",
        "2.0.0-a-b",
        "2.0.0",
        "10.0.0",
        "99999999999999999999.0.0",
        "100000000000000000000.0.0",
      ],
    ].flat();
    for (const [i, a] of inOrder.entries())
      for (const [j, b] of inOrder.entries()) expect([a, b, Math.sign(compareVersions(a, b))]).toEqual([a, b, Math.sign(i - j)]);
  });

  test("that mean the same are still in an order", () => {
    expect(compareVersions("01.0.0", "1.0.0")).toBe(-compareVersions("1.0.0", "01.0.0"));
    expect(compareVersions("01.0.0", "1.0.0")).not.toBe(0);
    expect(compareVersions("1.0.0", "1.0.0")).toBe(0);
  });

  test("have a newest one, which is no pre-release unless there is nothing else", () => {
    expect(newestOf(["1.9.0", "1.10.0", "2.0.0-rc.1"])).toBe("1.10.0");
    expect(newestOf(["1.0.0-alpha", "1.0.0-beta"])).toBe("1.0.0-beta");
    expect(newestOf([])).toBeUndefined();
  });
});
