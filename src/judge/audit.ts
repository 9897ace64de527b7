/**
 * The audit of a published speedup: what is left of it once the kernel has been judged. A claim about a wrong kernel is false, whatever was
 * measured; a claim that would need a time below the floor is false, too. A right kernel's claim stands or falls by measured times
 * alone: where nothing was measured the audit says what would have to be true, and leaves it open.
 */
import type { Floor } from '../task/index.ts';
import { harnessesFooled } from './fooled-harness.ts';
import type { Verdict } from './types.ts';

/** What somebody claims. */
export interface PublishedClaim {
  /** Time of the baseline over time of the kernel, e.g. 150. */
  ratio: number;
  /** The baseline's time that was published with it, microseconds. */
  baselineMicroseconds?: number;
}

/**
 * `false`: the kernel is wrong, or no kernel can be that fast. `open`: the kernel is right and its speed was not measured.
 * `not judged`: the kernel or the task cannot be judged.
 */
export type Conclusion = 'false' | 'open' | 'not judged';

export interface Audit {
  claim: PublishedClaim;
  conclusion: Conclusion;
  /** One sentence. */
  headline: string;
  /** What leads to it, and how such a number comes about; sentences in the order in which they are to be read. */
  because: readonly string[];
}

/** What an audit looks at. */
export interface AuditedKernel {
  verdict: Verdict;
  /** The least time of any kernel at the shapes that the claim is about, in the GPU's memory (`cold`) and with all of its L2 (`warm`). */
  floors: { cold: Floor; warm: Floor };
  /** Name of the GPU that the floors are for. */
  gpuName: string;
}

/** Audits a claim. */
export function audit(claim: PublishedClaim, { verdict, floors, gpuName }: AuditedKernel): Audit {
  const times = `${plain(claim.ratio)}x`;
  if (verdict.outcome === 'unjudgeable') {
    return {
      claim,
      conclusion: 'not judged',
      headline: `The claim of ${times} is not confirmed: the kernel could not be judged.`,
      because: [verdict.reason, ...harnessesFooled(verdict)],
    };
  }
  if (verdict.outcome === 'rejected') {
    return {
      claim,
      conclusion: 'false',
      headline: `The claim of ${times} is false: the kernel does not compute what PyTorch computes, and a wrong answer has no speed.`,
      because: [verdict.reason, ...harnessesFooled(verdict)],
    };
  }
  return auditOfRight(claim, times, verdict, floors, gpuName);
}

function auditOfRight(
  claim: PublishedClaim,
  times: string,
  { modelled }: Verdict,
  { cold, warm }: AuditedKernel['floors'],
  gpuName: string,
): Audit {
  const light = `No kernel for this task takes less than ${time(cold.microseconds)} on ${gpuName} when its data come from memory (${cold.limitedBy})`;
  const { baselineMicroseconds: baseline } = claim;
  if (baseline !== undefined) {
    // Whoever published the number may have timed with a warm cache: only a time below that floor, too, is impossible.
    const least = Math.min(cold.microseconds, warm.microseconds);
    const claimed = baseline / claim.ratio;
    if (claimed < least) {
      return {
        claim,
        conclusion: 'false',
        headline: `The claim of ${times} is false: it needs a time below the speed of light.`,
        because: [
          `${time(baseline)} over ${plain(claim.ratio)} is ${time(claimed)}, and no kernel for this task takes less than ${time(least)} on ${gpuName}, even with all of its L2 in use (${warm.limitedBy}): against that baseline ${plain(baseline / least)}x is the most there can be.`,
          'The kernel is right, so it is the time that is wrong: a clock that stopped before the work was done, work moved out of the timed part, or a result kept from an earlier call (T1, T11, T17, C14 of the catalogue).',
        ],
      };
    }
  }
  const because = [
    `${light}. For ${times} to be true, PyTorch would have to take at least ${time(claim.ratio * cold.microseconds)} there.`,
  ];
  if (modelled)
    because.push(
      `This kernel is modelled to take ${time(modelled.microseconds)} (${time(modelled.low)} to ${time(modelled.high)}) at the shapes that were judged; a modelled time is the ground of no claim.`,
    );
  if (baseline === undefined)
    because.push(
      'Give the time that was published for PyTorch (`--baseline 1.2ms`) to have it held against the speed of light.',
    );
  because.push('To settle it, measure both on a GPU, interleaved, cold, against eager and torch.compile.');
  return {
    claim,
    conclusion: 'open',
    headline: `The kernel is right; whether it is ${times} as fast is open, for nothing was measured here.`,
    because,
  };
}

/** `150`, `2.4`, `0.33`. */
function plain(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** Microseconds with a unit. */
function time(microseconds: number): string {
  if (microseconds >= 1e6) return `${plain(microseconds / 1e6)} s`;
  if (microseconds >= 1e3) return `${plain(microseconds / 1e3)} ms`;
  return `${plain(microseconds)} us`;
}
