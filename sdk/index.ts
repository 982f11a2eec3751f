/**
 * What tools in TypeScript share: errors, manifest, state by field name. The rest has entries of its own, so that nobody loads what they do not
 * use: build, config, admission, simulator, test, pack, capture, abi. In an NF's source the same name means the AssemblyScript library
 * (assembly/index.ts), which the compiler puts there.
 */
export { type ErrorCode, NfError, type NfErrorDetails, type Where, formatWhere } from "./errors.ts";
export * from "./manifest/index.ts";
