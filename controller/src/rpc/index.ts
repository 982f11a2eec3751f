/** The controller's side of its connections to hosts. */
export { Authority, type ServerCredentials } from "./authority.ts";
export { Enrolment, type EnrolmentOptions, type HostCertificate } from "./enrolment.ts";
export { LISTENER, Listener, type ListenerLimits, type ListenerOptions } from "./listener.ts";
