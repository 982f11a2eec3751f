/** Starts members where they are to be, on this machine or at an agent, with what they have to know of each other. Main thread; the disk. */
import type { NfSpec } from "../dataplane/native_types.ts";
import type { Agents } from "./agents.ts";
import type { MemberHandle, MemberHandleOptions } from "./member_handle.ts";
import { MemberProcess } from "./member_process.ts";
import { type Command, type Effect, type Life, VSWITCH } from "./membership_events.ts";
import type { Present } from "./present.ts";
import type { RunFolder } from "./run_folder.ts";
import { Standby } from "./standby.ts";
import { type TenantSecrets, type TenantSpec, memberSpec, nfWithFiles, nfWithoutCode } from "./tenant_spec.ts";

export class Starter {
  readonly #folder: RunFolder;
  readonly #agents: Agents;
  readonly #secrets: TenantSecrets;
  readonly #standby: Standby;

  /** Of the standbys that are there before the first `prepare` everybody may be one. */
  #isFirstStart = true;

  constructor(folder: RunFolder, agents: Agents, secrets: TenantSecrets, standby = new Standby(folder)) {
    this.#folder = folder;
    this.#agents = agents;
    this.#secrets = secrets;
    this.#standby = standby;
  }

  /** All work, so there is time to make ready for the next vswitch. */
  prepare(spec: TenantSpec): void {
    this.#isFirstStart = false;
    this.#standby.prepare(spec.eal);
  }
  /** Nothing is started any more. */
  close(): void {
    this.#standby.close();
  }

  /** Rejects with NfError. One at an agent that cannot be reached waits for it. Undefined: it was to end before it was there. */
  async spawn(spec: TenantSpec, effect: Effect & { type: "spawn" }, present: Present, options: MemberHandleOptions): Promise<MemberHandle | undefined> {
    const { life } = effect;
    const { member } = life;
    const agent = this.#agents.of(member);
    await Promise.race([agent?.reachable(), present.ending]);
    if (present.isEnding) return undefined;
    const { chain } = spec.runtime;
    const files = member === VSWITCH ? chain.map((nf) => nfWithoutCode(nf)) : await Promise.all(chain.map((nf) => this.nfFiles(member, nf)));
    const link = member === VSWITCH ? {} : { link: this.#agents.linkOf(this.#folder, life, effect.vswitch, "runtime") };
    const made = memberSpec(spec, this.#secrets, this.#folder, effect, { chain: files, ...link }, (to) => this.#agents.frameBytesTo(to));
    if (agent) return agent.spawn(options, made);
    this.#folder.writeSpec(life, made);
    return MemberProcess.spawn(options, member === VSWITCH || this.#isFirstStart ? this.#standby.take(life) : undefined);
  }

  /** An entry of the chain with its code and configuration in files of the machine that the member is on. */
  async nfFiles(member: number, nf: NfSpec): Promise<object> {
    return this.#agents.of(member)?.nfFiles(nf) ?? nfWithFiles(nf, this.#folder);
  }

  /** A command about a link says which one: to the vswitch a runtime's, to a runtime that of another life of the vswitch. */
  linkFields(to: Life, command: Command, term: number): object {
    if (command.do === "link") return { link: this.#agents.linkOf(this.#folder, command, to.incarnation, "vswitch"), ...this.#frames(command) };
    if (command.do !== "member_up") return {};
    if (command.member === VSWITCH) return { term, link: this.#agents.linkOf(this.#folder, to, command.incarnation, "runtime") };
    return this.#frames(command);
  }

  /** Where the way to it is narrower than between processes of one machine. */
  #frames({ member }: Life): object {
    const frameBytes = this.#agents.frameBytesTo(member);
    return frameBytes === undefined ? {} : { frameBytes };
  }
}
