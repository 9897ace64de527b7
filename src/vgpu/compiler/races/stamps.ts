/**
 * Code that stamps accesses: called after an access has been decided, with its place in memory. The common cases are
 * tested here, a group of lanes at once; the rest is transitions.ts.
 */
import { GLOBAL_TAG, SHARED_TAG } from '../../memory-layout.ts';
import type { Atomic, Instruction, MemoryAccess, Space } from '../../ptx/ir.ts';
import { TYPE_BYTES } from '../../ptx/ir.ts';
import { ARENA } from '../arena.ts';
import type { Unit } from '../unit.ts';
import type { FunctionBuilder, FunctionRef } from '../wasm/encoder.ts';
import {
  CODE,
  GLOBAL_EPOCH,
  KIND,
  LANE_BITS,
  PHASE,
  PHASE_BITS,
  RACE,
  SHARED_EPOCH,
  THREAD_SHIFT,
  WARP_BITS,
} from './layout.ts';
import { type PointerOrigins, pointerOrigins } from './origins.ts';
import { type StampedSpace, type Touch, transition } from './transitions.ts';

/** What a compilation must know of the launches that it is for. */
export interface RaceOptions {
  /** Sources of pointers (origins.ts) into allocations that a launch may write; accesses by other pointers cannot race. */
  readonly written: ReadonlySet<number>;
  /** An access by a pointer of unknown origin may fall into what is written. */
  readonly anywhere: boolean;
}

/** Lanes of a group differ by one thread each. */
const THREAD = 1 << THREAD_SHIFT;

export class RaceStamps {
  readonly usesShared: boolean;
  readonly usesGlobal: boolean;
  /** Stamps a 4-byte word, as a shift. */
  readonly sharedScale: number;
  readonly globalScale: number;
  private readonly phases: boolean;
  private readonly origins: PointerOrigins;
  private readonly suspect: FunctionRef;

  constructor(
    private readonly unit: Unit,
    private readonly options: RaceOptions,
  ) {
    const { kernel } = unit.flow;
    this.origins = pointerOrigins(kernel);
    this.phases = kernel.instructions.some((item) => item.kind === 'warp' && item.members !== undefined);
    const narrowest = (space: StampedSpace): number =>
      kernel.instructions.reduce((least, item) => {
        if (item.kind !== 'memory' && item.kind !== 'atomic') return least;
        const inSpace = space === 'shared' ? this.mayBeShared(item.space) : this.isStamped(item);
        return inSpace ? Math.min(least, TYPE_BYTES[item.type] * item.vector) : least;
      }, Number.POSITIVE_INFINITY);
    const [shared, global] = [narrowest('shared'), narrowest('global')];
    this.usesShared = shared !== Number.POSITIVE_INFINITY;
    this.usesGlobal = global !== Number.POSITIVE_INFINITY;
    this.sharedScale = 2 - Math.log2(Math.min(shared, 4));
    this.globalScale = 2 - Math.log2(Math.min(global, 4));
    this.suspect = unit.wasm.importFunction('host', 'suspect', ['i32', 'i32', 'i32'], []);
  }

  private mayBeShared(space: Space): boolean {
    return (space === 'shared' || space === 'generic') && this.unit.options.sharedBytes > 0;
  }

  /** True when an access to global memory has to be stamped. */
  private isStamped(instruction: Instruction): boolean {
    if (instruction.kind !== 'memory' && instruction.kind !== 'atomic') return false;
    if (instruction.space !== 'global' && instruction.space !== 'generic') return false;
    const address = instruction.src[0];
    if (address?.kind !== 'address') return true;
    const sources = this.origins.of(address.base);
    return sources === undefined ? this.options.anywhere : sources.some((source) => this.options.written.has(source));
  }

  /** The kind of touch an instruction is. An atomic of block scope counts as a plain write where other blocks may come. */
  private touchOf(instruction: Instruction, space: StampedSpace): Touch {
    if (instruction.kind === 'atomic') return space === 'global' && instruction.scope === 'cta' ? 'write' : 'atomic';
    return (instruction as MemoryAccess).op === 'st' ? 'write' : 'read';
  }

