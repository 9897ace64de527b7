/**
 * cp.async: copies stay in flight until their group is waited for, and their target counts as uninitialised until then, so
 * that a read too early is found. Each thread has its own groups.
 */
import type { AsyncCopy, PtxFunction } from '../ptx/ir.ts';
import { addressStep, resolver } from './addressing.ts';
import { type Assembler, lanesWhere } from './assembler.ts';
import { type Environment, raceAccess } from './environment.ts';
import type { Step } from './lane-loops.ts';
import { LANES } from './registers.ts';
import { popcount, type Warp } from './warp.ts';

interface PendingCopy {
  readonly target: number;
  readonly source: number;
  readonly bytes: number;
  /** Bytes taken from the source; the rest is zero. */
  readonly sourceBytes: number;
}

interface Thread {
  /** Copies issued since the last commit. */
  open: PendingCopy[];
  /** Committed groups, oldest first. */
  groups: PendingCopy[][];
}

/** The copies in flight of one block. */
export class AsyncCopies {
  readonly #threads = new Map<number, Thread>();

  thread(warp: Warp, lane: number): Thread {
    const key = warp.index * 32 + lane;
    let thread = this.#threads.get(key);
    if (thread === undefined) {
      thread = { open: [], groups: [] };
      this.#threads.set(key, thread);
    }
    return thread;
  }

  touches(physical: number, bytes: number): boolean {
    for (const { open, groups } of this.#threads.values()) {
      for (const group of [open, ...groups]) {
        for (const copy of group)
          if (copy.target < physical + bytes && physical < copy.target + copy.bytes) return true;
      }
    }
    return false;
  }

  /** All copies that a thread has issued, to be landed now. */
  landAll(warp: Warp, lane: number): ((env: Environment) => void)[] {
    const thread = this.thread(warp, lane);
    const groups = [...thread.groups.splice(0), thread.open.splice(0)];
    return groups.map((group) => (env) => deliver(env, group));
  }

  /** Copies that a thread never waited for. */
  unfinished(warp: Warp, lane: number): number {
    const thread = this.#threads.get(warp.index * 32 + lane);
    return thread === undefined ? 0 : thread.open.length + thread.groups.reduce((sum, group) => sum + group.length, 0);
  }
}

function copiesOf(warp: Warp): AsyncCopies {
  warp.block.copies ??= new AsyncCopies();
  return warp.block.copies;
}

function deliver(env: Environment, group: readonly PendingCopy[]): void {
  const { memory } = env;
  for (const { target, source, bytes, sourceBytes } of group) {
    memory.u8.copyWithin(target, source, source + sourceBytes);
    memory.u8.fill(0, target + sourceBytes, target + bytes);
    memory.markInitialised(target, bytes, true);
  }
}

export function asyncStep(asm: Assembler, env: Environment, fn: PtxFunction, i: AsyncCopy): Step {
  if (i.operation === 'copy') return copyStep(asm, env, fn, i);
  const keep = i.operation === 'wait-group' ? i.src[0] : undefined;
  if (i.operation === 'wait-group' && keep?.kind !== 'immediate')
    throw asm.error(i, 'the group count must be a number');
  const kept = keep?.kind === 'immediate' ? Number(keep.bits) : 0;
  return (warp, mask) => {
    const copies = copiesOf(warp);
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      const thread = copies.thread(warp, l);
      if (i.operation === 'commit' || i.operation === 'wait-all') {
        thread.groups.push(thread.open);
        thread.open = [];
      }
      if (i.operation === 'commit') continue;
      while (thread.groups.length > kept) deliver(env, thread.groups.shift()!);
    }
  };
}

function copyStep(asm: Assembler, env: Environment, fn: PtxFunction, i: AsyncCopy): Step {
  const [target, source, size, sourceSize] = i.src;
  if (size?.kind !== 'immediate') throw asm.error(i, 'the size must be a number');
  const bytes = Number(size.bits);
  if (bytes !== 4 && bytes !== 8 && bytes !== 16) throw asm.error(i, 'cp.async copies 4, 8 or 16 bytes');
  if (i.cache === 'cg' && bytes !== 16) throw asm.error(i, 'cp.async.cg copies 16 bytes');
  const targetAddress = addressStep(asm, env, fn, target, i);
  const sourceAddress = addressStep(asm, env, fn, source, i);
  const resolveTarget = resolver(env, { kind: 'write', bytes, space: 'shared', at: i, fn }, undefined);
  const resolvers = new Map<number, ReturnType<typeof resolver>>();
  for (const n of [1, 2, 4, 8, 16]) {
    resolvers.set(n, resolver(env, { kind: 'read', bytes: n, space: 'global', at: i, fn }, undefined));
  }
  const ignore = sourceSize?.kind === 'predicate' ? asm.predicate(fn, sourceSize, i) : undefined;
  const length = sourceSize === undefined || ignore !== undefined ? undefined : asm.value(fn, sourceSize, 'u32', i);
  const { file } = asm;
  return (warp, mask) => {
    const copies = copiesOf(warp);
    targetAddress(warp, mask);
    const good = resolveTarget(warp, mask);
    const targets = env.physical.slice();
    env.profiler?.access(i, 'shared', true, bytes, good, warp, env);
    raceAccess(env, warp, good, bytes, 'write', 'shared', i);
    sourceAddress(warp, good);
    let copied = 0;
    const places = new Uint32Array(LANES);
    const ignored = ignore === undefined ? 0 : lanesWhere(warp.predicates, ignore);
    for (let l = 0, m = good; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      let wanted =
        length === undefined ? bytes : file.i32[length.slot + (warp.base & length.mask) + l * length.words]! >>> 0;
      if (wanted > bytes) wanted = bytes;
      if (((ignored >>> l) & 1) === 1) wanted = 0;
      // A short source is checked in naturally aligned pieces.
      let read = 0;
      const start = env.low[l]!;
      let whole = true;
      while (read < wanted) {
        let piece = 16;
        while (piece > wanted - read || (read & (piece - 1)) !== 0) piece >>>= 1;
        env.low[l] = start + read;
        if (resolvers.get(piece)!(warp, 1 << l) === 0) whole = false;
        if (read === 0) places[l] = env.physical[l]!;
        read += piece;
      }
      env.low[l] = start;
      if (!whole) continue;
      if (wanted > 0) copied |= 1 << l;
      env.memory.markInitialised(targets[l]!, bytes, false);
      copies.thread(warp, l).open.push({ target: targets[l]!, source: places[l]!, bytes, sourceBytes: wanted });
    }
    if (env.profiler === undefined || copied === 0) return;
    env.physical.set(places);
    env.profiler.access(i, 'global', false, bytes, copied, warp, env);
    env.profiler.asyncCopy(bytes * popcount(copied));
  };
}
