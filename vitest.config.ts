import { defineConfig } from "vitest/config";

// Real processes, namespaces and the native addon: files run one after another in processes of their own, so that no test measures another's load.
export default defineConfig({
  test: {
    include: ["sdk/**/*.test.ts", "host/**/*.test.ts", "controller/**/*.test.ts", "nf-wasm/**/*.test.ts", "test/**/*.test.ts", "scripts/**/*.test.ts"],
    exclude: ["**/node_modules/**", "build/**"],
    globalSetup: ["scripts/lib/compile.mjs"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 180_000,
  },
});
