/**
 * The compiler's enums as values. Its declarations call them const enums, which a file compiled on its own cannot look into; at run time they
 * are objects like any other.
 */
import * as as from "assemblyscript";

const values = as as unknown as Record<string, unknown>;

export const NodeKind = values["NodeKind"] as Readonly<Record<keyof typeof as.NodeKind, as.NodeKind>>;
export const CommonFlags = values["CommonFlags"] as Readonly<Record<keyof typeof as.CommonFlags, as.CommonFlags>>;
export const ElementKind = values["ElementKind"] as Readonly<Record<keyof typeof as.ElementKind, as.ElementKind>>;
export const SourceKind = values["SourceKind"] as Readonly<Record<keyof typeof as.SourceKind, as.SourceKind>>;
export const Token = values["Token"] as Readonly<Record<keyof typeof as.Token, as.Token>>;
export const DiagnosticCode = values["DiagnosticCode"] as Readonly<Record<keyof typeof as.DiagnosticCode, as.DiagnosticCode>>;
