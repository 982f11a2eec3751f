// The TypeScript of the programs that NFActor starts, compiled into JavaScript in build/js: `node scripts/lib/compile.mjs`. sdk/load.mjs loads it, and has
// the TypeScript run as it is when anything that it was made of has changed since.
//
// One run of esbuild makes few files of hundreds, and puts the packages that every command needs among them: opening and linking files is what a start costs.
// What a program imports when it needs it (`await import(...)`) stays apart. Files are named by their contents and never change; the list of them, with what
// they were made of, is put in place at the end. So programs may start meanwhile, and one that runs finds what it imports later.
// Plain Node but for esbuild: this is loaded before `npm ci`.
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { COMPILED, LIST, currentList } from "../../sdk/load.mjs";
import { BUILD, ROOT, StepError, main } from "./steps.mjs";

const FOLDER = join(BUILD, "js");
const ENTRIES = ["host/src/cli/main.ts", "controller/src/cli/program.ts", "sdk/admission/child_main.ts"];
const WORKSPACES = ["sdk", "host", "controller"];
/** Small, needed by nearly every command, and many files each. The others are loaded from their packages. */
const BUNDLED = ["commander", "yaml", "zod"];
/** What decides what an import means and how it is compiled. */
const ALSO = [...WORKSPACES.map((name) => `${name}/package.json`), "node_modules/.package-lock.json", "scripts/lib/compile.mjs"];
/** Of files that the newest list does not name. */
const KEPT_MS = 7 * 24 * 3_600_000;

/** `import.meta` in a source means that source, where its folder's other files are. Two folders up from an output is the root, wherever that is by now. */
const BANNER = [
  'import { createRequire as __requireFrom } from "node:module"; import { fileURLToPath as __fileOf } from "node:url";',
  "const require = __requireFrom(import.meta.url), __from = (path) => new URL(path, import.meta.url).href;",
].join("\n");
const DEFINE = { "import.meta.url": "__sourceUrl", "import.meta.filename": "__sourceFile", "import.meta.dirname": "__sourceFolder" };
const placeOf = (path) => {
  const [file, folder] = [path, dirname(path)].map((one) => JSON.stringify(`../../${one}`));
  return `const __sourceUrl = __from(${file}), __sourceFile = __fileOf(__sourceUrl), __sourceFolder = __fileOf(__from(${folder})); `;
};

export const isCompiled = (folder = COMPILED) => currentList(folder) !== undefined;

export async function compile(folder = COMPILED) {
  if (dirname(folder) !== BUILD) throw new StepError(`NFACTOR_COMPILED is ${folder}: what is compiled has to be in a folder of ${BUILD}.`);
  const { build } = await import("esbuild");
  const inputs = new Map();
  const note = (path) => {
    const { size, mtimeMs } = statSync(join(ROOT, path));
    inputs.set(path, [size, mtimeMs]);
  };
  for (const path of ALSO) if (existsSync(join(ROOT, path))) note(path);
  const own = {
    name: "own sources",
    setup({ onLoad }) {
      onLoad({ filter: /\.(ts|mjs|json)$/ }, ({ path: absolute }) => {
        const path = relative(ROOT, absolute);
        if (path.startsWith("..") || path.includes("node_modules/")) return undefined;
        // First: who changes it while it is read makes it another one.
        note(path);
        const text = readFileSync(absolute, "utf8");
        const loader = { ".ts": "ts", ".mjs": "js", ".json": "json" }[/\.\w+$/.exec(path)[0]];
        return { contents: text.includes("import.meta.") ? `${placeOf(path)}${text}` : text, loader };
      });
    },
  };
  const packages = WORKSPACES.flatMap((name) => Object.keys(JSON.parse(readFileSync(join(ROOT, name, "package.json"), "utf8")).dependencies));
  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ENTRIES,
    ...{ bundle: true, splitting: true, format: "esm", platform: "node", target: "node20", minifyWhitespace: true, tsconfigRaw: {} },
    external: packages.filter((name) => !BUNDLED.includes(name) && !name.startsWith("@nfactor/")).flatMap((name) => [name, `${name}/*`]),
    ...{ banner: { js: BANNER }, define: DEFINE, plugins: [own] },
    ...{ outdir: folder, entryNames: "[name]-[hash]", chunkNames: "[name]-[hash]", outExtension: { ".js": ".mjs" } },
    ...{ sourcemap: true, sourcesContent: false, write: false, metafile: true, logLevel: "silent" },
  });
  mkdirSync(folder, { recursive: true });
  const write = (name, contents) => {
    const path = join(folder, name);
    writeFileSync(`${path}.${process.pid}`, contents);
    renameSync(`${path}.${process.pid}`, path);
  };
  const names = outputFiles.map(({ path, contents }) => {
    const name = basename(path);
    if (!existsSync(join(folder, name))) write(name, contents);
    return name;
  });
  const entries = Object.entries(metafile.outputs).flatMap(([path, { entryPoint }]) => (ENTRIES.includes(entryPoint) ? [[entryPoint, basename(path)]] : []));
  const before = existsSync(join(folder, LIST)) ? JSON.parse(readFileSync(join(folder, LIST), "utf8")).files : [];
  write(LIST, JSON.stringify({ entries: Object.fromEntries(entries), files: names, inputs: [...inputs].sort().map(([path, is]) => [path, ...is]) }));
  clear(folder, new Set([...before, ...names]));
}

/** For vitest, whose tests start hundreds of programs. Sources that do not compile are a matter of the tests that need them. */
export async function setup() {
  if (COMPILED === FOLDER && !isCompiled()) await compile().catch((error) => console.error(`not compiled, and run as TypeScript: ${error.message}`));
}

/** Removes what no list has named for long; the time of a file is when one did. */
function clear(folder, named) {
  const now = new Date();
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (named.has(name)) utimesSync(path, now, now);
    else if (name !== LIST && now - statSync(path).mtime > KEPT_MS) rmSync(path, { force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(() => compile());
