import { compare, valid } from '@renovatebot/pep440';
import { compareText } from './order.ts';

/**
 * The order of PEP 440 (packaging.python.org, "Version specifiers"). Versions from before it, such as `2004d`, are older
 * than all that it knows, as they were in the tools that still took them; among themselves they go by their text.
 */
export function comparePep440(a: string, b: string): number {
  const [left, right] = [a.trim(), b.trim()];
  const [leftIsValid, rightIsValid] = [valid(left) !== null, valid(right) !== null];
  if (leftIsValid && rightIsValid) return compare(left, right);
  return Number(leftIsValid) - Number(rightIsValid) || compareText(left, right);
}
