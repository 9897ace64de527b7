/** NaN and infinities at a few secret places of the floating-point inputs (parameters are left as they are). */
import { type HostTensor, isFloating, type Signature } from '../task/index.ts';

const SPECIALS = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

/** Copies of the tensors, each floating-point input with up to three elements replaced; the places follow from the seed. */
export function plantSpecialValues(
  tensors: readonly HostTensor[],
  signature: Signature,
  seed: string,
): readonly HostTensor[] {
  let state = Number.parseInt(seed.slice(0, 8), 16);
  const below = (n: number) => {
    // Numerical Recipes' linear congruence: places need no secrecy beyond that of the seed.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  return tensors.map((tensor, i) => {
    if (signature.tensors[i]!.role !== 'input' || !isFloating(tensor.spec.dtype) || tensor.values.length === 0)
      return tensor;
    const values = tensor.values.slice();
    for (const special of SPECIALS.slice(0, Math.max(1, Math.min(3, values.length >> 3)))) {
      values[below(values.length)] = special;
    }
    return { ...tensor, values };
  });
}
