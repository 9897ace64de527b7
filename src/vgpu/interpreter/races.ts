/**
 * Data races in shared and global memory: two accesses to the same bytes by different threads, at least one a write, not
 * both strong (atomic, volatile, relaxed or stronger, with scopes that include both threads), and neither ordered before
 * the other (happens-before.ts). A store that leaves the bytes as they were (all threads set the same flag) is not
 * reported.
 *
 * `volatile` orders nothing: where lanes of one warp pass values through volatile shared memory without a warp sync, that
 * is reported as a missing one, unless the reading lane polls.
 */
import { LOCAL_TAG, PARAM_TAG, SHARED_TAG } from '../memory-layout.ts';
import type { Instruction, Scope, Space } from '../ptx/ir.ts';
import type { Block } from './block.ts';
import { type Environment, whereOf } from './environment.ts';
import { type Arrival, HappensBefore } from './happens-before.ts';
import type { Warp } from './warp.ts';

type AccessKind = 'read' | 'write' | 'atomic';

/** One access as it is remembered. */
interface Mark {
  readonly warp: Warp;
  readonly lane: number;
  readonly time: number;
  readonly kind: AccessKind;
  readonly strong: boolean;
  readonly scope: Scope;
  readonly at: Instruction;
  /** The same lane reads the place again at the same instruction: it waits for a change. */
  readonly polls: boolean;
}

/** What is known about one word, or one byte of a word that is also accessed in parts. */
interface Cell {
  write: Mark | undefined;
  /** The last read, and the last before it by another lane of its warp, another warp, another block. */
  read: Mark | undefined;
  laneRead: Mark | undefined;
  warpRead: Mark | undefined;
  blockRead: Mark | undefined;
  /** Its four bytes, once one of them has been accessed alone. */
  bytes: Cell[] | undefined;
}

interface Suspect {
  readonly earlier: Mark;
  readonly later: Mark;
  readonly physical: number;
  readonly before: Uint8Array;
  readonly space: 'global' | 'shared';
}

function emptyCell(): Cell {
  return {
    write: undefined,
    read: undefined,
    laneRead: undefined,
    warpRead: undefined,
    blockRead: undefined,
    bytes: undefined,
  };
}

function isVolatile({ at }: Mark): boolean {
  return at.kind === 'memory' && at.semantics === 'volatile';
}

export class RaceDetector {
  readonly #env: Environment;
  readonly #order = new HappensBefore();
  /** Cells by word address. */
  readonly #cells = new Map<number, Cell>();
  readonly #suspects: Suspect[] = [];

  constructor(env: Environment) {
    this.#env = env;
  }

  get time(): number {
    return this.#order.time;
  }

  fence(warp: Warp, mask: number, scope: Scope): void {
    this.#order.fence(warp, mask, scope);
  }

  warpSync(warp: Warp, mask: number): void {
    this.#order.warpSync(warp, mask);
  }

  barrier(block: Block, arrivals: readonly Arrival[], waiting: readonly { warp: Warp; mask: number }[]): void {
    this.#order.barrier(block, arrivals, waiting);
  }

  /** A strong access to a place that is only used to synchronise (an mbarrier): publishes and acquires, races with nothing. */
  synchronise(warp: Warp, lane: number, physical: number, at: Instruction, publish: boolean, acquire: boolean): void {
    this.#order.tick(warp, lane);
    if (acquire) this.#order.acquire(warp, lane, physical, 'cta');
    if (publish) this.#order.publish(warp, lane, physical, 'cta', at);
  }

  /** One lane's access to `env.physical[lane]`, before its bytes change. */
  access(
    warp: Warp,
    lane: number,
    bytes: number,
    kind: AccessKind,
    strong: boolean,
    scope: Scope,
    space: Space,
    at: Instruction,
  ): void {
    const env = this.#env;
    const high = env.high[lane]!;
    if (space === 'local' || space === 'param' || space === 'const') return;
    if (space === 'generic' && (high === LOCAL_TAG || high === PARAM_TAG)) return;
    const inShared = space === 'shared' || (space === 'generic' && high === SHARED_TAG);
    const physical = env.physical[lane]!;
    const time = this.#order.tick(warp, lane);
    if (strong && kind !== 'write') this.#order.acquire(warp, lane, physical, scope);
    const first = this.#cell(physical >>> 2);
    const before = first.read;
    const polls =
      kind === 'read' && before !== undefined && before.at === at && before.warp === warp && before.lane === lane;
    const mark: Mark = { warp, lane, time, kind, strong, scope, at, polls };
    if (bytes < 4) {
      const cells = split(first);
      for (let b = 0; b < bytes; b++) this.#touch(cells[(physical + b) & 3]!, mark, physical + b, 1, inShared);
    } else {
      for (let offset = 0; offset < bytes; offset += 4) this.#touchWord(physical + offset, mark, inShared);
    }
    if (strong && kind !== 'read') this.#order.publish(warp, lane, physical, scope, at);
  }

