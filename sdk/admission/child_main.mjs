// Entry of the checking process (see child.ts): TypeScript is run as it is, by the tsx of this package.
await import("../register.mjs");
await import("./child_main.ts");
