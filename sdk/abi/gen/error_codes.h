// Generated from sdk/abi/error_codes.json by `npm run generate`. Do not edit.
#pragma once

#include <cstdint>

namespace nf {

enum class ErrorCode : uint16_t {
  kInternal = 0,  // A fault of NFActor's own; please report it.
  kAdmissionRefused = 1,  // The module or component breaks a rule of admission.
  kAdmissionTimeout = 2,  // Admission took longer or more memory than it may.
  kArtifactAborted = 3,  // The upload ended before it was whole, or took too long; nothing of it was kept.
  kArtifactAmbiguous = 4,  // The beginning of a digest fits more than one version.
  kArtifactBusy = 5,  // As many uploads as may be are under way, or others were faster each time: try again.
  kArtifactDamaged = 6,  // A stored artifact is not what its digest says, or is missing; it is not handed out.
  kArtifactFull = 7,  // There is no room for the artifact, on the disk or within the registry's bound; nothing of it was kept.
  kArtifactInUse = 8,  // What runs, or is to run, cannot be deleted.
  kArtifactIo = 9,  // The folder of the artifacts cannot be made, read or written.
  kArtifactMismatch = 10,  // The upload is not what was announced: another name, version or digest.
  kArtifactName = 11,  // The name of a tenant or NF, a version, or a reference to one is malformed.
  kArtifactNotFound = 12,  // The tenant has no such NF, or no such version of it.
  kArtifactQuota = 13,  // The tenant's quota of artifacts would be exceeded.
  kArtifactTooLarge = 14,  // The upload is larger than an artifact or a source map may be.
  kArtifactUncertain = 15,  // It cannot be found out what is in use, so nothing is deleted.
  kArtifactVersionTaken = 16,  // There is this version of the NF already, with another content: versions never change.
  kBuildCompile = 17,  // The NF's source does not compile.
  kBuildNoSource = 18,  // The NF has no source where its manifest says.
  kCaptureFormat = 19,  // The capture file is neither pcap nor pcapng, or its header is damaged.
  kCaptureLinkType = 20,  // The capture's link type is not Ethernet.
  kCaptureRead = 21,  // The capture file cannot be read.
  kCaptureTruncated = 22,  // The capture file ends inside a record.
  kCaptureWrite = 23,  // The output capture cannot be written.
  kCliAnswer = 24,  // The controller's API answered with something that is not understood.
  kCliContext = 25,  // It is not known which controller is meant, or the file of contexts cannot be used.
  kCliTimeout = 26,  // The controller's API has not answered in time; it may go on with what was asked for.
  kCliUnreachable = 27,  // Nobody answers at the address of the controller's API.
  kClusterEnding = 28,  // The deployment is being ended, or was ended meanwhile.
  kClusterHost = 29,  // The deployment cannot be on that host, or it is not said on which.
  kClusterHostAway = 30,  // The host is not connected to its controller; packets flow meanwhile.
  kClusterInUse = 31,  // What is to be deleted still has something: a tenant deployments or NFs, a host deployments.
  kClusterPort = 32,  // Another deployment has the interface.
  kClusterQuota = 33,  // The tenant's quota of deployments or runtimes would be exceeded.
  kClusterReplace = 34,  // The change would end flows, and that was not allowed.
  kClusterRevision = 35,  // The deployment has no such revision to go back to.
  kConfigField = 36,  // A configuration field is missing, unknown, of the wrong type or out of range.
  kConfigNotFound = 37,  // The configuration file does not exist or cannot be read.
  kConfigPortRange = 38,  // A port range is malformed or reversed.
  kConfigPrefix = 39,  // An address or prefix is malformed.
  kConfigRefused = 40,  // The NF refused its configuration.
  kConfigRights = 41,  // An NF wants a right that the operator did not grant.
  kConfigTooLarge = 42,  // The encoded configuration exceeds its limit.
  kConfigYaml = 43,  // The file is not well-formed YAML.
  kDoctorMissing = 44,  // Something that the machine needs is missing.
  kEalInit = 45,  // DPDK's environment could not be initialised.
  kEalMemory = 46,  // Not enough memory for packets and flows.
  kHostPermission = 47,  // The operation needs a permission that this process lacks.
  kHostNoDeployment = 48,  // The host has no such deployment.
  kHostSettings = 49,  // Processes of the host run already, with other settings than it is started with.
  kHostShape = 50,  // The deployment cannot become what is wanted while it runs, as its flows would end.
  kHostStale = 51,  // The host has this revision of the deployment with other contents, or a newer one.
  kHostState = 52,  // The host daemon's state folder cannot be used: no rights, no room, or another daemon has it.
  kHostSocket = 53,  // The control socket cannot be made, reached or understood.
  kHostNotRunning = 54,  // No running host answers on the control socket.
  kManifestField = 55,  // A field of nf.yaml is missing, unknown, of the wrong type or out of range.
  kManifestNotFound = 56,  // There is no nf.yaml.
  kManifestYaml = 57,  // nf.yaml is not well-formed YAML.
  kMemberCommand = 58,  // A member's process does not understand a command, or cannot follow it as things stand.
  kNativeMissing = 59,  // The native part has not been built for this machine.
  kNfArtifact = 60,  // The file is no NF artifact.
  kNfCompile = 61,  // The module could not be compiled to native code.
  kNfNotFound = 62,  // No NF of this name or path.
  kNfStart = 63,  // The NF failed in init or configure.
  kPackComponent = 64,  // The core module does not fit the NF world.
  kPortMissing = 65,  // The network interface does not exist.
  kPortStart = 66,  // The port could not be opened or started.
  kRestAborted = 67,  // The request ended before it was whole; nothing was changed.
  kRestBody = 68,  // The request's body, or the request itself, is malformed.
  kRestBusy = 69,  // As many streams as may be are open: try again.
  kRestClosing = 70,  // The controller is about to end: try again when it is back.
  kRestField = 71,  // A field of the request is missing, unknown, of the wrong type or out of range.
  kRestForbidden = 72,  // The token may not do this: its scope is too low, or it is of one tenant.
  kRestHeader = 73,  // The request's headers are too long.
  kRestListen = 74,  // The controller's API cannot listen there.
  kRestMediaType = 75,  // The request's body is of a type that is not taken there.
  kRestMethod = 76,  // The path is not for this method.
  kRestNotFound = 77,  // The API has nothing under this path.
  kRestPath = 78,  // The request's path is malformed or too long.
  kRestRate = 79,  // Too many requests without a good token came from this address.
  kRestTimeout = 80,  // The request did not come in time.
  kRestTls = 81,  // The certificate or key of the controller's API cannot be read, or do not fit each other.
  kRestTooLarge = 82,  // The request's body is too large.
  kRestUnauthorized = 83,  // A token is needed; or the one that was given is malformed, unknown, expired or revoked.
  kRpcBusy = 84,  // The other side has as much to do as it takes at once; nothing was done.
  kRpcCancelled = 85,  // The request was called off by whoever made it.
  kRpcCertificate = 86,  // The host's certificate is missing, has expired, was revoked, or is another controller's.
  kRpcClosed = 87,  // The connection between controller and host is closed; what was asked for last may have been done.
  kRpcDeadline = 88,  // The request was not done within its time; part of it may have been.
  kRpcFrame = 89,  // A message between controller and host is too long, too deep, or no MessagePack.
  kRpcIdempotency = 90,  // An idempotency key is missing, or was used for another request.
  kRpcJoin = 91,  // The join token is malformed, unknown, expired or used.
  kRpcListen = 92,  // The controller cannot listen there.
  kRpcLost = 93,  // The other side has not been heard of for too long.
  kRpcMethod = 94,  // The other side serves no such method, or not to this caller.
  kRpcOutcome = 95,  // The other side was started anew meanwhile: whether it did what was asked for is not known.
  kRpcParams = 96,  // A request's parameters do not fit its method.
  kRpcProtocol = 97,  // The other side does not keep to the protocol between controller and host.
  kRpcReplaced = 98,  // A newer connection of the same host has taken this one's place.
  kRpcResult = 99,  // An answer does not fit its method.
  kRpcSlow = 100,  // A stream's reader did not take what came in time.
  kRpcUnreachable = 101,  // Nobody answers at the controller's address.
  kRpcUntrusted = 102,  // Whoever answers at the controller's address is not the controller that is trusted.
  kRpcVersion = 103,  // Controller and host have no version of their protocol in common.
  kPeerInUse = 104,  // The peer has runtimes, so it cannot be removed, nor its interface changed.
  kPeerUnknown = 105,  // The host has no peer of this name.
  kRuntimeBusy = 106,  // The runtime is doing something that excludes this.
  kRuntimeDirect = 107,  // The host runs in direct mode, without a virtual switch: it has no runtimes between which flows could move.
  kRuntimeEnded = 108,  // The run has ended, or ended meanwhile.
  kRuntimeInProcess = 109,  // The host's runtimes share one process: none of them can be elsewhere.
  kRuntimeLast = 110,  // A host keeps one runtime at least.
  kRuntimeLimit = 111,  // The host has as many runtimes as it may have.
  kRuntimeNoFlow = 112,  // No flow of the runtime is what was asked for.
  kRuntimeNotEmpty = 113,  // The runtime still has flows, which would end with it.
  kRuntimeNotFound = 114,  // The addon has no dataplane of this id.
  kRuntimeSame = 115,  // Source and target of a migration are the same runtime.
  kRuntimeSpec = 116,  // The runtime's specification is inconsistent.
  kRuntimeUnknown = 117,  // The host has no runtime of this number.
  kRuntimeUnreplicated = 118,  // The host keeps no replicas of flows.
  kStateTooLarge = 119,  // The state store of an NF would exceed what the ABI has room for.
  kStoreClosed = 120,  // The store was closed.
  kStoreCompacted = 121,  // The revision is no longer kept: read everything again.
  kStoreDamaged = 122,  // The store's file is damaged, or part of it is missing; nothing was changed.
  kStoreExists = 123,  // There is an object of this name already.
  kStoreFormat = 124,  // The file is no store, or one of a version that this NFActor does not know.
  kStoreFull = 125,  // The store, or its disk, has no room; nothing was written.
  kStoreFuture = 126,  // The revision has not been made yet.
  kStoreIo = 127,  // The store's file cannot be made, read or written.
  kStoreLease = 128,  // There is no such lease: its time ran out, or it was ended.
  kStoreLimit = 129,  // A bound of the store would be exceeded.
  kStoreLocked = 130,  // The store's file is in use.
  kStoreName = 131,  // A name, key or prefix is malformed or too long.
  kStoreNotFound = 132,  // There is no object of this name.
  kStoreObject = 133,  // An object does not fit the schema of its kind.
  kStoreStale = 134,  // The object was changed meanwhile: the version given is not the one it has.
  kSwapEntry = 135,  // The chain has no such entry.
  kSwapExports = 136,  // The new version lacks something that the running one provides.
  kSwapLayout = 137,  // The new version's state layout differs from the running one's.
  kSwapRights = 138,  // The new version wants other rights than were granted to the entry.
  kTraceBusy = 139,  // A trace or capture of the host is under way; there is one at a time.
  kTraceEnded = 140,  // The trace has ended: it was stopped, or nobody read from it for too long.
  kTracePoint = 141,  // The chain has no such point to capture at.
  kTraceUnsupported = 142,  // A process of the host is of an older version, which cannot trace.
  kUsage = 143,  // The command line is not understood.
};

// The code as it is written in messages and seen by TypeScript.
inline constexpr const char* ErrorCodeName(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInternal:
      return "internal";
    case ErrorCode::kAdmissionRefused:
      return "admission.refused";
    case ErrorCode::kAdmissionTimeout:
      return "admission.timeout";
    case ErrorCode::kArtifactAborted:
      return "artifact.aborted";
    case ErrorCode::kArtifactAmbiguous:
      return "artifact.ambiguous";
    case ErrorCode::kArtifactBusy:
      return "artifact.busy";
    case ErrorCode::kArtifactDamaged:
      return "artifact.damaged";
    case ErrorCode::kArtifactFull:
      return "artifact.full";
    case ErrorCode::kArtifactInUse:
      return "artifact.in_use";
    case ErrorCode::kArtifactIo:
      return "artifact.io";
    case ErrorCode::kArtifactMismatch:
      return "artifact.mismatch";
    case ErrorCode::kArtifactName:
      return "artifact.name";
    case ErrorCode::kArtifactNotFound:
      return "artifact.not_found";
    case ErrorCode::kArtifactQuota:
      return "artifact.quota";
    case ErrorCode::kArtifactTooLarge:
      return "artifact.too_large";
    case ErrorCode::kArtifactUncertain:
      return "artifact.uncertain";
    case ErrorCode::kArtifactVersionTaken:
      return "artifact.version_taken";
    case ErrorCode::kBuildCompile:
      return "build.compile";
    case ErrorCode::kBuildNoSource:
      return "build.no_source";
    case ErrorCode::kCaptureFormat:
      return "capture.format";
    case ErrorCode::kCaptureLinkType:
      return "capture.link_type";
    case ErrorCode::kCaptureRead:
      return "capture.read";
    case ErrorCode::kCaptureTruncated:
      return "capture.truncated";
    case ErrorCode::kCaptureWrite:
      return "capture.write";
    case ErrorCode::kCliAnswer:
      return "cli.answer";
    case ErrorCode::kCliContext:
      return "cli.context";
    case ErrorCode::kCliTimeout:
      return "cli.timeout";
    case ErrorCode::kCliUnreachable:
      return "cli.unreachable";
    case ErrorCode::kClusterEnding:
      return "cluster.ending";
    case ErrorCode::kClusterHost:
      return "cluster.host";
    case ErrorCode::kClusterHostAway:
      return "cluster.host_away";
    case ErrorCode::kClusterInUse:
      return "cluster.in_use";
    case ErrorCode::kClusterPort:
      return "cluster.port";
    case ErrorCode::kClusterQuota:
      return "cluster.quota";
    case ErrorCode::kClusterReplace:
      return "cluster.replace";
    case ErrorCode::kClusterRevision:
      return "cluster.revision";
    case ErrorCode::kConfigField:
      return "config.field";
    case ErrorCode::kConfigNotFound:
      return "config.not_found";
    case ErrorCode::kConfigPortRange:
      return "config.port_range";
    case ErrorCode::kConfigPrefix:
      return "config.prefix";
    case ErrorCode::kConfigRefused:
      return "config.refused";
    case ErrorCode::kConfigRights:
      return "config.rights";
    case ErrorCode::kConfigTooLarge:
      return "config.too_large";
    case ErrorCode::kConfigYaml:
      return "config.yaml";
    case ErrorCode::kDoctorMissing:
      return "doctor.missing";
    case ErrorCode::kEalInit:
      return "eal.init";
    case ErrorCode::kEalMemory:
      return "eal.memory";
    case ErrorCode::kHostPermission:
      return "host.permission";
    case ErrorCode::kHostNoDeployment:
      return "host.no_deployment";
    case ErrorCode::kHostSettings:
      return "host.settings";
    case ErrorCode::kHostShape:
      return "host.shape";
    case ErrorCode::kHostStale:
      return "host.stale";
    case ErrorCode::kHostState:
      return "host.state";
    case ErrorCode::kHostSocket:
      return "host.socket";
    case ErrorCode::kHostNotRunning:
      return "host.not_running";
    case ErrorCode::kManifestField:
      return "manifest.field";
    case ErrorCode::kManifestNotFound:
      return "manifest.not_found";
    case ErrorCode::kManifestYaml:
      return "manifest.yaml";
    case ErrorCode::kMemberCommand:
      return "member.command";
    case ErrorCode::kNativeMissing:
      return "native.missing";
    case ErrorCode::kNfArtifact:
      return "nf.artifact";
    case ErrorCode::kNfCompile:
      return "nf.compile";
    case ErrorCode::kNfNotFound:
      return "nf.not_found";
    case ErrorCode::kNfStart:
      return "nf.start";
    case ErrorCode::kPackComponent:
      return "pack.component";
    case ErrorCode::kPortMissing:
      return "port.missing";
    case ErrorCode::kPortStart:
      return "port.start";
    case ErrorCode::kRestAborted:
      return "rest.aborted";
    case ErrorCode::kRestBody:
      return "rest.body";
    case ErrorCode::kRestBusy:
      return "rest.busy";
    case ErrorCode::kRestClosing:
      return "rest.closing";
    case ErrorCode::kRestField:
      return "rest.field";
    case ErrorCode::kRestForbidden:
      return "rest.forbidden";
    case ErrorCode::kRestHeader:
      return "rest.header";
    case ErrorCode::kRestListen:
      return "rest.listen";
    case ErrorCode::kRestMediaType:
      return "rest.media_type";
    case ErrorCode::kRestMethod:
      return "rest.method";
    case ErrorCode::kRestNotFound:
      return "rest.not_found";
    case ErrorCode::kRestPath:
      return "rest.path";
    case ErrorCode::kRestRate:
      return "rest.rate";
    case ErrorCode::kRestTimeout:
      return "rest.timeout";
    case ErrorCode::kRestTls:
      return "rest.tls";
    case ErrorCode::kRestTooLarge:
      return "rest.too_large";
    case ErrorCode::kRestUnauthorized:
      return "rest.unauthorized";
    case ErrorCode::kRpcBusy:
      return "rpc.busy";
    case ErrorCode::kRpcCancelled:
      return "rpc.cancelled";
    case ErrorCode::kRpcCertificate:
      return "rpc.certificate";
    case ErrorCode::kRpcClosed:
      return "rpc.closed";
    case ErrorCode::kRpcDeadline:
      return "rpc.deadline";
    case ErrorCode::kRpcFrame:
      return "rpc.frame";
    case ErrorCode::kRpcIdempotency:
      return "rpc.idempotency";
    case ErrorCode::kRpcJoin:
      return "rpc.join";
    case ErrorCode::kRpcListen:
      return "rpc.listen";
    case ErrorCode::kRpcLost:
      return "rpc.lost";
    case ErrorCode::kRpcMethod:
      return "rpc.method";
    case ErrorCode::kRpcOutcome:
      return "rpc.outcome";
    case ErrorCode::kRpcParams:
      return "rpc.params";
    case ErrorCode::kRpcProtocol:
      return "rpc.protocol";
    case ErrorCode::kRpcReplaced:
      return "rpc.replaced";
    case ErrorCode::kRpcResult:
      return "rpc.result";
    case ErrorCode::kRpcSlow:
      return "rpc.slow";
    case ErrorCode::kRpcUnreachable:
      return "rpc.unreachable";
    case ErrorCode::kRpcUntrusted:
      return "rpc.untrusted";
    case ErrorCode::kRpcVersion:
      return "rpc.version";
    case ErrorCode::kPeerInUse:
      return "peer.in_use";
    case ErrorCode::kPeerUnknown:
      return "peer.unknown";
    case ErrorCode::kRuntimeBusy:
      return "runtime.busy";
    case ErrorCode::kRuntimeDirect:
      return "runtime.direct";
    case ErrorCode::kRuntimeEnded:
      return "runtime.ended";
    case ErrorCode::kRuntimeInProcess:
      return "runtime.in_process";
    case ErrorCode::kRuntimeLast:
      return "runtime.last";
    case ErrorCode::kRuntimeLimit:
      return "runtime.limit";
    case ErrorCode::kRuntimeNoFlow:
      return "runtime.no_flow";
    case ErrorCode::kRuntimeNotEmpty:
      return "runtime.not_empty";
    case ErrorCode::kRuntimeNotFound:
      return "runtime.not_found";
    case ErrorCode::kRuntimeSame:
      return "runtime.same";
    case ErrorCode::kRuntimeSpec:
      return "runtime.spec";
    case ErrorCode::kRuntimeUnknown:
      return "runtime.unknown";
    case ErrorCode::kRuntimeUnreplicated:
      return "runtime.unreplicated";
    case ErrorCode::kStateTooLarge:
      return "state.too_large";
    case ErrorCode::kStoreClosed:
      return "store.closed";
    case ErrorCode::kStoreCompacted:
      return "store.compacted";
    case ErrorCode::kStoreDamaged:
      return "store.damaged";
    case ErrorCode::kStoreExists:
      return "store.exists";
    case ErrorCode::kStoreFormat:
      return "store.format";
    case ErrorCode::kStoreFull:
      return "store.full";
    case ErrorCode::kStoreFuture:
      return "store.future";
    case ErrorCode::kStoreIo:
      return "store.io";
    case ErrorCode::kStoreLease:
      return "store.lease";
    case ErrorCode::kStoreLimit:
      return "store.limit";
    case ErrorCode::kStoreLocked:
      return "store.locked";
    case ErrorCode::kStoreName:
      return "store.name";
    case ErrorCode::kStoreNotFound:
      return "store.not_found";
    case ErrorCode::kStoreObject:
      return "store.object";
    case ErrorCode::kStoreStale:
      return "store.stale";
    case ErrorCode::kSwapEntry:
      return "swap.entry";
    case ErrorCode::kSwapExports:
      return "swap.exports";
    case ErrorCode::kSwapLayout:
      return "swap.layout";
    case ErrorCode::kSwapRights:
      return "swap.rights";
    case ErrorCode::kTraceBusy:
      return "trace.busy";
    case ErrorCode::kTraceEnded:
      return "trace.ended";
    case ErrorCode::kTracePoint:
      return "trace.point";
    case ErrorCode::kTraceUnsupported:
      return "trace.unsupported";
    case ErrorCode::kUsage:
      return "usage";
  }
  return "internal";
}

}  // namespace nf
