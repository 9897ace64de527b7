/**
 * cp.async.bulk: copies of many bytes by the asynchronous proxy. Those into shared memory land when somebody waits on
 * their mbarrier, those into global memory when their group is waited for: as late as the ISA allows, so that a read that
 * comes too early is found.
 */
import type { BulkCopy, Instruction, PtxFunction } from '../ptx/ir.ts';
import { addressStep, resolver } from './addressing.ts';
import type { Assembler } from './assembler.ts';
import type { Block } from './block.ts';
import type { Environment } from './environment.ts';
import type { Step } from './lane-loops.ts';
import { completeTransactions } from './mbarrier.ts';
import type { Warp } from './warp.ts';

interface Load {
  readonly warp: Warp;
  readonly lane: number;
  readonly target: number;
  readonly source: number;
  readonly bytes: number;
  readonly barrier: number;
  readonly at: Instruction;
}

interface Store {
  readonly target: number;
  readonly source: number;
  readonly bytes: number;
}

/** The bulk copies in flight of one block. */
export class BulkCopies {
  loads: Load[] = [];
  /** By thread: stores since the last commit, then the committed groups, oldest first. */
  readonly open = new Map<number, Store[]>();
  readonly groups = new Map<number, Store[][]>();

  touches(physical: number, bytes: number): boolean {
    return this.loads.some(({ target, bytes: size }) => target < physical + bytes && physical < target + size);
  }

  unfinished(thread: number): number {
    const groups = this.groups.get(thread) ?? [];
    const loads = this.loads.filter(({ warp, lane }) => warp.index * 32 + lane === thread).length;
    return loads + (this.open.get(thread)?.length ?? 0) + groups.reduce((sum, group) => sum + group.length, 0);
  }
}

/** Lands the copies that an mbarrier counts. */
export function deliverBulk(env: Environment, block: Block, barrier: number): void {
  const bulk = block.bulk;
  if (bulk === undefined) return;
  const due = bulk.loads.filter((load) => load.barrier === barrier);
  if (due.length === 0) return;
  bulk.loads = bulk.loads.filter((load) => load.barrier !== barrier);
  for (const { warp, lane, target, source, bytes, at } of due) {
    land(env, target, source, bytes);
    env.races?.synchronise(warp, lane, barrier, at, true, false);
    completeTransactions(env, barrier, bytes);
  }
}

function land(env: Environment, target: number, source: number, bytes: number): void {
  env.memory.u8.copyWithin(target, source, source + bytes);
  env.memory.markInitialised(target, bytes, true);
}

function bulkOf(block: Block): BulkCopies {
  block.bulk ??= new BulkCopies();
  return block.bulk;
}

export function bulkStep(asm: Assembler, env: Environment, fn: PtxFunction, i: BulkCopy): Step {
  switch (i.operation) {
    case 'prefetch':
      return () => {};
    case 'commit':
      return (warp, mask) => {
        const bulk = bulkOf(warp.block);
        for (const thread of threads(warp, mask)) {
          const groups = bulk.groups.get(thread) ?? [];
          groups.push(bulk.open.get(thread) ?? []);
          bulk.groups.set(thread, groups);
          bulk.open.delete(thread);
        }
      };
    case 'wait': {
      const [keep] = i.src;
      if (keep?.kind !== 'immediate') throw asm.error(i, 'the group count must be a number');
      const kept = Number(keep.bits);
      return (warp, mask) => {
        const bulk = bulkOf(warp.block);
        for (const thread of threads(warp, mask)) {
          const groups = bulk.groups.get(thread) ?? [];
          while (groups.length > kept) {
            for (const { target, source, bytes } of groups.shift()!) land(env, target, source, bytes);
          }
        }
      };
    }
    default:
      return copyStep(asm, env, fn, i);
  }
}

function threads(warp: Warp, mask: number): number[] {
  const found: number[] = [];
  for (let l = 0; l < 32; l++) if (((mask >>> l) & 1) !== 0) found.push(warp.index * 32 + l);
  return found;
}

function copyStep(asm: Assembler, env: Environment, fn: PtxFunction, i: BulkCopy): Step {
  const loads = i.operation === 'load';
  const [target, source, size, barrier] = i.src;
  const sourceShared = i.text.includes('.shared::cta.mbarrier');
  const targetSpace = loads ? 'shared' : 'global';
  const sourceSpace = loads && !sourceShared ? 'global' : 'shared';
  const targetAddress = addressStep(asm, env, fn, target, i);
  const sourceAddress = addressStep(asm, env, fn, source, i);
  const barrierAddress = loads ? addressStep(asm, env, fn, barrier, i) : undefined;
  const bytesRef = asm.value(fn, size!, 'u32', i);
  const resolveTarget = resolver(env, { kind: 'write', bytes: 16, space: targetSpace, at: i, fn }, undefined);
  const resolveSource = resolver(env, { kind: 'read', bytes: 16, space: sourceSpace, at: i, fn }, undefined);
  const resolveBarrier = resolver(env, { kind: 'atomic', bytes: 8, space: 'shared', at: i, fn }, undefined);
  const { file } = asm;

  /** Checks a range of a lane in pieces of 16 bytes; the offset where it starts, or undefined. */
  const range = (
    warp: Warp,
    l: number,
    bytes: number,
    resolve: typeof resolveTarget,
    kind: 'read' | 'write',
    space: 'shared' | 'global',
  ): number | undefined => {
    const low = env.low[l]!;
    let start: number | undefined;
    for (let at = 0; at < bytes; at += 16) {
      env.low[l] = low + at;
      if (resolve(warp, 1 << l) === 0) return undefined;
      start ??= env.physical[l]!;
      env.races?.access(warp, l, 16, kind, false, 'sys', space, i);
      env.races?.settle();
    }
    return start;
  };

  return (warp, mask) => {
    for (let l = 0; l < 32; l++) {
      const lane = 1 << l;
      if ((mask & lane) === 0) continue;
      const bytes = file.i32[bytesRef.slot + (warp.base & bytesRef.mask) + l * bytesRef.words]! >>> 0;
      if (bytes % 16 !== 0) {
        env.fault(warp, l, {
          kind: 'misaligned',
          message: `${env.who(warp, l)}: a bulk copy of ${bytes} bytes; the size must be a multiple of 16.`,
          instruction: i,
          bytes,
        });
        continue;
      }
      let counter = 0;
      if (barrierAddress !== undefined) {
        barrierAddress(warp, lane);
        if (resolveBarrier(warp, lane) === 0) continue;
        counter = env.physical[l]!;
      }
      sourceAddress(warp, lane);
      const from = range(warp, l, bytes, resolveSource, 'read', sourceSpace);
      targetAddress(warp, lane);
      const to = from === undefined ? undefined : range(warp, l, bytes, resolveTarget, 'write', targetSpace);
      if (from === undefined || to === undefined) continue;
      env.memory.markInitialised(to, bytes, false);
      if (targetSpace === 'global') env.profiler?.bulk(i, true, to, bytes, warp);
      else if (sourceSpace === 'global') env.profiler?.bulk(i, false, from, bytes, warp);
      const bulk = bulkOf(warp.block);
      if (loads) {
        bulk.loads.push({ warp, lane: l, target: to, source: from, bytes, barrier: counter, at: i });
      } else {
        const thread = warp.index * 32 + l;
        const open = bulk.open.get(thread) ?? [];
        open.push({ target: to, source: from, bytes });
        bulk.open.set(thread, open);
      }
    }
  };
}
