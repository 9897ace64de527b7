/**
 * How a harness comes to believe a kernel that is wrong: for each check that can reject, what is known to have let such kernels pass elsewhere. The ids are
 * those of the catalogue of cheats. These sentences say how such a number can come about; how this one did, nobody saw.
 */
import type { Verdict } from './types.ts';

/** Checks, and what makes a harness miss what they found. */
const MISSED_BECAUSE: Readonly<Record<string, string>> = {
  'launches-kernels':
    'A harness that only compares results credits the kernel with work that PyTorch did, or that nobody did where the right answer is near zero (B1, B2, S1).',
  'output-shape': 'A comparison that broadcasts takes a smaller output for the whole one (C16).',
  completes: 'A clock that does not wait for the device never sees that the kernel does not end (T1, T7).',
  'device-findings':
    'An access out of bounds lands in memory that happens to belong to somebody else, and a race or an unset value goes the same way many times in a row: one comparison of results sees neither (C5, C17).',
  'every-output-written':
    'Memory that a kernel leaves alone keeps what was there. A harness that has just computed the reference and freed it hands out the same memory again, with the right answer in it (C1).',
  'inputs-unchanged':
    'A reference that is computed after the kernel ran, on inputs that the kernel has changed, agrees with the kernel (C2).',
  repeatable: 'One run, or two that happen to go alike, is taken for all of them.',
  'poison-independent':
    'Fresh memory is often zero, or holds an earlier result: a kernel that reads it before writing is right by that accident (C1, C17).',
  'calls-independent':
    'Timing the same inputs again and again rewards a result kept from the first call: the calls that were timed did no work (C14, C15, T11).',
  values:
    'A flat tolerance, such as 1e-2, one set of random inputs, or inputs on which the answer is nearly constant, cannot tell this result from the right one (S1 to S6, P1).',
  'full-size': 'The kernel was tried at other shapes than those it was published for.',
};

/** What can have fooled a harness, in sentences; empty where nothing is known about it. */
export function harnessesFooled({ outcome, check, proof }: Verdict): string[] {
  if (outcome === 'unjudgeable')
    return [
      'What cannot be expressed here (threads, streams, clocks, files, patched functions, state between calls) is what most published speedups that fell were made with; it is not proof that this one is.',
    ];
  const said: string[] = [];
  const { missing, total } = (proof?.details ?? {}) as { missing?: unknown; total?: unknown };
  if (check === 'every-output-written' && typeof missing === 'number' && typeof total === 'number' && missing < total) {
    const share = total / (total - missing);
    said.push(
      `It computes one output in ${Number(share.toPrecision(3)).toLocaleString('en-US')}: leaving out the rest is a speedup of that size by itself.`,
    );
  }
  const known = check === undefined ? undefined : MISSED_BECAUSE[check];
  if (known !== undefined) said.push(`How such a number comes about: ${known}`);
  return said;
}
