/**
 * Walking tensors: broadcasting, and splitting a shape into kept and reduced dimensions.
 * All operators that index go through these few loops.
 */
import { contiguousStrides, elementCount } from './tensor.ts';

/** NumPy's broadcast of shapes. Throws where a pair of sizes differs and neither is one. */
export function broadcastShapes(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((s) => s.length));
  const result = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    for (let d = 0; d < shape.length; d++) {
      const at = rank - shape.length + d;
      const size = shape[d]!;
      if (size === 1) continue;
      if (result[at] !== 1 && result[at] !== size) {
        throw new Error(`The shapes ${shapes.map((s) => `[${s.join(', ')}]`).join(' and ')} do not broadcast.`);
      }
      result[at] = size;
    }
  }
  return result;
}

/** Strides with which an operand of `shape` is read when broadcast to `out`: zero along broadcast dimensions. */
export function broadcastStrides(shape: readonly number[], out: readonly number[]): number[] {
  const own = contiguousStrides(shape);
  const lead = out.length - shape.length;
  return out.map((_, d) => (d < lead || shape[d - lead] === 1 ? 0 : own[d - lead]!));
}

/**
 * Offsets of all elements of a walk over `shape` with the given strides, row-major. Int32 suffices: tensors are limited to 2^28 elements.
 */
export function walkOffsets(shape: readonly number[], strides: readonly number[], start = 0): Int32Array {
  const count = elementCount(shape);
  const offsets = new Int32Array(count);
  if (count === 0) return offsets;
  offsets[0] = start;
  let filled = 1;
  // Grow by one dimension at a time, from the innermost: each dimension repeats what is there, shifted.
  for (let d = shape.length - 1; d >= 0; d--) {
    const size = shape[d]!;
    const stride = strides[d]!;
    for (let i = 1; i < size; i++) {
      const shift = i * stride;
      const at = i * filled;
      for (let j = 0; j < filled; j++) offsets[at + j] = offsets[j]! + shift;
    }
    filled *= size;
  }
  return offsets;
}

/** Merges neighbouring dimensions that all walks cross as one, and drops dimensions of size one. */
export function collapse(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
): { shape: number[]; strides: number[][] } {
  const sizes: number[] = [];
  const merged: number[][] = strides.map(() => []);
  for (let d = 0; d < shape.length; d++) {
    const size = shape[d]!;
    if (size === 1) continue;
    const last = sizes.length - 1;
    if (last >= 0 && strides.every((s, k) => merged[k]![last] === s[d]! * size)) {
      sizes[last] = sizes[last]! * size;
      strides.forEach((s, k) => {
        merged[k]![last] = s[d]!;
      });
    } else {
      sizes.push(size);
      strides.forEach((s, k) => {
        merged[k]!.push(s[d]!);
      });
    }
  }
  return { shape: sizes, strides: merged };
}

/**
 * Calls `row` for each innermost row of a walk over several operands: start offsets (one an operand, reused array), the row's length and
 * the operands' innermost strides. The output is walked contiguously by the caller.
 */
export function forEachRow(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
  row: (starts: readonly number[], length: number, steps: readonly number[], outStart: number) => void,
): void {
  if (elementCount(shape) === 0) return;
  const flat = collapse(shape, strides);
  const rank = flat.shape.length;
  if (rank === 0) {
    row(
      strides.map(() => 0),
      1,
      strides.map(() => 0),
      0,
    );
    return;
  }
  const length = flat.shape[rank - 1]!;
  const steps = flat.strides.map((s) => s[rank - 1]!);
  const outer = elementCount(flat.shape.slice(0, rank - 1));
  const index = new Array<number>(rank).fill(0);
  const starts = strides.map(() => 0);
  for (let o = 0; o < outer; o++) {
    row(starts, length, steps, o * length);
    for (let d = rank - 2; d >= 0; d--) {
      const next = index[d]! + 1;
      if (next < flat.shape[d]!) {
        index[d] = next;
        for (let k = 0; k < starts.length; k++) starts[k] = starts[k]! + flat.strides[k]![d]!;
        break;
      }
      index[d] = 0;
      for (let k = 0; k < starts.length; k++) starts[k] = starts[k]! - flat.strides[k]![d]! * (flat.shape[d]! - 1);
    }
  }
}

/** Copies `count` neighbouring values to the start of a row. */
export function copyRun(from: Float64Array, start: number, row: Float64Array, count: number): void {
  // Short runs are copied by hand: a view of the source costs more than they do.
  if (count >= 64) row.set(from.subarray(start, start + count));
  else for (let i = 0; i < count; i++) row[i] = from[start + i]!;
}

/** Copies a strided walk into a dense array. */
export function gatherStrided(
  source: Float64Array,
  shape: readonly number[],
  strides: readonly number[],
  start = 0,
): Float64Array {
  const out = new Float64Array(elementCount(shape));
  forEachRow(shape, [strides], ([s], length, [step], at) => {
    let from = start + s!;
    for (let i = 0; i < length; i++, from += step!) out[at + i] = source[from]!;
  });
  return out;
}

/** The values of a tensor broadcast to a shape, dense. */
export function broadcastTo(values: Float64Array, shape: readonly number[], out: readonly number[]): Float64Array {
  if (elementCount(shape) === elementCount(out)) return values;
  return gatherStrided(values, out, broadcastStrides(shape, out));
}

/** Offsets of a reduction: where each kept element starts, and where its reduced elements lie relative to that. */
export function reductionOffsets(
  shape: readonly number[],
  dims: readonly number[],
): { kept: Int32Array; reduced: Int32Array } {
  const strides = contiguousStrides(shape);
  const pick = (wanted: boolean) => shape.map((_, d) => d).filter((d) => dims.includes(d) === wanted);
  const walk = (chosen: number[]) =>
    walkOffsets(
      chosen.map((d) => shape[d]!),
      chosen.map((d) => strides[d]!),
    );
  return { kept: walk(pick(false)), reduced: walk(pick(true)) };
}

/** A shape seen from one dimension: how many before it, its size, how many after it. */
export function around(shape: readonly number[], dim: number): { outer: number; size: number; inner: number } {
  return { outer: elementCount(shape.slice(0, dim)), size: shape[dim] ?? 1, inner: elementCount(shape.slice(dim + 1)) };
}
