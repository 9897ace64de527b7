/**
 * cp.async.bulk and cp.reduce.async.bulk: copies of many bytes in a row by the asynchronous proxy. Those into shared memory
 * land when somebody asks their mbarrier (in-flight.ts), those into global memory when their group is waited for
 * (bulk-groups.ts).
 */
import type { BulkCopy, PtxFunction } from '../ptx/ir.ts';
import { TYPE_BYTES } from '../ptx/ir.ts';
import type { Assembler } from './assembler.ts';
import { barrierCheck, destinations, inBlock, PIECE, rangeCheck } from './async-proxy.ts';
import { elementUpdate, loadBits, storeBits } from './atomics.ts';
import { addToGroup } from './bulk-groups.ts';
import type { Environment } from './environment.ts';
import { launchWrite } from './in-flight.ts';
import type { Step } from './lane-loops.ts';
import type { Ref } from './registers.ts';
import type { Warp } from './warp.ts';

/** Copies, or combines element by element, between two offsets of the WebAssembly memory. */
type Transfer = (env: Environment, target: number, source: number, bytes: number) => void;

function transferOf(asm: Assembler, i: BulkCopy): Transfer {
  const { reduction, type } = i;
  if (reduction === undefined) {
    return ({ memory }, target, source, bytes) => {
      memory.u8.copyWithin(target, source, source + bytes);
      memory.markInitialised(target, bytes, true);
    };
  }
  const update = elementUpdate(reduction, type);
  if (update === undefined) throw asm.error(i, `a bulk ${reduction} on ${type} is not supported`);
  const size = TYPE_BYTES[type];
  return ({ memory: { u8 } }, target, source, bytes) => {
    for (let at = 0; at < bytes; at += size) {
      storeBits(u8, target + at, size, update(loadBits(u8, target + at, size), loadBits(u8, source + at, size), 0n));
    }
  };
}

export function bulkStep(asm: Assembler, env: Environment, fn: PtxFunction, i: BulkCopy): Step {
  if (i.operation === 'prefetch') return () => {};
  const [target, source, size, barrier, blocks] = i.src;
  const toShared = i.targetSpace === 'shared';
  const writes = i.reduction === undefined ? 'write' : 'atomic';
  const targets = rangeCheck(asm, env, fn, target, { kind: writes, space: i.targetSpace, at: i });
  const sources = rangeCheck(asm, env, fn, source, { kind: 'read', space: i.sourceSpace, at: i });
  const counter = toShared ? barrierCheck(asm, env, fn, barrier, i) : undefined;
  const sizes = asm.value(fn, size!, 'u32', i);
  const masks = i.multicast ? asm.value(fn, blocks!, 'u16', i) : undefined;
  const transfer = transferOf(asm, i);
  const word = (ref: Ref, warp: Warp, lane: number): number =>
    asm.file.i32[ref.slot + (warp.base & ref.mask) + lane * ref.words]! >>> 0;
  return (warp, mask) => {
    for (let l = 0; l < 32; l++) {
      if (((mask >>> l) & 1) === 0) continue;
      const bytes = word(sizes, warp, l);
      if (bytes % PIECE !== 0) {
        env.fault(warp, l, {
          kind: 'misaligned',
          message: `${env.who(warp, l)}: a bulk copy of ${bytes} bytes; the size must be a multiple of 16.`,
          instruction: i,
          bytes,
        });
        continue;
      }
      sources.address(warp, l);
      const from = sources.check(warp, l, bytes);
      if (from === undefined) continue;
      const low = targets.address(warp, l);
      if (counter === undefined) {
        const to = targets.check(warp, l, bytes);
        if (to === undefined) continue;
        if (i.reduction === undefined) env.memory.markInitialised(to, bytes, false);
        env.profiler?.bulk(i, true, to, bytes, warp);
        addToGroup(warp, l, () => transfer(env, to, from, bytes));
        continue;
      }
      if (i.sourceSpace === 'global') env.profiler?.bulk(i, false, from, bytes, warp);
      const barrierLow = counter.address(warp, l);
      const ranks = destinations(env, warp, l, masks && word(masks, warp, l) & 0xffff, i);
      for (const rank of ranks) {
        const place = (address: number): number => (rank === undefined ? address : inBlock(address, rank));
        const at = counter.resolve(warp, l, place(barrierLow));
        if (at === undefined) continue;
        targets.moveTo(l, place(low));
        const to = targets.check(warp, l, bytes);
        if (to === undefined) continue;
        launchWrite(env, {
          warp,
          lane: l,
          at: i,
          target: to,
          bytes,
          barrier: at,
          sharedSource: i.sourceSpace === 'shared' ? from : undefined,
          keepsOldBytes: i.reduction !== undefined,
          land: () => transfer(env, to, from, bytes),
        });
      }
    }
  };
}
