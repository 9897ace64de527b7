/**
 * Block barriers that some threads may go past: in `if (t < 100) __syncthreads(); y[t] = 0;` the store is met on every way
 * from the barrier to the end, and on ways without it too. A thread that has been there and ended while others wait at
 * the barrier has left them alone: undefined behaviour, though hardware no longer waits for it. A thread that returns
 * early, or from the branch of its own, never comes to such a place.
 */
import type { Instruction } from '../ptx/ir.ts';
import { dominates, dominatorTree, type Graph } from './dominators.ts';

/**
 * For each barrier without a count, by its place in the list: the instructions that lie behind it and can be reached
 * without it. Barriers that have none are left out. `instructions`: of one function, with targets as places in the list.
 */
export function barrierBypasses(instructions: readonly Instruction[]): ReadonlyMap<number, ReadonlySet<number>> {
  const found = new Map<number, ReadonlySet<number>>();
  const barriers = instructions.flatMap((instruction, place) => (isFullBarrier(instruction) ? [place] : []));
  if (barriers.length === 0) return found;
  const { starts, blockOf, graph } = blocksOf(instructions);
  const exit = graph.length;
  const tree = dominatorTree([...graph, []], 0);
  const backward: number[][] = Array.from({ length: exit + 1 }, () => []);
  for (const [block, next] of graph.entries()) {
    for (const successor of next.length === 0 ? [exit] : next) backward[successor]!.push(block);
  }
  const behind = dominatorTree(backward, exit);
  for (const barrier of barriers) {
    const own = blockOf[barrier]!;
    const places = new Set<number>();
    // Ways to the end that never come there (endless loops) tell nothing.
    for (let block = behind.immediate[own]!; block >= 0 && block !== exit; block = behind.immediate[block]!) {
      if (tree.position[block]! < 0 || dominates(tree, own, block)) continue;
      const end = starts[block + 1] ?? instructions.length;
      for (let place = starts[block]!; place < end; place++) {
        if (instructions[place]!.kind !== 'control') places.add(place);
      }
    }
    if (places.size > 0) found.set(barrier, places);
  }
  return found;
}

function isFullBarrier(instruction: Instruction): boolean {
  return (
    instruction.kind === 'barrier' && instruction.count === undefined && !instruction.operation.startsWith('cluster')
  );
}

function blocksOf(instructions: readonly Instruction[]): { starts: number[]; blockOf: Int32Array; graph: Graph } {
  const leaders = new Set<number>([0]);
  for (const [place, instruction] of instructions.entries()) {
    if (instruction.kind === 'barrier') leaders.add(place).add(place + 1);
    if (instruction.kind !== 'control' || instruction.op === 'call') continue;
    leaders.add(place + 1);
    for (const target of instruction.targets) leaders.add(target);
  }
  leaders.delete(instructions.length);
  const starts = [...leaders].sort((a, b) => a - b);
  const blockOf = new Int32Array(instructions.length + 1).fill(-1);
  for (const [block, start] of starts.entries()) {
    blockOf.fill(block, start, starts[block + 1] ?? instructions.length);
  }
  const graph = starts.map((_, block) => {
    const end = (starts[block + 1] ?? instructions.length) - 1;
    const last = instructions[end]!;
    const next = new Set<number>();
    if (last.kind === 'control' && last.op !== 'call') {
      for (const target of last.targets) if (blockOf[target]! >= 0) next.add(blockOf[target]!);
      if (last.guard === undefined) return [...next];
    }
    if (blockOf[end + 1]! >= 0) next.add(blockOf[end + 1]!);
    return [...next];
  });
  return { starts, blockOf, graph };
}
