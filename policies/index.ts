export { type AdmissionRequest, AdmissionRequestSchema, parseAdmissionRequest } from './admission-request.ts';
export { type Bundle, defaultBundle, ENTRYPOINT, readBundle } from './bundle.ts';
export { type Decision, type DecisionFacts, decide, type Outcome } from './decide.ts';
export { PolicyError, policyErrorCodes } from './errors.ts';
export { bearsImages, imagesOf, type NamedImage, type Position } from './images.ts';
export {
  MODE_LABEL,
  type Mode,
  modes,
  type NamespaceSettings,
  UNKNOWN_LABEL,
  type UnknownChoice,
  unknownChoices,
} from './namespace-settings.ts';
export { type Judgement, type PatchOperation, Policy, type Reason } from './policy.ts';
export { aliasKey, type ImageReference, parseReference, referenceKey } from './reference.ts';
export {
  MAX_VERDICT_FINDINGS,
  parseVerdict,
  type Severity,
  type SeverityCounts,
  severities,
  type Verdict,
  type VerdictFinding,
  VerdictFindingSchema,
  VerdictSchema,
  type VerdictState,
} from './verdict.ts';
export { type KnownImage, VerdictIndex, type VerdictSource } from './verdict-index.ts';
export { formatVerdictLine, readVerdictsFile } from './verdicts-file.ts';
