import { expect, test } from "vitest";
import { AddonDataplane } from "./addon_dataplane.ts";
import type { NativeAddon, RuntimeSpec } from "./native_types.ts";

const spec = {} as RuntimeSpec;
const coded = (code: string): Error => Object.assign(new Error("said by the addon"), { code });

/** Answers `createRuntime` with 7 and everything else with `error`. */
const failing = (error: Error): NativeAddon =>
  new Proxy({} as NativeAddon, {
    get: (_, name) =>
      name === "createRuntime"
        ? async () => 7
        : (id: number) => {
            expect(id).toBe(7);
            throw error;
          },
  });

test("errors of the addon come with what can be done about them, thrown or rejected", async () => {
  const dataplane = await AddonDataplane.create(failing(coded("runtime.direct")), spec);
  expect(dataplane.switched).toBe(false);
  const wanted = { name: "NfError", code: "runtime.direct", fix: expect.stringContaining("--runtimes") as string };
  expect(() => dataplane.runtimes()).toThrow(expect.objectContaining(wanted) as Error);
  for (const call of [
    () => dataplane.addRuntime(),
    () => dataplane.removeRuntime(1, { force: true }),
    () => dataplane.migrate({ from: 1, to: 2, count: 1 }),
    () => dataplane.drain(1, { to: [] }),
    () => dataplane.undrain(1),
    () => dataplane.flows({ limit: 1 }),
    () => dataplane.start(),
    () => dataplane.destroy(),
  ])
    await expect(call()).rejects.toMatchObject(wanted);
});

test("what has no code of ours stays as it is", async () => {
  const bug = new TypeError("seed must be a string");
  const dataplane = await AddonDataplane.create(failing(bug), spec);
  await expect(dataplane.ended()).rejects.toBe(bug);
});

test("a tenant is switched", async () => {
  const switching = { runtimes: 2, lcores: 1, placement: "round_robin", migrations: 10 } as const;
  expect((await AddonDataplane.create(failing(coded("internal")), { ...spec, switching })).switched).toBe(true);
});
