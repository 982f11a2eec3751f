// What a machine needs before NFActor builds, tests or runs. The only list: bootstrap installs from it, doctor explains it.
// Plain Node, no packages: this runs before `npm ci`.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";

/** Debian packages by what they are for. `probe` is a file or a command that the package brings. */
export const DEBIAN_PACKAGES = [
  { name: "g++", for: "build", probe: "g++" },
  { name: "cmake", for: "build", probe: "cmake" },
  { name: "ninja-build", for: "build", probe: "ninja" },
  { name: "make", for: "build", probe: "make" },
  { name: "python3", for: "build", probe: "python3" },
  { name: "pkg-config", for: "build", probe: "pkg-config" },
  { name: "git", for: "build", probe: "git" },
  { name: "libdpdk-dev", for: "build", probe: "/usr/include/dpdk/rte_eal.h" },
  { name: "libpcap-dev", for: "build", probe: "/usr/include/pcap/pcap.h" },
  { name: "libnuma-dev", for: "build", probe: "/usr/include/numa.h" },
  { name: "libbsd-dev", for: "build", probe: "/usr/include/bsd/bsd.h" },
  { name: "libseccomp-dev", for: "build", probe: "/usr/include/seccomp.h" },
  { name: "libssl-dev", for: "build", probe: "/usr/include/openssl/evp.h" },
  { name: "nlohmann-json3-dev", for: "build", probe: "/usr/include/nlohmann/json.hpp" },
  { name: "libgtest-dev", for: "test", probe: "/usr/include/gtest/gtest.h" },
  { name: "clang-format", for: "test", probe: "clang-format" },
  { name: "tshark", for: "test", probe: "tshark" },
  { name: "tcpdump", for: "test", probe: "tcpdump" },
  { name: "tcpreplay", for: "test", probe: "tcpreplay" },
  { name: "iperf3", for: "test", probe: "iperf3" },
  { name: "iputils-ping", for: "test", probe: "ping" },
  { name: "nftables", for: "test", probe: "nft" },
  { name: "conntrack", for: "test", probe: "conntrack" },
  { name: "conntrackd", for: "bench", probe: "conntrackd" },
  { name: "keepalived", for: "bench", probe: "keepalived" },
  { name: "procps", for: "live", probe: "sysctl" },
  { name: "iproute2", for: "live", probe: "ip" },
  { name: "ethtool", for: "live", probe: "ethtool" },
  { name: "curl", for: "live", probe: "curl" },
  { name: "nginx-light", for: "live", probe: "nginx" },
];

const SEARCH = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin", "/usr/local/sbin", join(homedir(), ".cargo/bin")];

/** Full path of a command, or undefined. Looks into the sbin folders too, which a user's PATH may lack. */
export function findCommand(name) {
  for (const dir of SEARCH) if (dir && existsSync(join(dir, name))) return join(dir, name);
  return undefined;
}

export const isInstalled = (pkg) => (pkg.probe.startsWith("/") ? existsSync(pkg.probe) : findCommand(pkg.probe) !== undefined);

/** Version as numbers, e.g. "cargo 1.95.0 (f2d3)" -> [1, 95, 0]; undefined when there is none. */
export function versionOf(command, args = ["--version"]) {
  const path = command.startsWith("/") ? command : findCommand(command);
  if (!path) return undefined;
  try {
    const match = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(execFileSync(path, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
    return match ? [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)] : undefined;
  } catch {
    return undefined;
  }
}

export function atLeast(version, wanted) {
  if (!version) return false;
  for (let i = 0; i < wanted.length; i++) if (version[i] !== wanted[i]) return version[i] > wanted[i];
  return true;
}

export const CARGO_WANTED = [1, 95, 0];
export const NODE_WANTED = [20, 19, 0];

/** Debian's plain cargo is far too old for Wasmtime; these are its newer builds in the same distribution. */
export const CARGO_PACKAGES = ["rustc-web", "cargo-web"];

/** Hugepages per size in KiB: [{ kib, total, free }]. */
export function hugepages() {
  const root = "/sys/kernel/mm/hugepages";
  if (!existsSync(root)) return [];
  const read = (dir, file) => Number(readFileSync(join(root, dir, file), "utf8"));
  return readdirSync(root).map((dir) => ({
    kib: Number(/(\d+)kB/.exec(dir)?.[1] ?? 0),
    total: read(dir, "nr_hugepages"),
    free: read(dir, "free_hugepages"),
  }));
}

/**
 * The first cargo on the path that is new enough, or undefined. There may be several: rustup's stand-in counts only where it has a toolchain, and
 * Debian's is behind it.
 */
export function findCargo() {
  return SEARCH.map((dir) => join(dir, "cargo")).find((path) => path.startsWith("/") && existsSync(path) && atLeast(versionOf(path), CARGO_WANTED));
}

/** The folder that has the headers of this Node in include/node, as every way of installing Node lays it out; undefined when there is none. */
export function nodeHeaders() {
  return [resolve(dirname(process.execPath), ".."), process.config.variables.node_prefix, "/usr"].find((dir) => {
    const file = join(dir ?? "", "include/node/node_version.h");
    if (!dir || !existsSync(file)) return false;
    return /define NODE_MODULE_VERSION (\d+)/.exec(readFileSync(file, "utf8"))?.[1] === process.versions.modules;
  });
}

export const isRoot = () => process.getuid?.() === 0;
