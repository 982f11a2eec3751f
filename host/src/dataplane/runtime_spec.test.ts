import { expect, test } from "vitest";
import { defaultConfig } from "../config/host_config.ts";
import { runtimeSpec, switchingSpec } from "./runtime_spec.ts";

const input = { kind: "capture", in: "in.pcap", clientCidrs: [] } as const;

test("direct mode has no word about switching", () => {
  expect(runtimeSpec(defaultConfig(), { ...input, clientCidrs: [] }, [], 0)).not.toHaveProperty("switching");
});

test.each([
  [{ count: 4 }, 2, 2],
  [{ count: 4 }, 64, 5],
  [{ count: 15 }, 64, 16],
  [{ count: 1 }, 1, 1],
  [{ count: 4, lcores: 7 }, 2, 7],
])("%j on %i CPUs runs on %i lcores", (runtimes, cpus, lcores) => {
  expect(switchingSpec({ placement: "round_robin", migrations: 1000, ...runtimes }, cpus)).toEqual({
    runtimes: runtimes.count,
    lcores,
    placement: "round_robin",
    migrations: 1000,
  });
});
