/**
 * A common cause of missing outputs, read off the plan and the PTX: a kernel that indexes with the y or z coordinate
 * of its block or thread, launched with an extent of 1 there.
 */
import { entryText, type PreparedCandidate } from '../../kernel/index.ts';

/** A sentence, when some launch leaves out a dimension that its kernel indexes with; undefined otherwise. */
export function unusedGridDimension({ plan, build }: PreparedCandidate): string | undefined {
  for (const step of plan.steps) {
    if (step.kind !== 'launch') continue;
    const text = entryText(build.ptx, step.entry);
    if (text === undefined) continue;
    for (const [d, axis] of [
      [1, 'y'],
      [2, 'z'],
    ] as const) {
      if (step.grid[d] !== 1 || step.block[d] !== 1) continue;
      const block = text.includes(`%ctaid.${axis}`);
      if (!block && !text.includes(`%tid.${axis}`)) continue;
      const indexed = block ? `blockIdx.${axis}` : `threadIdx.${axis}`;
      return `The launch of ${step.kernel} on line ${step.line} has an extent of 1 in ${axis} (grid ${step.grid.join(' x ')}, block ${step.block.join(' x ')}), but the kernel indexes with ${indexed}: launch it with a grid that covers that dimension.`;
    }
  }
  return undefined;
}
