/** NFs as they are found and built, for who pushes them. */
export { type LoadedNf, loadNf } from "./loaded_nf.ts";
export { type NfPlace, resolveNf, shownPath } from "./resolve.ts";
