/** bar and barrier: operands resolved; waking and results. */
import type { Barrier, PtxFunction } from '../ptx/ir.ts';
import type { Assembler } from './assembler.ts';
import type { BarrierResult } from './block.ts';
import type { PredicateRef, Ref } from './registers.ts';
import type { Warp } from './warp.ts';

export interface BarrierPlan {
  readonly instruction: Barrier;
  readonly id: Ref;
  readonly count: Ref | undefined;
  readonly predicate: PredicateRef | undefined;
  /** Gives the reduction's result to the lanes. */
  readonly deliver: ((warp: Warp, mask: number, result: BarrierResult) => void) | undefined;
}

export function barrierPlan(asm: Assembler, fn: PtxFunction, i: Barrier): BarrierPlan {
  if (i.operation === 'cluster-arrive' || i.operation === 'cluster-wait') {
    const none = asm.constant(0n, 1);
    return { instruction: i, id: none, count: undefined, predicate: undefined, deliver: undefined };
  }
  const id = asm.source(fn, i.id!, 'u32', i);
  const count = i.count === undefined ? undefined : asm.source(fn, i.count, 'u32', i);
  if (i.reduction === undefined) return { instruction: i, id, count, predicate: undefined, deliver: undefined };
  const predicate = asm.predicate(fn, i.predicate!, i);
  if (i.reduction === 'popc') {
    const dst = asm.result(fn, i.dst[0], 'u32', i);
    return {
      instruction: i,
      id,
      count,
      predicate,
      deliver: (warp, mask, result) => {
        for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
          if ((m & 1) !== 0) asm.file.i32[dst.slot + warp.base + l] = result.count;
        }
      },
    };
  }
  const p = asm.predicateResult(fn, i.dst[0], i);
  const { reduction } = i;
  return {
    instruction: i,
    id,
    count,
    predicate,
    deliver: (warp, mask, result) => {
      const holds = reduction === 'and' ? result.all : result.any;
      warp.predicates[p] = (warp.predicates[p]! & ~mask) | (holds ? mask : 0);
    },
  };
}
