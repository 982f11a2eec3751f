// Runs TypeScript as it is: `node --import .../sdk/register.mjs program.ts`, or imported first by a program in JavaScript.
//
// tsx does the work, for our own files only. Packages are JavaScript already, and it would parse all of them: the AssemblyScript compiler with its
// ten megabytes of Binaryen takes half a second to load without that, and six with it. Hooks that are registered last are asked first.
import { register as registerHooks } from "node:module";
import { register } from "tsx/esm/api";

register({ tsconfig: false });
registerHooks("./register_packages.mjs", import.meta.url);
