import type { Caller } from '../app/app.ts';
import { CoreError } from '../errors.ts';

/** The caller, if it is an agent or a webhook as asked for; else CoreError `forbidden`. */
export function mustBe<Role extends Caller['role']>(
  caller: Caller,
  role: Role,
): Extract<Caller, { role: Role }> {
  if (caller.role === role) return caller as Extract<Caller, { role: Role }>;
  throw new CoreError('forbidden', `this call is for a caller of role ${role}; you are ${caller.role}`);
}
