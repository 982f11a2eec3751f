// Entry of the checking process, see child.ts: compiled or as TypeScript, see load.mjs.
import { load } from "../load.mjs";

// What the world check needs is of some MB. V8 compiles it beside everything else that is loaded; whoever needs it is told of a failure.
void import("@bytecodealliance/jco-transpile/wasm-tools").catch(() => undefined);
await load("sdk/admission/child_main.ts");
