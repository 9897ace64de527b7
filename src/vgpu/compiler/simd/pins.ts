/**
 * Keeps V8 from putting off vector arithmetic. Its scheduler places a pure operation just before its first use and loads
 * where they stand, so that of a long run of loads and multiply-adds all loads come first, their results spilled, and the
 * arithmetic at the end, one chain after another. A value that takes part in a merge of control flow has to be there
 * before the branch: every so often, code that never runs pretends to change what has been computed.
 */
import { ARENA } from '../arena.ts';
import { type ControlFlow, successors } from '../cfg.ts';
import type { BitSet } from '../liveness.ts';
import { definitions, uses } from '../operands.ts';
import type { SimdContext } from './context.ts';

/** Vectors computed between two pins. */
const INTERVAL = 16;

export class Pins {
  private readonly pending = new Set<number>();
  private vectors = 0;
  private lastUse: Map<number, number> | undefined;

  /** @param live registers live on entry to each block */
  constructor(
    private readonly context: SimdContext,
    private readonly flow: ControlFlow,
    private readonly live: readonly BitSet[],
    private readonly node: number,
  ) {}

  /** Called before each instruction of the block is emitted. */
  before(index: number): void {
    const { context, flow } = this;
    const instruction = flow.kernel.instructions[index]!;
    if (instruction.kind === 'memory') {
      if (this.vectors >= INTERVAL) this.pin(index);
      return;
    }
    for (const id of definitions(instruction))
      if (context.isVarying(id)) {
        this.pending.add(id);
        this.vectors += context.vectorsOf(id).length;
      }
  }

  private pin(index: number): void {
    const { code, scalar } = this.context;
    const needed = [...this.pending].filter((id) => this.isNeeded(id, index));
    this.pending.clear();
    this.vectors = 0;
    if (needed.length === 0) return;
    code.get(scalar.arena).memory('i32.load', ARENA.zero).rarely();
    for (const id of needed)
      for (const vector of this.context.vectorsOf(id)) code.get(vector).get(vector).op('v128.or').set(vector);
    code.end();
  }

  private isNeeded(id: number, index: number): boolean {
    const { flow, node } = this;
    const block = flow.blocks[node]!;
    if (!this.lastUse) {
      this.lastUse = new Map();
      for (let at = block.first; at < block.end; at++)
        for (const used of uses(flow.kernel.instructions[at]!)) this.lastUse.set(used, at);
    }
    if ((this.lastUse.get(id) ?? -1) >= index) return true;
    return successors(block.terminator).some((next) => this.live[next]!.has(id));
  }
}
