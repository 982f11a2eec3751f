import { defineConfig } from "vitest/config";

const NEVER = ["**/node_modules/**", "build/**"];
/** What it decides by is the load of the machine's cores. */
const ALONE = ["test/e2e/load_step.test.ts"];

// Real processes, namespaces and the native addon: files run in processes of their own, two at a time, and at the end those that need the machine to themselves.
export default defineConfig({
  test: {
    globalSetup: ["scripts/lib/compile.mjs"],
    pool: "forks",
    testTimeout: 120_000,
    hookTimeout: 180_000,
    projects: [
      {
        extends: true,
        test: {
          name: "together",
          include: ["sdk/**/*.test.ts", "host/**/*.test.ts", "controller/**/*.test.ts", "nf-wasm/**/*.test.ts", "test/**/*.test.ts", "scripts/**/*.test.ts"],
          exclude: [...NEVER, ...ALONE],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      { extends: true, test: { name: "alone", include: ALONE, exclude: NEVER, maxWorkers: 1, sequence: { groupOrder: 1 } } },
    ],
  },
});
