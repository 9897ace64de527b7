/**
 * What an access makes of a stamp (layout.ts), as WebAssembly: the general case of the inline tests in stamps.ts. Whatever
 * is not proved ordered or harmless here calls `suspect`, which ends the launch; the interpreter then decides.
 */
import { ARENA } from '../arena.ts';
import type { Unit } from '../unit.ts';
import type { FunctionRef } from '../wasm/encoder.ts';
import { CODE, GLOBAL_EPOCH, KIND, LANE_BITS, PHASE_BITS, RACE, SHARED_EPOCH, WARP_BITS } from './layout.ts';

/** `warp-read`: by several lanes of one warp at once. */
export type Touch = 'read' | 'write' | 'atomic' | 'warp-read';
export type StampedSpace = 'shared' | 'global';

/** The stamp of an access to what nothing has touched. */
export const FRESH: Readonly<Record<Touch, number>> = {
  read: KIND.read,
  write: KIND.write,
  atomic: KIND.atomic,
  'warp-read': KIND.warpRead,
};

/** Stamps without a time, of places that several blocks share. */
const READ_BY_BLOCKS = KIND.blocks | CODE.read;
const UPDATED_BY_BLOCKS = KIND.blocks | CODE.atomic;

/** transition(address of the stamp, own stamp of kind 0): stores the new stamp, or suspects a race. */
export function transition(unit: Unit, suspect: FunctionRef, space: StampedSpace, touch: Touch): FunctionRef {
  return unit.helper(`stamp.${space}.${touch}`, ['i32', 'i32'], [], (code) => {
    const [address, mine] = [0, 1];
    const [stamp, difference, kind] = [code.local('i32'), code.local('i32'), code.local('i32')] as const;
    const put = (push: () => void): void => {
      code.get(address);
      push();
      code.memory('i32.store').op('return');
    };
    const putMine = (as: number): void =>
      put(() => {
        code.get(mine);
        if (as !== 0) code.i32(as).op('i32.or');
      });
    const accuse = (): void => {
      code.get(address).get(stamp).get(mine).call(suspect).op('unreachable');
    };
    const isKind = (...kinds: readonly number[]): void => {
      code
        .i32(kinds.reduce((set, each) => set | (1 << each), 0))
        .get(kind)
        .op('i32.shr_u')
        .i32(1)
        .op('i32.and');
    };
    /** The stamp, its time aside, is this kind and code. */
    const is = (value: number): void => {
      code
        .get(stamp)
        .i32(GLOBAL_EPOCH - 1)
        .op('i32.and')
        .i32(value)
        .op('i32.eq');
    };
    const reads = touch === 'read' || touch === 'warp-read';
    const global = space === 'global';
    code.get(address).memory('i32.load').tee(stamp).get(mine).op('i32.xor').set(difference);
    code.get(stamp).i32(7).op('i32.and').set(kind);

    // Nothing that counts has happened here.
    if (global) code.get(stamp).op('i32.eqz').if();
    else code.get(difference).i32(22).op('i32.shr_u').if();
    putMine(FRESH[touch]);
    code.end();

    if (global) {
      isKind(KIND.blocks);
      code.if();
      if (touch !== 'write') {
        is(reads ? READ_BY_BLOCKS : UPDATED_BY_BLOCKS);
        code.if();
        code.op('return').end();
      }
      accuse();
      code.end();
      // An earlier block: no barrier orders it.
      code
        .get(stamp)
        .globalGet(unit.arena)
        .memory('i32.load', ARENA.races + RACE.firstEpoch)
        .op('i32.lt_u')
        .if();
      if (touch !== 'write') {
        isKind(...(reads ? [KIND.read, KIND.warpRead] : [KIND.atomic]));
        is(KIND.several | (reads ? CODE.read : CODE.atomic));
        code.op('i32.or').if();
        put(() => code.i32(reads ? READ_BY_BLOCKS : UPDATED_BY_BLOCKS));
        code.end();
      }
      accuse();
      code.end();
      code.get(difference).i32(13).op('i32.shr_u').if();
    } else {
      // The same warp, in an earlier phase.
      code.get(difference).i32(WARP_BITS).op('i32.and').op('i32.eqz');
      code.get(difference).i32(PHASE_BITS).op('i32.and').i32(0).op('i32.ne').op('i32.and');
      code.get(kind).i32(KIND.several).op('i32.lt_u').op('i32.and').if();
    }
    ordered();
    code.end();
    concurrent();

    /** The stamp is of accesses that are ordered before this one, in the same block. */
    function ordered(): void {
      if (touch === 'write') {
        putMine(KIND.write);
        return;
      }
      isKind(...(reads ? [KIND.read, KIND.warpRead] : [KIND.atomic]));
      is(KIND.several | (reads ? CODE.read : CODE.atomic));
      code.op('i32.or').if();
      putMine(FRESH[touch]);
      code.end();
      // An atomic after plain accesses counts as one itself.
      putMine(touch === 'atomic' ? KIND.write : touch === 'read' ? KIND.readWritten : KIND.warpReadWritten);
    }

    /** Same block, same epoch (and same phase if same warp). */
    function concurrent(): void {
      const own = (): void => {
        code.get(difference).i32(4).op('i32.lt_u').if();
      };
      if (touch === 'write') {
        own();
        putMine(KIND.write);
        code.end();
        accuse();
        return;
      }
      /** Several warps, in this epoch. */
      const several = (what: number): void =>
        put(() =>
          code
            .get(mine)
            .i32(global ? -GLOBAL_EPOCH : -SHARED_EPOCH)
            .op('i32.and')
            .i32(KIND.several | what)
            .op('i32.or'),
        );
      if (touch === 'atomic') {
        own();
        isKind(KIND.atomic);
        code.if();
        code.op('return').end();
        putMine(KIND.write);
        code.end();
        isKind(KIND.atomic);
        is(KIND.several | CODE.atomic);
        code.op('i32.or').if();
        several(CODE.atomic);
        code.end();
        accuse();
        return;
      }
      if (touch === 'read') {
        own();
        isKind(KIND.atomic);
        code.if();
        putMine(KIND.write);
        code.end().op('return').end();
      }
      for (const written of [false, true]) {
        isKind(...(written ? [KIND.readWritten, KIND.warpReadWritten] : [KIND.read, KIND.warpRead]));
        code.if();
        code.get(difference).i32(WARP_BITS).op('i32.and').op('i32.eqz').if();
        put(() =>
          code
            .get(mine)
            .i32(~LANE_BITS)
            .op('i32.and')
            .i32(written ? KIND.warpReadWritten : KIND.warpRead)
            .op('i32.or'),
        );
        code.end();
        // In shared memory the write is of this epoch, by another warp.
        if (!written) several(CODE.read);
        else if (global) several(CODE.readWritten);
        else accuse();
        code.end();
      }
      is(KIND.several | CODE.read);
      is(KIND.several | CODE.readWritten);
      code.op('i32.or').if();
      code.op('return').end();
      accuse();
    }
  });
}
