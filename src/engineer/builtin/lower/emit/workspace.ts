/** The memory plan: which results of kernels share a buffer, because one is read for the last time before the other is made. */
import type { DType } from '../../../../task/index.ts';
import type { Program } from '../program.ts';
import { product } from '../strides.ts';
import type { Kernel } from './kernel-context.ts';

/** A tensor of the workspace and the values that it holds, one after another. */
export interface Buffer {
  dtype: DType;
  elements: number;
  values: number[];
}

/** Buffers for what kernels make and the program does not return, by first fit over the launches in order. */
export function workspace(program: Program, kernels: readonly Kernel[]): Buffer[] {
  const returned = new Set(program.outputs.map(({ value }) => value));
  const lastUse = new Map<number, number>();
  kernels.forEach((kernel, launch) => {
    for (const id of kernel.pointers) lastUse.set(id, launch);
  });
  const buffers: (Buffer & { freeAfter: number })[] = [];
  kernels.forEach((kernel, launch) => {
    for (const id of kernel.writes) {
      if (returned.has(id)) continue;
      const { dtype, shape } = program.values[id]!;
      const elements = product(shape);
      const free = buffers.filter((own) => own.dtype === dtype && own.freeAfter < launch);
      // The smallest that is large enough, else the largest, which grows.
      free.sort((a, b) => a.elements - b.elements);
      const buffer = free.find((own) => own.elements >= elements) ?? free.at(-1);
      if (buffer) {
        buffer.elements = Math.max(buffer.elements, elements);
        buffer.values.push(id);
        buffer.freeAfter = lastUse.get(id)!;
      } else buffers.push({ dtype, elements, values: [id], freeAfter: lastUse.get(id)! });
    }
  });
  return buffers.map(({ dtype, elements, values }) => ({ dtype, elements, values }));
}
