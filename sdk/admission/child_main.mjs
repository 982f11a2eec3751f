// Entry of the checking process, see child.ts: compiled or as TypeScript, see load.mjs.
import { load } from "../load.mjs";

await load("sdk/admission/child_main.ts");
