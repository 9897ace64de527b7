/** Which registers are live at the start of each block: backward data flow over bit sets. */
import type { Instruction } from '../ptx/ir.ts';
import { type ControlFlow, successors } from './cfg.ts';
import { definitions, uses } from './operands.ts';

export class BitSet {
  readonly words: Uint32Array;

  constructor(size: number) {
    this.words = new Uint32Array((size + 31) >>> 5);
  }

  has(item: number): boolean {
    return ((this.words[item >>> 5]! >>> (item & 31)) & 1) === 1;
  }

  add(item: number): void {
    this.words[item >>> 5]! |= 1 << (item & 31);
  }

  delete(item: number): void {
    this.words[item >>> 5]! &= ~(1 << (item & 31));
  }

  items(): number[] {
    const found: number[] = [];
    for (let index = 0; index < this.words.length; index++)
      for (let word = this.words[index]!; word !== 0; word &= word - 1)
        found.push((index << 5) + 31 - Math.clz32(word & -word));
    return found;
  }
}

/** Live registers on entry to each block. */
export function liveIn(flow: ControlFlow): readonly BitSet[] {
  const { blocks, kernel } = flow;
  const size = kernel.registers.length;
  const gen: BitSet[] = [];
  const kill: BitSet[] = [];
  const live: BitSet[] = [];
  for (const block of blocks) {
    const used = new BitSet(size);
    const defined = new BitSet(size);
    const visit = (instruction: Instruction): void => {
      for (const id of uses(instruction)) if (!defined.has(id)) used.add(id);
      // A guarded definition may leave the old value.
      for (const id of definitions(instruction))
        if (!instruction.guard) defined.add(id);
        else if (!defined.has(id)) used.add(id);
    };
    for (let index = block.first; index < block.end; index++) visit(kernel.instructions[index]!);
    const { terminator } = block;
    if (terminator.kind === 'branch') {
      if (!defined.has(terminator.guard.register)) used.add(terminator.guard.register);
    } else if (terminator.kind === 'switch') {
      if (terminator.index.kind === 'register' && !defined.has(terminator.index.id)) used.add(terminator.index.id);
    } else if (terminator.kind === 'sync') {
      // The branch around a guarded one was made when the graph was built: here it happens for sure.
      visit({ ...kernel.instructions[terminator.instruction]!, guard: undefined });
    } else if (terminator.kind === 'trap') {
      for (const id of uses(kernel.instructions[terminator.instruction]!)) if (!defined.has(id)) used.add(id);
    }
    gen.push(used);
    kill.push(defined);
    const start = new BitSet(size);
    start.words.set(used.words);
    live.push(start);
  }
  const predecessors: number[][] = blocks.map(() => []);
  blocks.forEach((block, index) => {
    for (const next of successors(block.terminator)) predecessors[next]!.push(index);
  });
  const work = blocks.map((_, index) => index);
  const queued = new Uint8Array(blocks.length).fill(1);
  while (work.length > 0) {
    const index = work.pop()!;
    queued[index] = 0;
    const here = live[index]!.words;
    const killed = kill[index]!.words;
    let changed = false;
    for (const next of successors(blocks[index]!.terminator)) {
      const there = live[next]!.words;
      for (let word = 0; word < here.length; word++) {
        const more = here[word]! | (there[word]! & ~killed[word]!);
        if (more >>> 0 !== here[word]!) {
          here[word] = more;
          changed = true;
        }
      }
    }
    if (!changed) continue;
    for (const before of predecessors[index]!)
      if (!queued[before]) {
        queued[before] = 1;
        work.push(before);
      }
  }
  return live;
}
