/** What a plan's fills have left: counters and flags that a launch finds as the host function set them. */
import type { Plan, PlanStep } from '../../kernel/index.ts';
import { elementBytes } from '../../task/index.ts';
import { buffersOf } from './arguments.ts';
import { elementCount } from './strided.ts';

export type Fill = Extract<PlanStep, { kind: 'fill' }>;

/**
 * The fills of whole buffers that the launch at this index of the plan is given, and that no step has touched since. Running such a launch again, or
 * first in part, needs them once more: what counts in these buffers would go on counting.
 */
export function fillsBefore({ steps, buffers }: Plan, index: number): Fill[] {
  const launch = steps[index]!;
  const given = new Set(launch.kind === 'launch' ? buffersOf(launch) : []);
  const fills = new Map<number, Fill>();
  for (const step of steps.slice(0, index)) {
    for (const buffer of writtenBy(step)) fills.delete(buffer);
    if (step.kind !== 'fill') continue;
    const { buffer, dtype } = step.tensor;
    const whole = elementCount(step.tensor) * elementBytes[dtype] === buffers[buffer]!.bytes;
    if (whole && given.has(buffer)) fills.set(buffer, step);
  }
  return [...fills.values()];
}

/** Buffers that a step may write. */
function writtenBy(step: PlanStep): number[] {
  switch (step.kind) {
    case 'launch':
      return buffersOf(step);
    case 'fill':
    case 'constant':
      return [step.tensor.buffer];
    case 'copy':
      return [step.to.buffer];
    case 'write':
      return [step.buffer];
    case 'operator':
      return step.outputs.map(({ buffer }) => buffer);
  }
}
