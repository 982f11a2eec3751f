/** Admission: the check of an artifact, in this process or in one of its own, and what is said of its verdict. */
export { type Admission, type AdmittedNf, checkComponent, checkCore, checkWorld } from "./check.ts";
export { CHILD_LIMITS, type ChildLimits, checkInChild } from "./child.ts";
export { type AdmissionJson, admissionJson, formatAdmission, refusedError } from "./admission_text.ts";
export { RULES, type LimitName, type Measure, type Refusal, Report, type RuleId, formatRefusal } from "./rules.ts";
export { admissionCacheKey, decodeAdmission, encodeAdmission } from "./verdict.ts";