  /** Which memory an access of one space must be stamped in; undefined for none. */
  stampedSpace(instruction: Instruction): StampedSpace | undefined {
    const { space } = instruction as MemoryAccess;
    if (space === 'shared') return this.mayBeShared(space) ? 'shared' : undefined;
    return space === 'global' && this.isStamped(instruction) ? 'global' : undefined;
  }

  /**
   * Stamps the access at the local `place` by the thread in the local `thread`, or by `lanes` threads from it on that all
   * access the same place. `pushTag` pushes the high word of the address, for generic ones.
   */
  touch(
    code: FunctionBuilder,
    instruction: MemoryAccess | Atomic,
    bytes: number,
    place: number,
    thread: number,
    lanes: number,
    pushTag: () => void,
  ): void {
    const call = (space: StampedSpace): void => {
      const touch = this.touchOf(instruction, space);
      if (lanes > 1 && touch === 'read') {
        code.get(place).get(thread).call(this.warpRead(space, bytes));
        return;
      }
      code
        .get(place)
        .get(thread)
        .call(this.lane(space, touch, bytes));
      // Two threads are as good as all for what cannot be done together.
      if (lanes > 1)
        code
          .get(place)
          .get(thread)
          .i32(1)
          .op('i32.add')
          .call(this.lane(space, touch, bytes));
    };
    if (instruction.space !== 'generic') {
      const space = this.stampedSpace(instruction);
      if (space) call(space);
      return;
    }
    const [shared, global] = [this.mayBeShared('generic'), this.isStamped(instruction)];
    if (shared) {
      pushTag();
      code.i32(SHARED_TAG).op('i32.eq').if();
      call('shared');
      code.end();
    }
    if (global) {
      // Tags above the windows' are global.
      pushTag();
      code.i32(GLOBAL_TAG).op('i32.ge_u').if();
      call('global');
      code.end();
    }
  }

  /** (place, thread): stamps the access of one thread to consecutive bytes. */
  lane(space: StampedSpace, touch: Touch, bytes: number): FunctionRef {
    return this.unit.helper(`race.${space}.${touch}.${bytes}`, ['i32', 'i32'], [], (code) => {
      const { address, mine } = this.begin(code, space);
      const slow = transition(this.unit, this.suspect, space, touch);
      const [stamp, difference] = [code.local('i32'), code.local('i32')];
      for (let at = 0; at < this.count(space, bytes); at++) {
        code
          .get(address)
          .memory('i32.load', 4 * at)
          .tee(stamp)
          .get(mine)
          .op('i32.xor')
          .tee(difference);
        if (touch === 'write') {
          // One's own, or nothing that counts.
          if (space === 'shared')
            code
              .i32(4)
              .op('i32.sub')
              .i32(SHARED_EPOCH - 4)
              .op('i32.ge_u');
          else code.i32(4).op('i32.lt_u').get(stamp).op('i32.eqz').op('i32.or');
          code.if();
          code
            .get(address)
            .get(mine)
            .i32(KIND.write)
            .op('i32.or')
            .memory('i32.store', 4 * at)
            .else();
        } else {
          // A read after one's own atomic update counts.
          if (touch === 'read') code.i32(KIND.atomic).op('i32.ge_u').if();
          else code.op('drop').i32(1).if();
        }
        code
          .get(address)
          .i32(4 * at)
          .op('i32.add')
          .get(mine)
          .call(slow)
          .end();
      }
    });
  }

