/**
 * Bulk copies out of shared memory, in groups that each thread waits for. They are written when their group is waited
 * for: as late as the ISA allows.
 */
import type { BulkGroup, PtxFunction } from '../ptx/ir.ts';
import type { Assembler } from './assembler.ts';
import type { Block } from './block.ts';
import type { Step } from './lane-loops.ts';
import { LANES } from './registers.ts';
import type { Warp } from './warp.ts';

/** Writes the bytes of one copy. */
type Land = () => void;

/** The copies of one block that its threads have not waited for. */
export class BulkGroups {
  /** By thread: copies since the last commit, then the committed groups, oldest first. */
  readonly #open = new Map<number, Land[]>();
  readonly #groups = new Map<number, Land[][]>();

  add(thread: number, land: Land): void {
    const open = this.#open.get(thread);
    if (open === undefined) this.#open.set(thread, [land]);
    else open.push(land);
  }

  commit(thread: number): void {
    const groups = this.#groups.get(thread) ?? [];
    groups.push(this.#open.get(thread) ?? []);
    this.#groups.set(thread, groups);
    this.#open.delete(thread);
  }

  /** Lands all groups but the last few. */
  wait(thread: number, kept: number): void {
    const groups = this.#groups.get(thread) ?? [];
    while (groups.length > kept) for (const land of groups.shift()!) land();
  }

  unfinished(thread: number): number {
    const groups = this.#groups.get(thread) ?? [];
    return (this.#open.get(thread)?.length ?? 0) + groups.reduce((sum, group) => sum + group.length, 0);
  }
}

/** Adds a copy to the open group of a lane's thread. */
export function addToGroup(warp: Warp, lane: number, land: Land): void {
  groupsOf(warp.block).add(warp.index * LANES + lane, land);
}

function groupsOf(block: Block): BulkGroups {
  block.bulk ??= new BulkGroups();
  return block.bulk;
}

/** cp.async.bulk.commit_group and wait_group. */
export function bulkGroupStep(asm: Assembler, _fn: PtxFunction, i: BulkGroup): Step {
  const [keep] = i.src;
  if (i.operation === 'wait' && keep?.kind !== 'immediate') throw asm.error(i, 'the group count must be a number');
  const kept = keep?.kind === 'immediate' ? Number(keep.bits) : 0;
  return (warp, mask) => {
    const groups = groupsOf(warp.block);
    for (let l = 0; l < LANES; l++) {
      if (((mask >>> l) & 1) === 0) continue;
      const thread = warp.index * LANES + l;
      if (i.operation === 'commit') groups.commit(thread);
      else groups.wait(thread, kept);
    }
  };
}
