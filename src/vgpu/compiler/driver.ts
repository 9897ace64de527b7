/**
 * The block loop in WebAssembly. `run(block, end)` runs blocks of consecutive indices as long as all threads of a group
 * (the block, or each warp where the kernel has warp-wide operations) stop at the same points and all groups meet at
 * plain barriers. Otherwise it stops and leaves the block to the scheduler in JavaScript, which handles every case.
 *
 * Result: -1 when all blocks are done; else the group that needs the scheduler, whose point is in the arena's `groups`
 * (0xffffffff: its threads differ); the block's index is the exported global `block`.
 */
import type { SharedRegion } from '../loader.ts';
import { POISON_BYTE } from '../memory-layout.ts';
import { ARENA } from './arena.ts';
import { resetCopies } from './scalar/async-copy.ts';
import type { Unit } from './unit.ts';
import type { FunctionBuilder, FunctionRef } from './wasm/encoder.ts';

/** What the driver does at a sync point, in the arena's `actions`. Barrier b is BARRIER + b. */
export const ACTION = { schedule: 0, exchange: 1, barrier: 2 } as const;

/** Shadow of the words between shared variables: a colour and nothing initialised. */
const GAP = 0xf0;

/** Regions are at table index = point number; a point's exchange is that many further on. */
export function emitDriver(unit: Unit, group: number, exchangeBase: number): FunctionBuilder {
  const { wasm, threads } = unit;
  const block = wasm.global('i32');
  wasm.exportGlobal('block', block);
  const regionType = wasm.type(['i32', 'i32'], ['i32']);
  const exchangeType = wasm.type(['i32'], []);
  const code = wasm.function('run', ['i32'], ['i32']);
  const end = 0;
  const [arena, g, point, first, last, live, barrier, action] = [0, 0, 0, 0, 0, 0, 0, 0].map(() =>
    code.local('i32'),
  ) as [number, number, number, number, number, number, number, number];
  const groups = Math.ceil(threads / group);
  const prepare = emitPrepare(unit);
  const groupState = (): void => {
    code.get(arena).get(g).i32(2).op('i32.shl').op('i32.add');
  };
  code.globalGet(unit.arena).set(arena);
  const blocks = code.loop();
  const finished = code.block();
  code.globalGet(block).get(end).op('i32.ge_u').if();
  code.i32(-1).op('return').end();
  code.globalGet(block).call(prepare);
  code.i32(0).set(g);
  const reset = code.loop();
  groupState();
  code.i32(1).memory('i32.store', ARENA.groups);
  code.get(g).i32(1).op('i32.add').tee(g).i32(groups).op('i32.lt_u').brIf(reset).end();

  const phases = code.loop();
  if (unit.races) code.call(unit.races.nextEpoch());
  code.i32(0).set(live).i32(-1).set(barrier).i32(0).set(g);
  const eachGroup = code.loop();
  const nextGroup = code.block();
  groupState();
  code.memory('i32.load', ARENA.groups).tee(point).op('i32.eqz').brIf(nextGroup);
  code.get(g).i32(group).op('i32.mul').tee(first).i32(group).op('i32.add').set(last);
  if (groups * group > threads)
    code.get(last).i32(threads).get(last).i32(threads).op('i32.lt_u').op('select').set(last);
  const stopped = code.block();
  const run = code.loop();
  code.get(first).get(last).get(point).callIndirect(regionType).tee(point).i32(0).op('i32.le_s').brIf(stopped);
  code.get(arena).get(point).op('i32.add').memory('i32.load8_u', ARENA.actions).tee(action);
  code.i32(ACTION.exchange).op('i32.ne').brIf(stopped);
  if (threads % 32 !== 0) code.get(last).get(first).op('i32.sub').i32(32).op('i32.ne').brIf(stopped);
  code.get(first).get(point).i32(exchangeBase).op('i32.add').callIndirect(exchangeType);
  code.br(run).end().end();
  groupState();
  code.get(point).memory('i32.store', ARENA.groups);
  code.get(point).op('i32.eqz').brIf(nextGroup);
  // Threads that differ, a point that is not a plain barrier, or another one than the other groups'.
  code.get(point).i32(0).op('i32.lt_s').if();
  code.get(g).op('return').end();
  code.get(action).i32(ACTION.barrier).op('i32.lt_u').if();
  code.get(g).op('return').end();
  code.get(barrier).i32(-1).op('i32.ne').get(barrier).get(point).op('i32.ne').op('i32.and').if();
  code.get(g).op('return').end();
  code.get(point).set(barrier).i32(1).set(live).end();
  code.get(g).i32(1).op('i32.add').tee(g).i32(groups).op('i32.lt_u').brIf(eachGroup).end();
  code.get(live).brIf(phases).end();
  code.br(finished).end();
  code.globalGet(block).i32(1).op('i32.add').globalSet(block);
  // The budget is checked between blocks as well as at back edges.
  code.get(arena).memory('i64.load', ARENA.budget).i64(0n).op('i64.lt_s').rarely();
  code.call(unit.outOfBudget).end();
  code.br(blocks).end().op('unreachable');
  return code;
}

