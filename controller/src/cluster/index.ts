/** The cluster, as the rest of the controller sees it. */
export { Cluster, type ClusterOptions, type HostSessions } from "./cluster.ts";
export type * from "./cluster_api.ts";
export { type DeploymentInput, deploymentInputSchema } from "./deployment_input.ts";
export { referenceSources } from "./artifact_source.ts";
export { FIRST_TENANT, TENANT_QUOTA } from "./tenants.ts";
