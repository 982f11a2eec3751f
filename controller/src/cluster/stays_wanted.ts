/** The error of a change that was written and then refused: a host's dry run does not run the NF, so that it refuses its configuration shows afterwards. */
import { EXIT, exitCodeOf } from "@nfactor/host/exit_codes";
import { NfError } from "@nfactor/sdk/errors";

export function staysWanted(name: string, revision: number, hadOne: boolean): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof NfError) || exitCodeOf(error.code) !== EXIT.badInput) throw error;
    const { code, message, where, given, allowed } = error;
    const back = hadOne ? `what ran before goes on until then; 'nfactor rollback ${name}' goes back to it` : `'nfactor undeploy ${name}' takes it back`;
    throw new NfError(code, message, { ...{ where, given, allowed, cause: error }, fix: `Revision ${revision} stays wanted, and is tried again: ${back}.` });
  };
}
