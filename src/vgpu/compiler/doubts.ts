/**
 * Where compiled code cannot tell by itself whether a kernel does wrong: a shuffle that reads a lane which is not there
 * (a fault only once the value matters), and a barrier that ended threads may have gone past. Such kernels run with a copy
 * of what they may write; when the case arises, memory is put back and the interpreter decides (races/filter.ts).
 */
import { barrierBypasses } from '../analysis/barrier-bypass.ts';
import type { Instruction } from '../ptx/ir.ts';
import type { ControlFlow } from './cfg.ts';

const ALL_LANES = 0xffff_ffffn;

interface Doubts {
  /** Barriers that threads may go past. */
  readonly barriers: ReadonlySet<Instruction>;
  /** The text itself allows a shuffle in which lanes are absent, whatever the block. */
  readonly shuffle: 'none' | 'whole warps' | 'any';
}

const known = new WeakMap<ControlFlow, Doubts>();

function doubtsOf(flow: ControlFlow): Doubts {
  let doubts = known.get(flow);
  if (doubts === undefined) {
    const { instructions } = flow.kernel;
    const barriers = new Set([...barrierBypasses(instructions).keys()].map((place) => instructions[place]!));
    const shuffles = instructions.filter((i) => i.kind === 'warp' && i.op === 'shfl');
    const exits = flow.blocks.filter(({ terminator }) => terminator.kind === 'exit').length;
    const partial = shuffles.some((i) => {
      const members = i.kind === 'warp' ? i.members : undefined;
      return members?.kind !== 'immediate' || BigInt.asUintN(32, members.bits) !== ALL_LANES;
    });
    const shuffle = shuffles.length === 0 ? 'none' : partial || exits > 1 ? 'any' : 'whole warps';
    doubts = { barriers, shuffle };
    known.set(flow, doubts);
  }
  return doubts;
}

/** A launch of blocks of `threads` threads may need the interpreter's opinion. */
export function isDoubtful(flow: ControlFlow, threads: number): boolean {
  const { barriers, shuffle } = doubtsOf(flow);
  return barriers.size > 0 || shuffle === 'any' || (shuffle === 'whole warps' && threads % 32 !== 0);
}

/** Threads may go past this barrier and on. */
export function mayBePassed(flow: ControlFlow, barrier: Instruction): boolean {
  return doubtsOf(flow).barriers.has(barrier);
}