  #cell(word: number): Cell {
    let cell = this.#cells.get(word);
    if (cell === undefined) {
      cell = emptyCell();
      this.#cells.set(word, cell);
    }
    return cell;
  }

  #touchWord(physical: number, mark: Mark, inShared: boolean): void {
    const cell = this.#cell(physical >>> 2);
    if (cell.bytes === undefined) {
      this.#touch(cell, mark, physical, 4, inShared);
      return;
    }
    for (const [b, byte] of cell.bytes.entries()) this.#touch(byte, mark, physical + b, 1, inShared);
    // A write of the whole word makes its bytes alike again.
    if (mark.kind !== 'read') {
      cell.bytes = undefined;
      remember(cell, mark);
    }
  }

  #touch(cell: Cell, mark: Mark, physical: number, bytes: number, inShared: boolean): void {
    this.#compare(cell.write, mark, inShared, physical, bytes);
    if (mark.kind !== 'read') {
      this.#compare(cell.read, mark, inShared, physical, bytes);
      this.#compare(cell.laneRead, mark, inShared, physical, bytes);
      this.#compare(cell.warpRead, mark, inShared, physical, bytes);
      this.#compare(cell.blockRead, mark, inShared, physical, bytes);
    }
    remember(cell, mark);
  }

  #compare(earlier: Mark | undefined, later: Mark, inShared: boolean, physical: number, bytes: number): void {
    if (earlier === undefined) return;
    const sameWarp = earlier.warp === later.warp;
    if (sameWarp && earlier.lane === later.lane) return;
    const sameBlock = earlier.warp.block === later.warp.block;
    // A shared area is used by one block after another.
    if (inShared && !sameBlock) return;
    if (earlier.strong && later.strong && (sameBlock || (earlier.scope !== 'cta' && later.scope !== 'cta'))) {
      const passesValue =
        inShared && sameWarp && isVolatile(earlier) && isVolatile(later) && earlier.kind !== later.kind;
      if (!passesValue || earlier.polls || later.polls) return;
    }
    if (this.#order.knows(later.warp, later.lane, earlier.warp, earlier.lane, earlier.time)) return;
    this.#suspects.push({
      earlier,
      later,
      physical,
      before: this.#env.memory.u8.slice(physical, physical + bytes),
      space: inShared ? 'shared' : 'global',
    });
  }

  /** After the transfer: reports the suspects, but for stores that changed nothing. */
  settle(): void {
    const env = this.#env;
    for (const { earlier, later, physical, before, space } of this.#suspects.splice(0)) {
      const stores = earlier.kind !== 'read' && later.kind === 'write';
      if (stores && before.every((byte, i) => env.memory.u8[physical + i] === byte)) continue;
      // Warp-synchronous code passes values through shared memory; elsewhere a warp sync would seldom be the cure.
      const sameWarp = space === 'shared' && earlier.warp === later.warp && earlier.at !== later.at;
      const first = `${env.who(earlier.warp, earlier.lane)} (${earlier.kind} at ${whereOf(earlier.at)})`;
      const second = `${env.who(later.warp, later.lane)} (${later.kind} at ${whereOf(later.at)})`;
      const allocation = space === 'global' ? env.memory.at(physical) : undefined;
      const missing = sameWarp
        ? 'lanes of a warp do not run in step; __syncwarp() is needed between them'
        : space === 'shared' || earlier.warp.block === later.warp.block
          ? 'no barrier orders them'
          : 'no fence and atomic order them';
      const address =
        allocation === undefined
          ? BigInt(physical - (space === 'shared' ? later.warp.block.sharedBase : 0))
          : allocation.address + BigInt(physical - allocation.base);
      env.fault(later.warp, later.lane, {
        kind: sameWarp ? 'missing-syncwarp' : 'race',
        message: `Race on ${space} memory between ${first} and ${second}: ${missing}.`,
        instruction: later.at,
        space,
        access: later.kind,
        bytes: before.length,
        address: `0x${address.toString(16)}`,
        allocation: allocation && {
          name: allocation.name,
          bytes: allocation.bytes,
          offset: physical - allocation.base,
        },
      });
    }
  }
}

function remember(cell: Cell, mark: Mark): void {
  if (mark.kind !== 'read') {
    cell.write = mark;
    cell.read = undefined;
    cell.laneRead = undefined;
    cell.warpRead = undefined;
    cell.blockRead = undefined;
    return;
  }
  const last = cell.read;
  if (last !== undefined && (last.warp !== mark.warp || last.lane !== mark.lane)) {
    if (last.warp === mark.warp) cell.laneRead = last;
    else if (last.warp.block === mark.warp.block) cell.warpRead = last;
    else cell.blockRead = last;
  }
  cell.read = mark;
}

/** The four bytes of a word, which remember what the word did. */
function split(cell: Cell): readonly Cell[] {
  cell.bytes ??= Array.from({ length: 4 }, () => ({ ...cell, bytes: undefined }));
  return cell.bytes;
}
