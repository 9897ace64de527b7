/**
 * The audit of a published speedup: what is left of it once the kernel has been judged. A claim about a wrong kernel is false, whatever was
 * measured; a claim that would need a time below the floor is false, too. A right kernel's claim stands or falls by measured times
 * alone: where nothing was measured the audit says what would have to be true, and leaves it open.
 */
import type { Floor } from '../task/index.ts';
import { harnessesFooled } from './fooled-harness.ts';
import { speedInWords, type Timed } from './timed.ts';
import { isMeasured, type RatioInterval, type TimingReport } from './timing/report.ts';
import { intervalText, timeText } from './timing/words.ts';
import type { Verdict } from './types.ts';

/** What somebody claims. */
export interface PublishedClaim {
  /** Time of the baseline over time of the kernel, e.g. 150. */
  ratio: number;
  /** The baseline's time that was published with it, microseconds. */
  baselineMicroseconds?: number;
}

/**
 * `stands`: measured, and the claimed ratio is within the interval or under it. `smaller`: measured to be faster, but by less than is claimed. `false`: the kernel is
 * wrong, or no kernel can be that fast, or it was measured and is no faster than PyTorch. `open`: the kernel is right and its speed was not measured, or the
 * measurement does not tell. `not judged`: the kernel or the task cannot be judged.
 */
export type Conclusion = 'stands' | 'smaller' | 'false' | 'open' | 'not judged';

export interface Audit {
  claim: PublishedClaim;
  conclusion: Conclusion;
  /** One sentence. */
  headline: string;
  /** What leads to it, and how such a number comes about; sentences in the order in which they are to be read. */
  because: readonly string[];
  /** Over the baseline that is hardest to beat; only where it was measured. */
  measured?: RatioInterval & { readonly over: string; readonly device: string };
}

/** What an audit looks at. */
export interface AuditedKernel {
  verdict: Verdict;
  /** The least time of any kernel at the shapes that the claim is about, in the GPU's memory (`cold`) and with all of its L2 (`warm`). */
  floors: { cold: Floor; warm: Floor };
  /** Name of the GPU that the floors are for. */
  gpuName: string;
  /** It was judged, and timed, at smaller shapes than those that the claim is about: then its times say nothing of the claim. */
  scaled?: boolean;
}

/** Audits a claim. */
export function audit(claim: PublishedClaim, { verdict, floors, gpuName, scaled = false }: AuditedKernel): Audit {
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
  return auditOfRight(claim, times, scaled ? { ...verdict, timing: undefined } : verdict, floors, gpuName);
}

function auditOfRight(
  claim: PublishedClaim,
  times: string,
  { modelled, timing }: Verdict,
  { cold, warm }: AuditedKernel['floors'],
  gpuName: string,
): Audit {
  const light = `No kernel for this task takes less than ${timeText(cold.microseconds)} on ${gpuName} when its data come from memory (${cold.limitedBy})`;
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
          `${timeText(baseline)} over ${plain(claim.ratio)} is ${timeText(claimed)}, and no kernel for this task takes less than ${timeText(least)} on ${gpuName}, even with all of its L2 in use (${warm.limitedBy}): against that baseline ${plain(baseline / least)}x is the most there can be.`,
          'The kernel is right, so it is the time that is wrong: a clock that stopped before the work was done, work moved out of the timed part, or a result kept from an earlier call (T1, T11, T17, C14 of the catalogue).',
        ],
      };
    }
  }
  const { report } = timing ?? {};
  if (report !== undefined && isMeasured(report)) return auditOfMeasured(claim, times, report, timing!);
  const because = [
    `${light}. For ${times} to be true, PyTorch would have to take at least ${timeText(claim.ratio * cold.microseconds)} there.`,
  ];
  if (modelled)
    because.push(
      `This kernel is modelled to take ${timeText(modelled.microseconds)} (${timeText(modelled.low)} to ${timeText(modelled.high)}) at the shapes that were judged; a modelled time is the ground of no claim.`,
    );
  if (baseline === undefined)
    because.push(
      'Give the time that was published for PyTorch (`--baseline 1.2ms`) to have it held against the speed of light.',
    );
  if (timing) because.push(speedInWords(timing));
  because.push('To settle it, measure both on a GPU, interleaved, cold, against eager and torch.compile.');
  return {
    claim,
    conclusion: 'open',
    headline: `The kernel is right; whether it is ${times} as fast is open, for nothing was measured here.`,
    because,
  };
}

/** How a ratio that was published comes to be larger than the one that was measured. */
const HOW_SMALLER =
  'How such a number comes about: a baseline that was given no CUDA graph, no compiler or another precision; one run of each, the best of many, or a clock read before the GPU was done; operands that stay in the cache; another GPU or other shapes than are said (T1, T11, T15, T16, T18, T20 of the catalogue).';

/** The audit of a right kernel whose times were measured; nothing else can make a claim stand. */
function auditOfMeasured(claim: PublishedClaim, times: string, report: TimingReport<'measured'>, timed: Timed): Audit {
  const { comparisons, facts } = report;
  const [hardest] = [...comparisons].sort((a, b) => a.speedup.ratio - b.speedup.ratio);
  if (report.outcome === 'void' || report.outcome === 'undecided' || hardest === undefined) {
    return {
      claim,
      conclusion: 'open',
      headline: `The kernel is right; whether it is ${times} as fast is open, for its measured times do not tell.`,
      because: [
        speedInWords(timed),
        ...(report.refusal && report.refusal.cheats.length > 0
          ? [
              `It looks like ${report.refusal.cheats.join(', ')} of the catalogue of cheats, or like a device that is no instrument.`,
            ]
          : []),
      ],
    };
  }
  const measured = { ...hardest.speedup, over: hardest.baseline, device: facts.device };
  const all = comparisons.map(({ reason }) => reason);
  const found = `${intervalText(hardest.speedup)}x over ${hardest.baseline} on ${facts.device}`;
  const noFaster = report.outcome !== 'faster' && claim.ratio > 1;
  if (noFaster || claim.ratio > hardest.speedup.high) {
    const conclusion = noFaster ? 'false' : 'smaller';
    const headline = noFaster
      ? `The claim of ${times} is false: the kernel is right, and measured it is ${report.outcome === 'slower' ? 'slower than PyTorch' : 'as fast as PyTorch'}, ${found}.`
      : `The claim of ${times} is too large: measured it is ${found}.`;
    return { claim, conclusion, headline, because: [...all, HOW_SMALLER, ...conditionsOf(timed)], measured };
  }
  if (timed.claim === undefined) {
    return {
      claim,
      conclusion: 'open',
      headline: `The kernel is right, and measured ${found}; but the claim of ${times} cannot be confirmed.`,
      because: [speedInWords(timed)],
      measured,
    };
  }
  const more = claim.ratio < hardest.speedup.low ? ' It is even faster than was claimed.' : '';
  return {
    claim,
    conclusion: 'stands',
    headline: `The claim of ${times} stands: measured it is ${found}.${more}`,
    because: timed.claim.words.slice(1),
    measured,
  };
}

/** Under what the measurement holds: a claim made elsewhere, under other conditions, is not met by it. */
function conditionsOf({ report }: Timed): string[] {
  if (report === undefined) return [];
  const { facts, processes, callsPerWindow } = report;
  return [
    `Measured in ${processes} fresh processes, ${callsPerWindow} calls a window, ${facts.cache} caches, every output of every call checked; on another GPU, or at other shapes, the ratio may be another.`,
  ];
}

/** `150`, `2.4`, `0.33`. */
function plain(value: number): string {
  return String(Number(value.toPrecision(3)));
}
