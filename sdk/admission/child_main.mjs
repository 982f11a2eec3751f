// Entry of the checking process (see child.ts): TypeScript is run as it is, by the tsx of this package.
import { register } from "tsx/esm/api";

register({ tsconfig: false });
await import("./child_main.ts");
