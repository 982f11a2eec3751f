/** The REST API, as the rest of the controller sees it. */
export { ADMIN_TOKEN_FILE, ensureAdminToken } from "./admin_token.ts";
export { type ErrorAnswer, errorAnswer, statusOf } from "./error_answer.ts";
export { type Address, type TlsFiles, readTlsFiles } from "./http_server.ts";
export { DEFAULT_REST_LIMITS, type RestLimits } from "./limits.ts";
export { type AskedBy, ControllerMetrics } from "./metrics.ts";
export { type RestServer, type RestServerOptions, createRestServer } from "./rest_server.ts";
export { ApiTokens, type Caller, type Scope, type TokenWish } from "./tokens.ts";
