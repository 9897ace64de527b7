/**
 * Data races in shared and global memory: two accesses to the same bytes by different threads, at least one a write, not
 * both strong (atomic, volatile, relaxed or stronger, with scopes that include both threads), and neither ordered before
 * the other (happens-before.ts). A store that leaves the bytes as they were (all threads set the same flag) is not
 * reported.
 *
 * `volatile` orders nothing: where lanes of one warp pass values through volatile shared memory without a warp sync, that
 * is reported as a missing one; a volatile store that meets another volatile access, or an atomic, without an order between
 * them is reported as a race, though PTX gives both a value. Neither is when one side polls (analysis/polling.ts): a loop
 * that waits for a flag is what volatile is for.
 *
 * A load through the read-only cache (ld.global.nc) of what the same launch wrote is reported whatever orders them: PTX leaves its value undefined.
 *
 * A plain load that guesses what an atomicCAS then checks (analysis/guesses.ts) does not race with atomics.
 */
import { LOCAL_TAG, PARAM_TAG, SHARED_TAG } from '../memory-layout.ts';
import type { Instruction, Scope, Space } from '../ptx/ir.ts';
import type { Block } from './block.ts';
import type { Clock } from './clock.ts';
import { ClusterLifetime } from './cluster-lifetime.ts';
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
  /** It waits for a change: the same lane reads the place again at the same instruction, or a loop hangs on it. */
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

/** Kinds of instruction that write shared memory by the generic proxy. */
const GENERIC_WRITES: ReadonlySet<Instruction['kind']> = new Set(['memory', 'atomic', 'matrix', 'async']);

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

/** A load for memory that nobody writes while the kernel runs. */
function isNonCoherent({ at }: Mark): boolean {
  return at.kind === 'memory' && at.nonCoherent;
}

/** A volatile store that meets another volatile access or an atomic: each is done at once, and nothing says which is first. */
function takesVolatileForOrder(store: Mark, other: Mark): boolean {
  return isVolatile(store) && store.kind === 'write' && (isVolatile(other) || other.kind === 'atomic');
}

export class RaceDetector {
  readonly #env: Environment;
  readonly #order = new HappensBefore();
  /** Cells by word address. */
  readonly #cells = new Map<number, Cell>();
  readonly #suspects: Suspect[] = [];
  readonly lifetime: ClusterLifetime;

