/** The table of all routes. */
import type { Route } from "../route.ts";
import { artifactRoutes } from "./artifacts.ts";
import { clusterRoutes } from "./cluster.ts";
import { deploymentRoutes } from "./deployments.ts";
import { documentRoutes } from "./documents.ts";
import { hostRoutes } from "./hosts.ts";
import { operationRoutes } from "./operations.ts";
import { tenantRoutes } from "./tenants.ts";
import { tokenRoutes } from "./tokens.ts";

export const ROUTES: readonly Route[] = [
  ...tenantRoutes,
  ...artifactRoutes,
  ...deploymentRoutes,
  ...operationRoutes,
  ...hostRoutes,
  ...tokenRoutes,
  ...clusterRoutes,
  ...documentRoutes,
];
