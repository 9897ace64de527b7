/** Which launches may be shared out among workers, and how. */
import type { LaunchContext } from '../../executable.ts';
import type { ControlFlow } from '../cfg.ts';

/** Runs of blocks for each worker, on average: enough to even out blocks of unequal length. */
const CHUNKS_PER_WORKER = 16;

/** Kinds of instructions that have not been tried on several threads. */
const ALONE: ReadonlySet<string> = new Set(['texture', 'matrix', 'async', 'bulk', 'cluster', 'mbarrier']);

/**
 * True when the kernel's blocks may run at the same time on several threads: none waits for another (those need a
 * scheduler that sees them all), and none calls the host (what is printed has an order).
 */
export function runsInParallel(flow: ControlFlow, context: LaunchContext): boolean {
  if (context.blocks.length < 2 || !context.stopAtFault || context.races || context.memory.written) return false;
  if (context.explicitCluster || context.cluster.some((size) => size !== 1)) return false;
  if (flow.blocks.some((block) => block.terminator.kind === 'yield')) return false;
  return !flow.kernel.instructions.some(
    (instruction) =>
      (instruction.kind === 'control' && instruction.op === 'call') ||
      ALONE.has(instruction.kind) ||
      instruction.src.some(
        (operand) => operand.kind === 'special' && /^(envreg|clock|globaltimer)/.test(operand.register),
      ),
  );
}

/** Cuts runs of consecutive blocks into chunks. */
export function chunksOf(ranges: readonly (readonly [number, number])[], workers: number): [number, number][] {
  const total = ranges.reduce((sum, [first, end]) => sum + end - first, 0);
  const size = Math.max(1, Math.ceil(total / (workers * CHUNKS_PER_WORKER)));
  return ranges.flatMap(([first, end]) => {
    const chunks: [number, number][] = [];
    for (let at = first; at < end; at += size) chunks.push([at, Math.min(end, at + size)]);
    return chunks;
  });
}
