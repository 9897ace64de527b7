/**
 * What the bulk and tensor copies have in common: ranges of shared memory checked in pieces, the mbarriers that count
 * them, and multicast to several blocks of a cluster.
 */
import { CLUSTER_RANK_SHIFT } from '../memory-layout.ts';
import type { Instruction, Operand, PtxFunction, Space } from '../ptx/ir.ts';
import { addressStep, resolver } from './addressing.ts';
import type { Assembler } from './assembler.ts';
import type { Environment } from './environment.ts';
import type { Warp } from './warp.ts';

/** Bytes that are checked at once, and the granularity of bulk copies. */
export const PIECE = 16;

/** Addresses of one operand, range by range. */
export interface RangeCheck {
  /** Computes the lane's address and gives its low word. */
  address(warp: Warp, lane: number): number;
  /** Points at an address of the same space instead. */
  moveTo(lane: number, low: number): void;
  /** Checks `bytes` (a multiple of 16) from the current address; the offset where they start, or undefined after a fault. */
  check(warp: Warp, lane: number, bytes: number): number | undefined;
}

/** Access of one asynchronous copy to a range. Reads of shared memory also need a proxy fence after ordinary writes. */
export function rangeCheck(
  asm: Assembler,
  env: Environment,
  fn: PtxFunction,
  operand: Operand | undefined,
  access: { kind: 'read' | 'write' | 'atomic'; space: Space; at: Instruction },
): RangeCheck {
  const addresses = addressStep(asm, env, fn, operand, access.at);
  const resolve = resolver(env, { ...access, bytes: PIECE, fn, clusterWide: true }, undefined);
  return {
    address(warp, lane) {
      addresses(warp, 1 << lane);
      return env.low[lane]!;
    },
    moveTo(lane, low) {
      env.low[lane] = low;
      env.high[lane] = 0;
    },
    check(warp, lane, bytes) {
      const low = env.low[lane]!;
      let start: number | undefined;
      for (let at = 0; at < bytes; at += PIECE) {
        env.low[lane] = low + at;
        if (resolve(warp, 1 << lane) === 0) return undefined;
        start ??= env.physical[lane]!;
        if (env.races === undefined) continue;
        if (access.kind === 'read' && access.space === 'shared') env.races.asyncProxyRead(warp, lane, PIECE, access.at);
        const strong = access.kind === 'atomic';
        env.races.access(warp, lane, PIECE, access.kind, strong, strong ? 'gpu' : 'sys', access.space, access.at);
        env.races.settle();
      }
      return start;
    },
  };
}

/** Resolves the mbarrier of a copy; its offset in the WebAssembly memory, or undefined after a fault. */
export interface BarrierCheck {
  address(warp: Warp, lane: number): number;
  resolve(warp: Warp, lane: number, low: number): number | undefined;
}

export function barrierCheck(
  asm: Assembler,
  env: Environment,
  fn: PtxFunction,
  operand: Operand | undefined,
  at: Instruction,
): BarrierCheck {
  const addresses = addressStep(asm, env, fn, operand, at);
  const resolve = resolver(env, { kind: 'atomic', bytes: 8, space: 'shared', at, fn, clusterWide: true }, undefined);
  return {
    address(warp, lane) {
      addresses(warp, 1 << lane);
      return env.low[lane]!;
    },
    resolve(warp, lane, low) {
      env.low[lane] = low;
      env.high[lane] = 0;
      return resolve(warp, 1 << lane) === 0 ? undefined : env.physical[lane]!;
    },
  };
}

/** The same place in the block of this rank. */
export function inBlock(low: number, rank: number): number {
  return ((rank + 1) << CLUSTER_RANK_SHIFT) | (low & ((1 << CLUSTER_RANK_SHIFT) - 1));
}

/** The addresses that a copy writes to: one, or with multicast the same place in each block of the mask. */
export function destinations(
  env: Environment,
  warp: Warp,
  lane: number,
  mask: number | undefined,
  at: Instruction,
): readonly (number | undefined)[] {
  if (mask === undefined) return [undefined];
  const ranks: number[] = [];
  for (let rank = 0; rank < 16; rank++) if (((mask >>> rank) & 1) !== 0) ranks.push(rank);
  const { blocks } = warp.block.cluster;
  const missing = ranks.find((rank) => rank >= blocks.length);
  if (missing !== undefined) {
    env.fault(warp, lane, {
      kind: 'out-of-bounds',
      message: `${env.who(warp, lane)}: a multicast to block ${missing} of a cluster of ${blocks.length} (mask 0x${mask.toString(16)}).`,
      instruction: at,
      space: 'shared',
    });
  }
  return ranks.filter((rank) => rank < blocks.length);
}
