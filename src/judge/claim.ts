/**
 * A claim is a speedup that may be published. It rests on measured times alone: a {@link ModelledTime} is another type,
 * and the compiler refuses it here (claim.test.ts holds that it does).
 */
import type { MeasuredTime } from '../device/index.ts';

/** A speedup over a baseline on the same device, both measured. */
export interface Claim {
  readonly kind: 'claim';
  readonly device: string;
  readonly candidate: MeasuredTime;
  readonly baseline: MeasuredTime;
  /** What the baseline is, e.g. `torch.compile max-autotune, fp32`. */
  readonly baselineName: string;
  /** Median time of the baseline over median time of the candidate. */
  readonly ratio: number;
}

/**
 * Makes a claim of two measured times.
 * @throws when the two were not taken on one device, or a time is not a positive number.
 */
export function claim(candidate: MeasuredTime, baseline: MeasuredTime, baselineName: string): Claim {
  if (candidate.device !== baseline.device) {
    throw new Error(
      `A speedup compares times of one device; these are of ${candidate.device} and ${baseline.device}. Measure both on the same one.`,
    );
  }
  for (const time of [candidate, baseline]) {
    if (!(Number.isFinite(time.medianMicroseconds) && time.medianMicroseconds > 0) || time.samples.length === 0) {
      throw new Error('A measured time must be positive and have samples; measure again.');
    }
  }
  const ratio = baseline.medianMicroseconds / candidate.medianMicroseconds;
  return { kind: 'claim', device: candidate.device, candidate, baseline, baselineName, ratio };
}
