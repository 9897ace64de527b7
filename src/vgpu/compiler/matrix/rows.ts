/**
 * ldmatrix and stmatrix of a whole warp: each lane's address names a row of 16 bytes, which is four lanes of a register;
 * transposed, the rows of a matrix are its columns.
 */
import type { Matrix } from '../../ptx/ir.ts';
import { ARENA } from '../arena.ts';
import { CannotCompile } from '../cannot-compile.ts';
import { plainAccess } from '../plain-access.ts';
import { ScalarContext } from '../scalar/context.ts';
import { addressOperand, pushPlace } from '../scalar/memory.ts';
import type { Unit } from '../unit.ts';
import type { FunctionBuilder, FunctionRef } from '../wasm/encoder.ts';
import { loadLane } from './lanes.ts';
import { fragmentResults, fragmentSources } from './plan.ts';
import { WorkArea } from './work-area.ts';

export function emitRows(unit: Unit, number: number, instruction: Matrix): FunctionBuilder {
  const store = instruction.op === 'stmatrix';
  const { count } = instruction;
  const shape = { registers: count, type: 'b32' } as const;
  const code = unit.wasm.function(`exchange${number}`, ['i32'], []);
  const [lane, arena, shared, thread] = [0, 0, 0, 0].map(() => code.local('i32')) as [number, number, number, number];
  const work = new WorkArea(unit, code, 0, 4 * 32);
  const context = new ScalarContext(unit, code, thread, arena, shared);
  const access = plainAccess(
    instruction,
    { op: store ? 'st' : 'ld', space: 'shared', type: 'b32', vector: 4 },
    instruction.src[0],
  );
  code.globalGet(unit.arena).tee(arena).memory('i32.load', ARENA.shared).set(shared);
  // Where each row is, before any register changes: one of them may hold the addresses.
  const loop = code.loop();
  code.get(0).get(lane).op('i32.add').set(thread);
  const address = addressOperand(access);
  if (address.base.kind === 'register') loadLane(context, address.base.id);
  work.push(0);
  code.get(lane).i32(2).op('i32.shl').op('i32.add');
  const offset = pushPlace(context, access, address, 'shared', store ? 'write' : 'read', 16);
  if (offset !== 0) code.i32(offset).op('i32.add');
  code.memory('i32.store');
  code
    .get(lane)
    .i32(1)
    .op('i32.add')
    .tee(lane)
    .i32(8 * count)
    .op('i32.lt_u')
    .brIf(loop)
    .end();
  const move = moveRows(unit, store, instruction.transposed);
  const places = store
    ? fragmentSources(unit, instruction, instruction.src[1], shape).map((source) => work.place(source, 'b32'))
    : fragmentResults(unit, instruction, instruction.dst[0], shape).map((slot) => () => work.pushSlot(slot));
  if (places.length !== count) throw new CannotCompile(`'${instruction.text}'`, instruction.line);
  places.forEach((place, index) => {
    work.push(32 * index);
    place();
    code.call(move);
  });
  return code;
}

/** move(places, register): eight rows, whose addresses lie at `places`, between memory and a register. */
function moveRows(unit: Unit, store: boolean, transposed: boolean): FunctionRef {
  const name = `matrix.${store ? 'store' : 'load'}${transposed ? '.trans' : ''}`;
  return unit.helper(name, ['i32', 'i32'], [], (code) => {
    const rows = Array.from({ length: 8 }, () => code.local('v128'));
    const row = (index: number): void => {
      code.get(0).memory('i32.load', 4 * index);
    };
    rows.forEach((local, index) => {
      if (store) code.get(1).memory('v128.load', 16 * index, 2);
      else {
        row(index);
        code.memory('v128.load', 0, 4);
      }
      code.set(local);
    });
    const order = transposed ? transpose16(code, rows) : rows;
    order.forEach((local, index) => {
      if (store) row(index);
      else code.get(1);
      code.get(local).memory('v128.store', store ? 0 : 16 * index, store ? 4 : 2);
    });
  });
}

/** Transposes 8 x 8 elements of 16 bits in eight vectors; the result's vectors in order. */
export function transpose16(code: FunctionBuilder, rows: readonly number[]): number[] {
  // Three rounds of interleaving rows i and i + 4: each moves one bit of the row number into the column number.
  const interleave = (high: boolean): number[] =>
    Array.from({ length: 4 }, (_, k) => 2 * (k + (high ? 4 : 0))).flatMap((at) => [at, at + 1, 16 + at, 17 + at]);
  let from = [...rows];
  for (let round = 0; round < 3; round++) {
    const to = Array.from({ length: 8 }, () => code.local('v128'));
    for (let i = 0; i < 4; i++)
      for (const high of [false, true])
        code
          .get(from[i]!)
          .get(from[i + 4]!)
          .shuffle(interleave(high))
          .set(to[2 * i + (high ? 1 : 0)]!);
    from = to;
  }
  return from;
}
