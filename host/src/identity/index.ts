/** How a host and its controller come to know each other. */
export { CONTROLLER_NAME, connectController, connectUnix, endpointText, findAuthority } from "./connect.ts";
export { ControllerLink, type ControllerLinkOptions, type Way } from "./controller_link.ts";
export { type Identity, digestOfAuthorities, fingerprintOf, isDue, readIdentity, writeIdentity } from "./identity.ts";
export { type ControllerSession, type HostSession, join, renew } from "./join.ts";
export { KEY, makePrivateKey, makeRequest, webKeys } from "./request.ts";
export { type JoinToken, parseToken, tokenText } from "./token.ts";
