/**
 * Shapes and strides: how one tensor's elements are reached while a loop walks another shape.
 *
 * Every tensor of a lowered program is contiguous; a view of it (permute, slice, expand, most reshapes) is only another set
 * of strides. A kernel walks a domain of sizes in row-major order; each access to memory is affine in the domain's coordinates.
 */

/** `offset + sum(strides[d] * coordinate[d])` over a domain of as many dimensions as there are strides. In elements. */
export interface Affine {
  strides: readonly number[];
  offset: number;
}

export function product(sizes: readonly number[]): number {
  let total = 1;
  for (const size of sizes) total *= size;
  return total;
}

/** Row-major strides of a shape. Dimensions of size 1 get the stride they would have, which is never used. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    strides[d] = step;
    step *= shape[d]!;
  }
  return strides;
}

/** Whether walking `shape` in row-major order reaches elements 0, 1, 2, ... one after the other. */
export function isContiguous(shape: readonly number[], access: Affine): boolean {
  const wanted = contiguousStrides(shape);
  return access.offset === 0 && shape.every((size, d) => size === 1 || access.strides[d] === wanted[d]);
}

/** The strides of a view after NumPy broadcasting to `target`; the shape must be compatible, as the task room has checked. */
export function broadcastStrides(
  shape: readonly number[],
  strides: readonly number[],
  target: readonly number[],
): number[] {
  const missing = target.length - shape.length;
  return target.map((size, d) => (d < missing || (shape[d - missing] === 1 && size !== 1) ? 0 : strides[d - missing]!));
}

/** NumPy's broadcast of several shapes. */
export function broadcastShapes(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, d) => {
    let size = 1;
    for (const shape of shapes) {
      const own = shape[d - rank + shape.length];
      if (own !== undefined && own !== 1) size = own;
    }
    return size;
  });
}

/**
 * Strides of `shape`'s elements seen as `target` (same number of elements, same row-major order), or undefined when no
 * strides can say it and a copy is needed. PyTorch's rule for `view`.
 */
export function reshapeStrides(
  shape: readonly number[],
  strides: readonly number[],
  target: readonly number[],
): number[] | undefined {
  const result = new Array<number>(target.length).fill(0);
  // Runs of source dimensions that are contiguous among themselves; each must be covered exactly by target dimensions.
  let t = target.length - 1;
  let s = shape.length - 1;
  while (s >= 0) {
    if (shape[s] === 1) {
      s--;
      continue;
    }
    let size = shape[s]!;
    const base = strides[s]!;
    let previous = s;
    s--;
    while (s >= 0 && (shape[s] === 1 || strides[s] === strides[previous]! * shape[previous]!)) {
      if (shape[s] !== 1) {
        size *= shape[s]!;
        previous = s;
      }
      s--;
    }
    let covered = 1;
    while (t >= 0 && covered < size) {
      result[t] = base * covered;
      covered *= target[t]!;
      t--;
    }
    if (covered !== size) return undefined;
  }
  return result;
}

/**
 * The coarsest list of sizes into which every given shape can be cut (each shape's dimensions are products of neighbours
 * in it), or undefined when two shapes do not nest, as [2, 3] and [3, 2]. All shapes have the same number of elements.
 */
export function commonRefinement(shapes: readonly (readonly number[])[]): number[] | undefined {
  const cuts = new Set<number>([1]);
  for (const shape of shapes) {
    let step = 1;
    for (let d = shape.length - 1; d >= 0; d--) {
      step *= shape[d]!;
      cuts.add(step);
    }
  }
  const ordered = [...cuts].sort((a, b) => a - b);
  const sizes: number[] = [];
  for (let k = 1; k < ordered.length; k++) {
    const ratio = ordered[k]! / ordered[k - 1]!;
    if (!Number.isInteger(ratio)) return undefined;
    sizes.unshift(ratio);
  }
  return sizes;
}

/** An access over `shape`, restated over a refinement of that shape. */
export function refineAffine(shape: readonly number[], access: Affine, refined: readonly number[]): Affine {
  const strides = new Array<number>(refined.length).fill(0);
  let r = refined.length - 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    let covered = 1;
    while (covered < shape[d]!) {
      strides[r] = access.strides[d]! * covered;
      covered *= refined[r]!;
      r--;
    }
  }
  return { strides, offset: access.offset };
}

/** For each dimension of a refinement of `shape`, the dimension of `shape` that it came from. */
export function refinementOrigin(shape: readonly number[], refined: readonly number[]): number[] {
  const origin = new Array<number>(refined.length).fill(-1);
  let r = refined.length - 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    let covered = 1;
    while (covered < shape[d]!) {
      origin[r] = d;
      covered *= refined[r]!;
      r--;
    }
  }
  return origin;
}

/**
 * Merges neighbouring dimensions wherever every access walks them as one, so that generated index arithmetic is as short
 * as the accesses allow. Returns the sizes left and each access over them.
 */
export function coalesce<A extends Affine>(
  sizes: readonly number[],
  accesses: readonly A[],
): { sizes: number[]; accesses: (Affine & { source: A })[] } {
  const keep: number[][] = [];
  for (let d = 0; d < sizes.length; d++) {
    if (sizes[d] === 1) continue;
    const last = keep.at(-1);
    const inner = d;
    const joins =
      last !== undefined &&
      accesses.every((access) => access.strides[last.at(-1)!] === access.strides[inner]! * sizes[inner]!);
    if (joins) last.push(d);
    else keep.push([d]);
  }
  return {
    sizes: keep.map((run) => product(run.map((d) => sizes[d]!))),
    accesses: accesses.map((source) => ({
      source,
      offset: source.offset,
      strides: keep.map((run) => source.strides[run.at(-1)!]!),
    })),
  };
}
