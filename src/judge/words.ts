/** Small pieces of sentences: numbers, counts and calls, said the same way in every verdict. */
import type { CallPlan } from './types.ts';

/** `1 output`, `16,128 outputs`. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString('en-US')} ${n === 1 ? one : many}`;
}

/** A number of a tensor to six significant digits; integers in full. */
export function num(x: number): string {
  if (Number.isNaN(x)) return 'NaN';
  if (!Number.isFinite(x)) return x > 0 ? 'infinity' : '-infinity';
  if (Number.isSafeInteger(x) && Math.abs(x) < 1e9) return String(x);
  const magnitude = Math.abs(x);
  return magnitude >= 1e-4 && magnitude < 1e7 ? String(Number(x.toPrecision(7))) : x.toExponential(5);
}

/** A bound or an error, to two digits. */
export function small(x: number): string {
  return x === 0 ? '0' : x.toExponential(1);
}

/** `in call 3 (inputs: shifted; new inputs in the same buffers, nothing reset)`. */
export function inCall(index: number, plan: CallPlan): string {
  return `in call ${index} (inputs: ${plan.family}; ${plan.purpose})`;
}

/** First letter in upper case. */
export function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
