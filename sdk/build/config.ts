/** Configurations, for those who build: see @nfactor/sdk/config, which does not load the compiler. */
export { ConfigError, encodeConfig } from "../config/index.ts";