  /** (place, first thread): several lanes of one warp read the same bytes. */
  warpRead(space: StampedSpace, bytes: number): FunctionRef {
    return this.unit.helper(`race.${space}.warp-read.${bytes}`, ['i32', 'i32'], [], (code) => {
      // The lane's place is empty in stamps of several lanes.
      code.get(1).i32(~31).op('i32.and').set(1);
      const { address, mine } = this.begin(code, space);
      const slow = transition(this.unit, this.suspect, space, 'warp-read');
      const several = code.local('i32');
      this.pushReadBySeveral(code, space);
      code.set(several);
      const slowly = (word: number): void => {
        code
          .get(address)
          .i32(4 * word)
          .op('i32.add')
          .get(mine)
          .call(slow);
      };
      const own = (): FunctionBuilder => code.get(mine).i32(KIND.warpRead).op('i32.or');
      const count = this.count(space, bytes);
      const stamp = code.local('v128');
      let word = 0;
      for (; word + 4 <= count; word += 4) {
        // Four alike: read so before, or nothing that counts.
        code
          .get(address)
          .memory('v128.load', 4 * word, 2)
          .tee(stamp);
        own().op('i32x4.splat').op('i32x4.eq').get(stamp).get(several).op('i32x4.splat').op('i32x4.eq');
        code.op('v128.or').op('i32x4.all_true').op('i32.eqz').if();
        pushIdle(code, space, stamp, () => code.get(mine).op('i32x4.splat'));
        code.op('i32x4.all_true').if();
        code.get(address);
        own()
          .op('i32x4.splat')
          .memory('v128.store', 4 * word, 2);
        code.else();
        for (let k = 0; k < 4; k++) slowly(word + k);
        code.end().end();
      }
      const single = code.local('i32');
      for (; word < count; word++) {
        code
          .get(address)
          .memory('i32.load', 4 * word)
          .tee(single);
        own().op('i32.ne').get(single).get(several).op('i32.ne').op('i32.and').if();
        slowly(word);
        code.end();
      }
    });
  }

  /** (place, first thread): lanes that access consecutive elements of `bytes` bytes. */
  vector(space: StampedSpace, touch: 'read' | 'write', bytes: number, lanes: number): FunctionRef {
    return this.unit.helper(`race.${space}.${touch}.${bytes}x${lanes}`, ['i32', 'i32'], [], (code) => {
      if (this.scale(space) !== 0) {
        const single = this.lane(space, touch, bytes);
        for (let lane = 0; lane < lanes; lane++)
          code
            .get(0)
            .i32(lane * bytes)
            .op('i32.add')
            .get(1)
            .i32(lane)
            .op('i32.add')
            .call(single);
        return;
      }
      const { address, mine } = this.begin(code, space);
      const [stamp, own, difference, idle, several] = [0, 0, 0, 0, 0].map(() => code.local('v128')) as [
        number,
        number,
        number,
        number,
        number,
      ];
      const reads = touch === 'read';
      if (reads && space === 'shared') {
        this.pushReadBySeveral(code, space);
        code.op('i32x4.splat').set(several);
      }
      const slowly = reads ? this.readFour(space) : this.four(space, touch);
      const laneOf = (word: number): number => Math.floor((4 * word) / bytes);
      const chunks = (lanes * bytes) / 16;
      for (let first = 0; first < chunks; first += 4) {
        const last = Math.min(first + 4, chunks);
        // Tiles are read by warp after warp: then there is nothing to do for most.
        if (reads && space === 'shared') {
          for (let chunk = first; chunk < last; chunk++) {
            code
              .get(address)
              .memory('v128.load', 16 * chunk, 2)
              .get(several)
              .op('i32x4.eq');
            if (chunk > first) code.op('v128.and');
          }
          code.op('i32x4.all_true').op('i32.eqz').if();
        }
        for (let chunk = first; chunk < last; chunk++) stampChunk(chunk);
        if (reads && space === 'shared') code.end();
      }

      function stampChunk(chunk: number): void {
        code
          .get(address)
          .memory('v128.load', 16 * chunk, 2)
          .set(stamp);
        code.get(mine).op('i32x4.splat');
        code
          .v128([0, 1, 2, 3].map((k) => THREAD * laneOf(4 * chunk + k)))
          .op('i32x4.add')
          .set(own);
        code.get(stamp).get(own).op('v128.xor').set(difference);
        pushIdle(code, space, stamp, () => code.get(own));
        code.tee(idle).get(difference);
        code
          .splat32(reads ? KIND.atomic : 4)
          .op('i32x4.lt_u')
          .op('v128.or');
        code.op('i32x4.all_true').if();
        code.get(address);
        if (reads) code.get(own).get(stamp).get(idle).op('v128.bitselect');
        else code.get(own).splat32(KIND.write).op('v128.or');
        code.memory('v128.store', 16 * chunk, 2).else();
        code
          .get(address)
          .i32(16 * chunk)
          .op('i32.add')
          .get(own)
          .call(slowly);
        code.end();
      }
    });
  }

