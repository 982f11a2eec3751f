import { NfError } from "@nfactor/sdk/errors";
import { expect, test } from "vitest";
import { parsePolicy, policyOf } from "./policy.ts";

test("nothing given is a policy that works, for every group", () => {
  const policy = parsePolicy({});
  expect(policyOf(policy, "any")).toMatchObject({ min: 1, max: 15, replicas: 0, load_low: 0.5, load_target: 0.6, load_high: 0.75 });
  expect(policyOf(parsePolicy({ groups: { a: { max: 3 } } }), "a").max).toBe(3);
});

test.each([
  [{ groups: { a: { min: 5, max: 2 } } }, "groups.a.min: min (5) must not be above max (2)"],
  [{ groups: { a: { load_high: 0.5 } } }, "load_low < load_target < load_high is needed"],
  [{ groups: { a: { maxx: 2 } } }, "maxx"],
  [{ quotas: { t: -1 } }, "quotas.t"],
  [{ operations_max: "many" }, "operations_max"],
  ["off", "the policy"],
])("%j is refused with the field and what is wrong with it", (given, complaint) => {
  let thrown: unknown;
  try {
    parsePolicy(given);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(NfError);
  expect((thrown as NfError).code).toBe("config.field");
  expect((thrown as NfError).message).toContain(complaint);
});
