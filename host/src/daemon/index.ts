/** The daemon of a host, for whoever runs it in a process: `nfactor host`, `nfactor up`. */
export { type DaemonEvent, HostDaemon, type HostDaemonOptions, startHostDaemon } from "./host_daemon.ts";
export { type WayWish, wayTo } from "./way.ts";