  /** (address of stamps, own stamps): four stamps of a vector access, one by one. */
  private four(space: StampedSpace, touch: Touch): FunctionRef {
    return this.unit.helper(`race.${space}.${touch}.four`, ['i32', 'v128'], [], (code) => {
      const slow = transition(this.unit, this.suspect, space, touch);
      for (let k = 0; k < 4; k++)
        code
          .get(0)
          .i32(4 * k)
          .op('i32.add')
          .get(1)
          .lane('i32x4.extract_lane', k)
          .call(slow);
    });
  }

  /** The same for reads: at once where nobody has written in this epoch, as when tiles are read by row after row. */
  private readFour(space: StampedSpace): FunctionRef {
    return this.unit.helper(`race.${space}.read.four.mixed`, ['i32', 'v128'], [], (code) => {
      const [address, own] = [0, 1];
      const [stamp, difference, kind, several, idle, kept, result, warpRead] = Array.from({ length: 8 }, () =>
        code.local('v128'),
      ) as [number, number, number, number, number, number, number, number];
      code.get(address).memory('v128.load', 0, 2).tee(stamp).get(own).op('v128.xor').set(difference);
      code.get(stamp).splat32(7).op('v128.and').set(kind);
      this.pushReadBySeveral(code, space);
      code.op('i32x4.splat').set(several);
      pushIdle(code, space, stamp, () => code.get(own));
      code.set(idle);
      // One's own, and those of several warps, stay as they are.
      code.get(difference).splat32(KIND.atomic).op('i32x4.lt_u');
      code.get(stamp).get(several).op('i32x4.eq').op('v128.or').set(kept);
      code.get(kind).splat32(KIND.read).op('i32x4.eq').get(kind).splat32(KIND.warpRead).op('i32x4.eq').op('v128.or');
      // Global stamps must be of this epoch; those of shared memory are, or they are idle.
      if (space === 'global') code.get(difference).splat32(GLOBAL_EPOCH).op('i32x4.lt_u').op('v128.and');
      code.get(kept).op('v128.or').get(idle).op('v128.or').op('i32x4.all_true').if();
      code.get(own).splat32(~LANE_BITS).op('v128.and').splat32(KIND.warpRead).op('v128.or').set(warpRead);
      if (space === 'shared' && this.phases) {
        // What the warp read in an earlier phase is ordered before this.
        code.get(warpRead).get(own);
        code.get(difference).splat32(PHASE_BITS).op('v128.and').splat32(0).op('i32x4.eq');
        code.op('v128.bitselect').set(warpRead);
      }
      code.get(warpRead).get(several);
      code.get(difference).splat32(WARP_BITS).op('v128.and').splat32(0).op('i32x4.eq');
      code.op('v128.bitselect').set(result);
      code.get(address);
      code.get(own);
      code.get(stamp).get(result).get(kept).op('v128.bitselect');
      code.get(idle).op('v128.bitselect').memory('v128.store', 0, 2).else();
      code.get(address).get(own).call(this.four(space, 'read')).end();
    });
  }

  private scale(space: StampedSpace): number {
    return space === 'shared' ? this.sharedScale : this.globalScale;
  }

  /** Stamps of an access. */
  private count(space: StampedSpace, bytes: number): number {
    return (bytes << this.scale(space)) >> 2;
  }

  /** The address of the first stamp and the thread's own stamp, of kind 0, in new locals; parameters are place and thread. */
  private begin(code: FunctionBuilder, space: StampedSpace): { address: number; mine: number } {
    const [arena, address, mine] = [code.local('i32'), code.local('i32'), code.local('i32')] as const;
    const shared = space === 'shared';
    code.globalGet(this.unit.arena).set(arena);
    code.get(0);
    const scale = this.scale(space);
    if (scale > 0) code.i32(scale).op('i32.shl');
    code.get(arena).memory('i32.load', ARENA.races + (shared ? RACE.sharedStamps : RACE.globalStamps));
    code.op('i32.add').set(address);
    code.get(arena).memory('i32.load', ARENA.races + (shared ? RACE.sharedEpoch : RACE.globalEpoch));
    if (shared && this.phases) {
      code.get(arena).get(1).i32(5).op('i32.shr_u').i32(2).op('i32.shl').op('i32.add');
      code.memory('i32.load', ARENA.races + RACE.phases).op('i32.or');
    }
    code.get(1).i32(THREAD_SHIFT).op('i32.shl').op('i32.or').set(mine);
    return { address, mine };
  }

