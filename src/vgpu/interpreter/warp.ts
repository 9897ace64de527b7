/** The state of one warp: a program counter for each lane, who waits for what, and the lanes' stacks. */
import { Accumulators } from './accumulators.ts';
import type { Block } from './block.ts';
import type { Poison } from './poison.ts';
import { LANES } from './registers.ts';

/** One call in progress on one lane. */
export interface CallFrame {
  /** Instruction after the call. */
  readonly returnTo: number;
  /** The call instruction. */
  readonly site: number;
  /** Stack pointer of the caller. */
  readonly callerStack: number;
  /** Function index of the callee. */
  readonly callee: number;
  /** The callee's registers of an outer call on the same lane, to be put back (recursion). */
  readonly saved: Int32Array | undefined;
}

export class Warp {
  readonly block: Block;
  readonly index: number;
  /** First word of the warp's registers in the register file. */
  readonly base: number;
  readonly predicates: Int32Array;
  readonly pc = new Int32Array(LANES);
  /** Offset of the lane's current frame in its local area. */
  readonly stack = new Int32Array(LANES);
  readonly callDepth = new Uint16Array(LANES);
  readonly frames: CallFrame[][] = [];
  /** CC.CF, one bit a lane. */
  carry = 0;
  /** Lanes that exist and have not exited. */
  alive: number;
  /** Lanes that wait at a block barrier or at a warp-wide operation. */
  waiting = 0;
  /** A group used up its turn while others could have run: the longest-waiting lanes come next. */
  starving = false;
  /** Lanes that ever existed. */
  readonly present: number;
  /** For each waiting lane: the warp operation's member mask, or 0 when it waits at a block barrier. */
  readonly memberMask = new Int32Array(LANES);
  /** The last instruction that each lane executed, branches and the like left out; kept where a barrier may be gone past. */
  readonly lastStep = new Int32Array(LANES).fill(-1);
  /** When each lane last ran, in scheduler turns. */
  readonly lastRun = new Float64Array(LANES);
  /** The phase of barrier.cluster that each lane has arrived in; it waits for the next. */
  readonly clusterPhase = new Int32Array(LANES);
  /** Registers that its wgmmas may still be writing. */
  readonly accumulators = new Accumulators();
  /** Undefined values in its registers, when they are followed. */
  poison: Poison | undefined;
  /** Warp-instructions executed; what %clock reads. */
  clock = 0;

  constructor(block: Block, index: number, lanes: number, base: number, predicates: number) {
    this.block = block;
    this.index = index;
    this.base = base;
    this.predicates = new Int32Array(predicates);
    this.present = lanes === LANES ? -1 : (1 << lanes) - 1;
    this.alive = this.present;
    for (let lane = 0; lane < LANES; lane++) this.frames.push([]);
  }

  get runnable(): number {
    return this.alive & ~this.waiting;
  }
}

export function popcount(mask: number): number {
  let m = mask - ((mask >>> 1) & 0x5555_5555);
  m = (m & 0x3333_3333) + ((m >>> 2) & 0x3333_3333);
  return Math.imul((m + (m >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

export function lowestLane(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}
