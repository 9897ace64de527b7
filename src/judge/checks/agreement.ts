/** Two calls on the same inputs, compared with each other: bit for bit first, then in units of the tolerance. */
import { describeRegion, elementName } from '../region.ts';
import { coordinatesOf } from '../tolerance.ts';
import type { Trial } from '../trial.ts';
import { num } from '../words.ts';

export interface Disagreement {
  output: number;
  /** Elements whose bits differ. */
  differing: number;
  /** Elements further apart than their bound (or anything but equal, for exact types and non-finite values). */
  beyondBound: number;
  where: string;
  /** `out[3][1] is 0.5 in one and 0.25 in the other`. */
  example: string;
}

/** How two calls on the same inputs differ; undefined when every output is the same bit for bit. */
export function disagreement(trial: Trial, a: number, b: number): Disagreement | undefined {
  const [first, second] = [trial.calls[a]!, trial.calls[b]!];
  for (const [output, bytes] of first.bytes.entries()) {
    if (Buffer.compare(bytes, second.bytes[output]!) === 0) continue;
    const [p, q] = [first.outputs[output]!, second.outputs[output]!];
    const tolerance = trial.expected(a)[output]!;
    const mask = new Uint8Array(p.values.length);
    let beyondBound = 0;
    let worst = -1;
    let worstGap = -1;
    p.values.forEach((x, i) => {
      const y = q.values[i]!;
      if (Object.is(x, y)) return;
      mask[i] = 1;
      const bound = tolerance.kind === 'float' ? tolerance.bound[i]! : 0;
      const gap = Math.abs(x - y);
      const beyond = !(gap <= bound);
      if (beyond) beyondBound++;
      if (worst < 0 || gap > worstGap || Number.isNaN(gap)) [worst, worstGap] = [i, gap];
    });
    // NaNs with other payloads have other bytes but no other value.
    if (worst < 0) continue;
    const { shape } = p.spec;
    const element = elementName(trial.outputName(output), coordinatesOf(worst, shape));
    const region = describeRegion(mask, shape)!;
    return {
      output,
      differing: region.count,
      beyondBound,
      where: region.where,
      example: `${element} is ${num(p.values[worst]!)} in one and ${num(q.values[worst]!)} in the other`,
    };
  }
  return undefined;
}
