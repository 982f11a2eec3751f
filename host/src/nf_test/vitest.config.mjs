// How `nfactor test` runs an NF's tests wherever its folder is: `vitest` and `@nfactor/sdk/…` mean those of this NFActor, whatever the folder's
// own node_modules hold or lack. Plain JavaScript, so that it loads without a build. The folder is vitest's --root.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const sdk = resolve(dirname(fileURLToPath(import.meta.url)), "../../../sdk");
const { exports } = JSON.parse(readFileSync(join(sdk, "package.json"), "utf8"));
const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "dist/index.js");

export default {
  // Not in the NF's folder: a test run leaves nothing behind there.
  cacheDir: join(tmpdir(), `nfactor-vitest-${process.getuid()}`),
  resolve: {
    alias: [
      { find: /^vitest$/, replacement: vitest },
      ...Object.entries(exports).map(([name, file]) => ({
        find: new RegExp(`^@nfactor/sdk${name.slice(1).replaceAll(/[.]/g, "\\.")}$`),
        replacement: join(sdk, file),
      })),
    ],
  },
  test: {
    include: ["**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/build/**"],
    pool: "forks",
    // Compiling an NF on a busy machine takes seconds.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
};