/** Shared memory that cooperative groups find zero and initialised; `shared` is the local of the area's start. */
function zeroReserved(code: FunctionBuilder, { start, end }: SharedRegion, shared: number): void {
  code
    .get(shared)
    .i32(start)
    .op('i32.add')
    .i32(0)
    .i32(end - start)
    .memoryFill();
  code.get(shared).i32(start).op('i32.add').i32(2).op('i32.shr_u').i32(0x0f);
  code.i32((end - start + 3) >>> 2).memoryFill();
}

/** prepare(block): the block's index in the arena, shared and local memory poisoned and uninitialised. */
function emitPrepare(unit: Unit): FunctionRef {
  const code = unit.wasm.function('prepare', ['i32'], []);
  const arena = code.local('i32');
  const rest = code.local('i32');
  const start = code.local('i32');
  const load = (offset: number): void => {
    code.get(arena).memory('i32.load', offset);
  };
  code.globalGet(unit.arena).set(arena);
  code.get(arena).get(0);
  load(ARENA.nctaid);
  code.op('i32.rem_u').memory('i32.store', ARENA.ctaid);
  code.get(0);
  load(ARENA.nctaid);
  code.op('i32.div_u').set(rest);
  code.get(arena).get(rest);
  load(ARENA.nctaid + 4);
  code.op('i32.rem_u').memory('i32.store', ARENA.ctaid + 4);
  code.get(arena).get(rest);
  load(ARENA.nctaid + 4);
  code.op('i32.div_u').memory('i32.store', ARENA.ctaid + 8);
  for (const [offset, bytes] of [
    [ARENA.shared, unit.options.sharedBytes],
    [ARENA.local, unit.localStride * unit.threads],
  ] as const) {
    if (bytes === 0) continue;
    load(offset);
    code.tee(start).i32(POISON_BYTE).i32(bytes).memoryFill();
    code
      .get(start)
      .i32(2)
      .op('i32.shr_u')
      .i32(0)
      .i32((bytes + 3) >>> 2)
      .memoryFill();
    if (offset !== ARENA.shared) continue;
    if (unit.reservedShared) zeroReserved(code, unit.reservedShared, start);
    if (!unit.options.checked) continue;
    // Words between variables wear a colour, which no access to shared memory passes inline.
    for (const gap of unit.sharedGaps) {
      const [first, end] = [gap.start >>> 2, (gap.end + 3) >>> 2];
      code.get(start).i32(2).op('i32.shr_u').i32(first).op('i32.add');
      code
        .i32(GAP)
        .i32(end - first)
        .memoryFill();
    }
  }
  code.get(arena).get(arena).memory('i64.load', ARENA.budget).memory('i64.store', ARENA.blockStart);
  if (unit.races) code.call(unit.races.nextBlock());
  if (unit.copyQueueOffset !== undefined) resetCopies(code, unit);
  unit.wasm.exportFunction('prepare', code);
  return code;
}
