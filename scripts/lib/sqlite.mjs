// better-sqlite3's addon, built from the sources of its npm package against the headers of the Node that runs this: nothing is fetched. Built once for a given
// package and Node, and kept outside the tree as the engine is; build/sqlite has the copy that the controller loads.
// Plain Node, no packages.
import { createHash } from "node:crypto";
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { availableParallelism, homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { nodeHeaders } from "./requirements.mjs";
import { BUILD, ROOT, StepError, main, must, setStamp, stampIs } from "./steps.mjs";

const PACKAGE = "node_modules/better-sqlite3";
const ADDON = "better_sqlite3.node";
const BUILT = join(BUILD, "sqlite", ADDON);

/** Same key, same addon: what npm checked the package against, and what of Node decides whether the addon loads. */
function key() {
  const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  const { version, integrity } = packages[PACKAGE];
  const node = `${process.platform}-${process.arch}-${process.versions.modules}`;
  return `${version}-${node}-${createHash("sha256").update(integrity).digest("hex").slice(0, 16)}`;
}

export const sqliteIsBuilt = () => existsSync(BUILT) && stampIs("sqlite", key());

export async function buildSqlite(show = () => {}) {
  const cache = join(process.env.NFACTOR_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "nfactor"), "sqlite");
  const kept = join(cache, key(), ADDON);
  if (!existsSync(kept)) await compile(kept, show);
  mkdirSync(dirname(BUILT), { recursive: true });
  // A process that has loaded the one before goes on with it.
  copyFileSync(kept, `${BUILT}.new`);
  renameSync(`${BUILT}.new`, BUILT);
  setStamp("sqlite", key());
}

async function compile(kept, show) {
  const headers = nodeHeaders();
  if (!headers)
    throw new StepError(
      `the headers of Node ${process.versions.node} are not beside it (include/node/node_version.h).\n` +
        "  Node's own archive has them, and so have the packages of NodeSource; of Debian's it is libnode-dev.",
    );
  const work = join(BUILD, "sqlite", "source");
  rmSync(work, { recursive: true, force: true });
  mkdirSync(dirname(work), { recursive: true });
  cpSync(join(ROOT, PACKAGE), work, { recursive: true });
  // The script of the package that compiles, with the node-gyp that npm brings. Its install script would look for a binary on the net first.
  await must("npm", ["run", "build-release"], { cwd: work, onLine: show, env: { npm_config_nodedir: headers, JOBS: String(availableParallelism()) } });
  mkdirSync(dirname(kept), { recursive: true });
  copyFileSync(join(work, "build/Release", ADDON), `${kept}.${process.pid}`);
  renameSync(`${kept}.${process.pid}`, kept);
  rmSync(work, { recursive: true, force: true });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(() => buildSqlite(console.log));
