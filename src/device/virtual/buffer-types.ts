/** What stands in buffers whose contents nobody computed: their element types, as far as a plan tells, and numbers to fill them with. */
import type { Plan } from '../../kernel/index.ts';
import { type DType, encode } from '../../task/index.ts';

/** Elements of the pattern of made-up contents: a prime, so that no two rows of a usual length are alike. */
const PATTERN = 65521;

/** Bytes to repeat over a buffer: numbers from 0.5 to 1.5, zeros for integers. `other`: another filling, to compare with. */
export function madeUp(dtype: DType, other = false): Uint8Array {
  const floating = dtype.includes('float');
  const values = Float64Array.from({ length: PATTERN }, (_, i) => {
    if (!floating) return other ? 1 : 0;
    return other ? 0 : 0.5 + ((i * 7919) % PATTERN) / PATTERN;
  });
  return encode({ spec: { shape: [PATTERN], dtype }, values });
}

/** The element type of each buffer, as far as the plan tells: that of an output, a fill or a copy; else float32. */
export function typesOf(plan: Plan): DType[] {
  const tensors = [
    ...plan.outputs,
    ...plan.steps.flatMap((step) =>
      step.kind === 'fill' ? [step.tensor] : step.kind === 'copy' ? [step.from, step.to] : [],
    ),
  ];
  return plan.buffers.map(({ id }) => tensors.find(({ buffer }) => buffer === id)?.dtype ?? 'float32');
}
