/** Views: the same buffer under other shapes and strides. */
import { fails } from '../error.ts';
import type { TensorView } from '../interpret/values.ts';
import { contiguousStrides, count } from '../interpret/world.ts';

export function transposed(t: TensorView, a: number, b: number): TensorView {
  const swap = (values: readonly number[]): number[] => {
    const copy = [...values];
    [copy[a], copy[b]] = [values[b] as number, values[a] as number];
    return copy;
  };
  return t.shape.length === 0 ? t : { ...t, shape: swap(t.shape), strides: swap(t.strides) };
}

/**
 * The tensor with another shape as a view, or undefined where that needs a copy. The rule of at::detail::computeStride: each
 * run of dimensions that is contiguous in memory can be divided anew; new dimensions may not span two runs.
 */
export function reshapeView(t: TensorView, shape: readonly number[], line: number): TensorView | undefined {
  if (count(shape) !== count(t.shape))
    throw fails(`a tensor [${t.shape.join(', ')}] cannot take the shape [${shape.join(', ')}]`, line);
  if (count(shape) === 0) return { ...t, shape, strides: contiguousStrides(shape) };
  const strides = new Array<number>(shape.length).fill(1);
  let at = shape.length - 1;
  let baseStride = t.strides[t.strides.length - 1] ?? 1;
  let runElements = 1;
  let viewElements = 1;
  for (let d = t.shape.length - 1; d >= 0; d--) {
    runElements *= t.shape[d] ?? 1;
    const endsRun = d === 0 || ((t.shape[d - 1] ?? 1) !== 1 && t.strides[d - 1] !== runElements * baseStride);
    if (!endsRun) continue;
    while (at >= 0 && (viewElements < runElements || shape[at] === 1)) {
      strides[at] = viewElements * baseStride;
      viewElements *= shape[at] ?? 1;
      at--;
    }
    if (viewElements !== runElements) return undefined;
    if (d > 0) {
      baseStride = t.strides[d - 1] ?? 1;
      runElements = 1;
      viewElements = 1;
    }
  }
  return at === -1 || t.shape.length === 0
    ? { ...t, shape, strides: t.shape.length === 0 ? contiguousStrides(shape) : strides }
    : undefined;
}