  constructor(env: Environment) {
    this.#env = env;
    this.lifetime = new ClusterLifetime(env, this.#order);
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

  /** fence.proxy.async: what was written before may be read by the asynchronous proxy. */
  proxyFence(warp: Warp): void {
    warp.block.cluster.proxyFence = this.#order.time;
  }

  /**
   * The asynchronous proxy is about to read shared memory at `env.physical[lane]`. Reported when no thread of the cluster
   * has executed fence.proxy.async since an ordinary write there.
   */
  asyncProxyRead(warp: Warp, lane: number, bytes: number, at: Instruction): void {
    const env = this.#env;
    const physical = env.physical[lane]!;
    for (let offset = 0; offset < bytes; offset += 4) {
      const cell = this.#cells.get((physical + offset) >>> 2);
      const write = cell?.write ?? cell?.bytes?.find((byte) => byte.write !== undefined)?.write;
      if (write === undefined || !GENERIC_WRITES.has(write.at.kind)) continue;
      if (write.warp.block.cluster !== warp.block.cluster || write.time <= warp.block.cluster.proxyFence) continue;
      env.fault(warp, lane, {
        kind: 'race',
        message: `${env.who(warp, lane)} lets the asynchronous proxy read at ${whereOf(at)} what ${env.who(write.warp, write.lane)} wrote at ${whereOf(write.at)}: fence.proxy.async is needed in between.`,
        instruction: at,
        space: 'shared',
        access: 'read',
        bytes,
      });
      return;
    }
  }

  /** What lanes that arrive at a cluster's barrier make known, on top of what others did. */
  publishArrival(before: Clock | undefined, warp: Warp, mask: number, relaxed: boolean): Clock | undefined {
    return this.#order.publishArrival(before, warp, mask, relaxed);
  }

  acquireArrivals(waiting: readonly { warp: Warp; mask: number }[], known: Clock | undefined): void {
    this.#order.acquireArrivals(waiting, known);
  }

  /** A strong access to a place that is only used to synchronise (an mbarrier): publishes and acquires, races with nothing. */
  synchronise(
    warp: Warp,
    lane: number,
    physical: number,
    at: Instruction,
    scope: Scope,
    publish: boolean,
    acquire: boolean,
  ): void {
    const time = this.#order.tick(warp, lane);
    this.lifetime.reach(warp, lane, time, physical, at);
    if (acquire) this.#order.acquire(warp, lane, physical, scope);
    if (publish) this.#order.publish(warp, lane, physical, scope, at);
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
    if (inShared) this.lifetime.reach(warp, lane, time, physical, at);
    if (strong && kind !== 'write') this.#order.acquire(warp, lane, physical, scope);
    const first = this.#cell(physical >>> 2);
    const before = first.read;
    const again = before !== undefined && before.at === at && before.warp === warp && before.lane === lane;
    const polls = env.polling.has(at) || (kind === 'read' && again);
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
    if (cell.write !== undefined && isNonCoherent(mark)) this.#stale(cell.write, mark, physical, bytes);
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
    const sameCluster = earlier.warp.block.cluster === later.warp.block.cluster;
    // A shared area is used by one block after another.
    if (inShared && !sameCluster) return;
    const covers = (scope: Scope): boolean => sameBlock || (scope !== 'cta' && (sameCluster || scope !== 'cluster'));
    if (earlier.strong && later.strong && covers(earlier.scope) && covers(later.scope)) {
      const meant =
        inShared && sameWarp
          ? isVolatile(earlier) && isVolatile(later) && earlier.kind !== later.kind
          : takesVolatileForOrder(earlier, later) || takesVolatileForOrder(later, earlier);
      if (!meant || earlier.polls || later.polls) return;
    }
    if (this.#guessed(earlier, later) || this.#guessed(later, earlier)) return;
    if (this.#order.knows(later.warp, later.lane, earlier.warp, earlier.lane, earlier.time)) return;
    this.#suspects.push({
      earlier,
      later,
      physical,
      before: this.#env.memory.u8.slice(physical, physical + bytes),
      space: inShared ? 'shared' : 'global',
    });
  }

  /** No order helps: the read-only cache may keep what was there before the kernel began, also for the thread that wrote. */
  #stale(write: Mark, read: Mark, physical: number, bytes: number): void {
    const env = this.#env;
    const writer = write.warp === read.warp && write.lane === read.lane ? 'it' : env.who(write.warp, write.lane);
    const allocation = env.memory.at(physical);
    env.fault(read.warp, read.lane, {
      kind: 'stale-read',
      message: `${env.who(read.warp, read.lane)} reads at ${whereOf(read.at)} what ${writer} wrote at ${whereOf(write.at)} in the same launch, by a load through the read-only cache (__ldg, or const __restrict__), which may still hold the old value.`,
      instruction: read.at,
      space: 'global',
      access: 'read',
      bytes,
      allocation: allocation && { name: allocation.name, bytes: allocation.bytes, offset: physical - allocation.base },
    });
  }

  /** A plain load that a compare-and-swap checks may be outrun by another thread's atomic. */
  #guessed(read: Mark, other: Mark): boolean {
    return read.kind === 'read' && other.kind === 'atomic' && this.#env.guesses.has(read.at);
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
        : earlier.warp.block === later.warp.block
          ? 'no barrier orders them'
          : space === 'shared'
            ? 'no cluster barrier (cluster.sync()) orders them'
            : 'no fence and atomic order them';
      const address =
        allocation === undefined
          ? BigInt(physical - (space === 'shared' ? this.#sharedBase(later, physical) : 0))
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

  /** Where the shared area starts that an access went to. */
  #sharedBase({ warp }: Mark, physical: number): number {
    const { block } = warp;
    return (block.cluster.ownerOf(physical, this.#env.sharedBytes) ?? block).sharedBase;
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
