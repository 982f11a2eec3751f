import { expect, test } from "vitest";
import { runtimeSchema } from "./runtimes_result.ts";

const COUNTS = [
  ...["runtime", "lcore", "flows", "received", "sent", "dropped", "held", "moved_in", "moved_out", "under_way", "nf_asked", "nf_moves", "nf_moves_failed"],
  ...[
    "arrivals_refused",
    "queued",
    "missed",
    "replicas",
    "unprotected",
    "replication_lag",
    "relayed",
    "recovered",
    "state_lost",
    "refused_messages",
    "busy_us",
  ],
];
const report = { ...Object.fromEntries(COUNTS.map((name) => [name, 0])), state: "running" };

test("bytes may be more than a number counts one by one: a port of 100 Gbit/s gets there in eight days", () => {
  const { received_bytes, sent_bytes } = runtimeSchema.parse({ ...report, received_bytes: Number(2n ** 60n), sent_bytes: Number(2n ** 64n - 1n) });
  expect([received_bytes, sent_bytes]).toEqual([2 ** 60, 2 ** 64]);
  expect(runtimeSchema.safeParse({ ...report, received_bytes: -1 }).success).toBe(false);
});
