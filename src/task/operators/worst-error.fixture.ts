/** The comparison of the operators' tests with PyTorch. */
import type { HostTensor } from '../types.ts';

/**
 * Greatest relative error of `got` against `want`, where values below a tenth of the median size, or below `floor`, count as that; throws where one is NaN
 * or infinite alone.
 */
export function worstError(got: HostTensor, want: HostTensor, floor = 0): number {
  const sizes = want.values
    .filter((x) => Number.isFinite(x) && x !== 0)
    .map(Math.abs)
    .sort();
  const least = Math.max(floor, 0.1 * (sizes[sizes.length >> 1] ?? 0));
  let worst = 0;
  for (let i = 0; i < want.values.length; i++) {
    const x = got.values[i]!;
    const y = want.values[i]!;
    if (x === y || (Number.isNaN(x) && Number.isNaN(y))) continue;
    if (!Number.isFinite(x) || !Number.isFinite(y)) throw new Error(`element ${i} is ${x}, PyTorch says ${y}`);
    worst = Math.max(worst, Math.abs(x - y) / Math.max(Math.abs(y), least));
  }
  return worst;
}
