import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { PolicyError } from './errors.ts';

const JsonObject = Type.Record(Type.String(), Type.Unknown());
const ObjectOrNull = Type.Optional(Type.Union([JsonObject, Type.Null()]));

/** The part of an admission.k8s.io/v1 AdmissionRequest that decisions rest on; other fields may be there. */
export const AdmissionRequestSchema = Type.Object({
  uid: Type.String({ minLength: 1, maxLength: 128 }),
  kind: Type.Object({ group: Type.String(), version: Type.String(), kind: Type.String() }),
  resource: Type.Object({ group: Type.String(), version: Type.String(), resource: Type.String() }),
  subResource: Type.Optional(Type.String()),
  /** Empty where the API server makes it up from generateName. */
  name: Type.Optional(Type.String()),
  namespace: Type.Optional(Type.String()),
  operation: Type.Enum(['CREATE', 'UPDATE', 'DELETE', 'CONNECT']),
  userInfo: Type.Optional(JsonObject),
  object: ObjectOrNull,
  oldObject: ObjectOrNull,
  dryRun: Type.Optional(Type.Boolean()),
});

export type AdmissionRequest = Static<typeof AdmissionRequestSchema>;

const validator = Compile(AdmissionRequestSchema);

/** The request that a JSON value says, else PolicyError `request_invalid` which names the field. */
export function parseAdmissionRequest(value: unknown): AdmissionRequest {
  if (validator.Check(value)) return value;
  const [problem] = validator.Errors(value);
  throw new PolicyError(
    'request_invalid',
    `the admission request is not valid at ${problem?.instancePath || '/'}: ${problem?.message}`,
  );
}
