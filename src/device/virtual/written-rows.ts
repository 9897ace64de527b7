/** Rows of an output among the bytes that blocks wrote. */
import type { PlanTensor } from '../../kernel/index.ts';
import { elementBytes } from '../../task/index.ts';
import type { RowRequest } from '../sampled-run.ts';

/** [start, end) pairs of byte offsets in a buffer. */
export type ByteRanges = Uint32Array;

/**
 * At most `most` rows of a dense tensor of which something was written: the first and the last, and others spread by the seed.
 * With each, one byte an element: 1 where all its bytes were written.
 */
export function pickRows(
  tensor: PlanTensor,
  { elements, most }: RowRequest,
  written: readonly ByteRanges[],
  seed: number,
): { row: number; written: Uint8Array }[] {
  const size = elementBytes[tensor.dtype];
  const start = tensor.offset * size;
  const rowBytes = elements * size;
  const total = (tensor.shape[0] ?? 1) * rowBytes;
  if (rowBytes === 0) return [];
  // Stretches of rows that some range touches.
  const stretches: (readonly [number, number])[] = [];
  for (const ranges of written) {
    for (let i = 0; i < ranges.length; i += 2) {
      const [from, to] = [Math.max(0, ranges[i]! - start), Math.min(total, ranges[i + 1]! - start)];
      if (from >= to) continue;
      const [first, last] = [Math.floor(from / rowBytes), Math.floor((to - 1) / rowBytes)];
      const before = stretches.at(-1);
      if (before && first <= before[1] + 1 && first >= before[0])
        stretches[stretches.length - 1] = [before[0], Math.max(last, before[1])];
      else stretches.push([first, last]);
    }
  }
  const chosen = new Set<number>();
  const candidates = [Math.min(...stretches.map(([first]) => first)), Math.max(...stretches.map(([, last]) => last))];
  let state = (seed ^ 0x2545f491) >>> 0;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  for (let tries = 0; stretches.length > 0 && tries < 8 * most; tries++) {
    const [first, last] = stretches[Math.floor(random() * stretches.length)]!;
    candidates.push(first + Math.floor(random() * (last - first + 1)));
  }
  for (const row of candidates) if (Number.isFinite(row) && chosen.size < most) chosen.add(row);
  return [...chosen]
    .sort((a, b) => a - b)
    .map((row) => ({ row, written: maskOf(start + row * rowBytes, elements, size, written) }));
}

function maskOf(start: number, elements: number, size: number, written: readonly ByteRanges[]): Uint8Array {
  const bytes = new Uint8Array(elements * size);
  for (const ranges of written) {
    for (let i = 0; i < ranges.length; i += 2) {
      const [from, to] = [Math.max(0, ranges[i]! - start), Math.min(bytes.length, ranges[i + 1]! - start)];
      if (from < to) bytes.fill(1, from, to);
    }
  }
  return Uint8Array.from({ length: elements }, (_, e) => {
    for (let b = e * size; b < (e + 1) * size; b++) if (bytes[b] === 0) return 0;
    return 1;
  });
}