  private pushReadBySeveral(code: FunctionBuilder, space: StampedSpace): void {
    code.globalGet(this.unit.arena);
    code.memory('i32.load', ARENA.races + (space === 'shared' ? RACE.sharedEpoch : RACE.globalEpoch));
    code.i32(KIND.several | CODE.read).op('i32.or');
  }

  /** A barrier of the whole block, or the start of one: a new epoch. */
  nextEpoch(): FunctionRef {
    return this.unit.helper('race.epoch', [], [], (code) => {
      const [arena, epoch] = [code.local('i32'), code.local('i32')] as const;
      code.globalGet(this.unit.arena).set(arena);
      if (this.usesShared) {
        code
          .get(arena)
          .memory('i32.load', ARENA.races + RACE.sharedEpoch)
          .i32(SHARED_EPOCH)
          .op('i32.add');
        code.tee(epoch).op('i32.eqz').if();
        // The count begins anew: no stamp of the last round may be taken for one of this.
        code
          .get(arena)
          .memory('i32.load', ARENA.races + RACE.sharedStart)
          .i32(0);
        code
          .get(arena)
          .memory('i32.load', ARENA.races + RACE.sharedBytes)
          .memoryFill();
        code.i32(SHARED_EPOCH).set(epoch).end();
        code
          .get(arena)
          .get(epoch)
          .memory('i32.store', ARENA.races + RACE.sharedEpoch);
      }
      if (!this.usesGlobal) return;
      code
        .get(arena)
        .memory('i32.load', ARENA.races + RACE.globalEpoch)
        .i32(GLOBAL_EPOCH)
        .op('i32.add');
      code.tee(epoch).if();
      code
        .get(arena)
        .get(epoch)
        .memory('i32.store', ARENA.races + RACE.globalEpoch)
        .else();
      code.call(this.unit.wasm.importFunction('host', 'sweepEpochs', [], [])).end();
    });
  }

  /** A block starts: what was stamped in global memory is of earlier ones. */
  nextBlock(): FunctionRef {
    return this.unit.helper('race.block', [], [], (code) => {
      code.call(this.nextEpoch());
      if (!this.usesGlobal) return;
      code
        .globalGet(this.unit.arena)
        .globalGet(this.unit.arena)
        .memory('i32.load', ARENA.races + RACE.globalEpoch);
      code.memory('i32.store', ARENA.races + RACE.firstEpoch);
    });
  }

  /** (first thread of a warp): all its lanes have synchronised. */
  nextPhase(): FunctionRef {
    return this.unit.helper('race.phase', ['i32'], [], (code) => {
      const [place, phase] = [code.local('i32'), code.local('i32')] as const;
      code.globalGet(this.unit.arena).get(0).i32(5).op('i32.shr_u').i32(2).op('i32.shl').op('i32.add').set(place);
      code
        .get(place)
        .memory('i32.load', ARENA.races + RACE.phases)
        .i32(PHASE)
        .op('i32.add')
        .tee(phase);
      code.i32(SHARED_EPOCH).op('i32.lt_u').if();
      code
        .get(place)
        .get(phase)
        .memory('i32.store', ARENA.races + RACE.phases)
        .else();
      code
        .get(0)
        .i32(5)
        .op('i32.shr_u')
        .call(this.unit.wasm.importFunction('host', 'sweepPhase', ['i32'], []))
        .end();
    });
  }
}

/** Pushes a mask of the stamps in a vector that count no more, or not yet. */
function pushIdle(code: FunctionBuilder, space: StampedSpace, stamp: number, own: () => void): void {
  code.get(stamp);
  if (space === 'global') {
    code.splat32(0).op('i32x4.eq');
    return;
  }
  own();
  code
    .op('v128.xor')
    .splat32(SHARED_EPOCH - 1)
    .op('i32x4.gt_u');
}
