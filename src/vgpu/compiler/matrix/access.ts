/**
 * wmma.load and wmma.store of a whole warp. When all lanes give one address and stride, as they must on hardware, the
 * matrix is checked once, in runs of 16 bytes, and moved line by line; whatever that does not pass is left to
 * `fragment-access.ts`, which decides element by element.
 */
import { GLOBAL_TAG, SHARED_TAG } from '../../memory-layout.ts';
import type { Matrix, Operand, Space } from '../../ptx/ir.ts';
import { TYPE_BYTES } from '../../ptx/ir.ts';
import { ARENA, type Slot } from '../arena.ts';
import { CannotCompile } from '../cannot-compile.ts';
import { ScalarContext } from '../scalar/context.ts';
import { pushAddress64 } from '../scalar/memory.ts';
import { type OperandSource, operandSource } from '../syncpoints.ts';
import type { Unit } from '../unit.ts';
import type { FunctionBuilder, FunctionRef } from '../wasm/encoder.ts';
import type { MemoryOp } from '../wasm/opcodes.ts';
import { recordWrite } from '../written.ts';
import { lineBytes, lineElements } from './convert.ts';
import { loadLane } from './lanes.ts';
import { type FragmentPlan, fragmentResults, fragmentSources, planFragment } from './plan.ts';
import { registerBytes, WorkArea } from './work-area.ts';

/** One wmma.load or wmma.store with everything located. */
export interface FragmentAccess {
  readonly instruction: Matrix;
  readonly store: boolean;
  readonly plan: FragmentPlan;
  readonly byRow: boolean;
  readonly base: OperandSource;
  /** Added to the base. */
  readonly offset: number;
  /** Elements between rows, or columns; undefined: they follow each other. */
  readonly stride: OperandSource | undefined;
  readonly registers: readonly OperandSource[];
}

function located(unit: Unit, instruction: Matrix): FragmentAccess {
  const store = instruction.operation === 'store-d';
  const fragment = instruction.operation === 'load-a' ? 'a' : instruction.operation === 'load-b' ? 'b' : 'c';
  const plan = planFragment(instruction, fragment, instruction.types.d);
  const refused = (): never => {
    throw new CannotCompile(`'${instruction.text}'`, instruction.line);
  };
  const address = instruction.src[0];
  if (address?.kind !== 'address') return refused();
  const { base } = address;
  const pointer: Operand | undefined = base.kind === 'register' ? base : undefined;
  const source =
    base.kind === 'variable'
      ? ({ kind: 'constant', bits: unit.addressOf(base.variable) } as const)
      : operandSource(unit, unit.facts, pointer);
  if (!source || (source.kind === 'slot' && source.negated)) return refused();
  const strideOperand = store ? instruction.src[2] : instruction.src[1];
  const stride = operandSource(unit, unit.facts, strideOperand);
  if (strideOperand && (!stride || (stride.kind === 'slot' && stride.slot.bytes !== 4))) return refused();
  const registers = store
    ? fragmentSources(unit, instruction, instruction.src[1], plan)
    : fragmentResults(unit, instruction, instruction.dst[0], plan).map(
        (slot): OperandSource => ({ kind: 'slot', slot, negated: false }),
      );
  return {
    instruction,
    store,
    plan,
    byRow: instruction.layout === 'row',
    base: source,
    offset: address.offset,
    stride,
    registers,
  };
}

export function emitFragmentAccess(unit: Unit, number: number, instruction: Matrix): FunctionBuilder {
  const access = located(unit, instruction);
  const { plan, store, byRow } = access;
  const { rows, columns } = plan.layout;
  const bytes = TYPE_BYTES[plan.type];
  const code = unit.wasm.function(`exchange${number}`, ['i32'], []);
  const [arena, shared, place, stride, differ] = [0, 0, 0, 0, 0].map(() => code.local('i32')) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const a = code.local('i64');
  const work = new WorkArea(unit, code, 0);
  const context = new ScalarContext(unit, code, 0, arena, shared);
  code.globalGet(unit.arena).tee(arena).memory('i32.load', ARENA.shared).set(shared);
  const address = instruction.src[0];
  if (address?.kind !== 'address') throw new CannotCompile(`'${instruction.text}'`, instruction.line);
  if (address.base.kind === 'register') loadLane(context, address.base.id);
  pushAddress64(context, address, true);
  code.set(a);
  if (!access.stride) code.i32(byRow ? columns : rows);
  else if (access.stride.kind === 'constant') code.i32(Number(BigInt.asIntN(32, access.stride.bits)));
  else {
    work.pushSlot(access.stride.slot);
    code.memory('i32.load');
  }
  code.i32(bytes).op('i32.mul').set(stride);
  for (const source of [access.base, access.stride])
    if (source?.kind === 'slot') {
      work.pushSlot(source.slot);
      code.call(lanesDiffer(unit, source.slot.bytes)).get(differ).op('i32.or').set(differ);
    }
  code.get(differ).if('i32');
  code.i32(0).else();
  code
    .get(a)
    .get(stride)
    .i32(byRow ? rows : columns)
    .i32(bytes * (byRow ? columns : rows));
  code.call(findMatrix(unit, instruction.space, store)).end();
  code.tee(place).op('i32.eqz').if();
  code
    .i32(unit.fragmentAccess(access))
    .get(0)
    .call(unit.importHost('fragment', ['i32', 'i32'], []))
    .op('return')
    .end();
  // Strides of a row and of a column.
  const rowStride = (): void => {
    if (byRow) code.get(stride);
    else code.i32(bytes);
  };
  const columnStride = (): void => {
    if (byRow) code.i32(bytes);
    else code.get(stride);
  };
  const move = moveChunk(unit, store, plan, byRow);
  const loaded = new Map<string, Slot>();
  for (const chunk of plan.chunks) {
    const register = access.registers[chunk.register]!;
    const second = access.registers[plan.arrangement === 'pair' ? chunk.register + 1 : chunk.register]!;
    const key = `${chunk.row},${chunk.column}`;
    const before = loaded.get(key);
    if (before && register.kind === 'slot') {
      // wmma's fragments of halves hold each element twice.
      work.pushSlot(register.slot);
      work.pushSlot(before);
      code.i32(registerBytes(plan.type)).memoryCopy();
      continue;
    }
    if (!store && register.kind === 'slot') loaded.set(key, register.slot);
    const [first, other] = [work.place(register, plan.type), work.place(second, plan.type)];
    code.get(place).i32(chunk.row);
    rowStride();
    code.op('i32.mul').op('i32.add').i32(chunk.column);
    columnStride();
    code.op('i32.mul').op('i32.add');
    rowStride();
    columnStride();
    first();
    other();
    code.call(move);
  }
  return code;
}

/** differ(register): not all lanes hold the same. */
function lanesDiffer(unit: Unit, bytes: 4 | 8): FunctionRef {
  return unit.helper(`matrix.differ.${bytes}`, ['i32'], ['i32'], (code) => {
    const value = code.local('v128');
    code
      .get(0)
      .memory(bytes === 8 ? 'v128.load64_splat' : 'v128.load32_splat', 0, 2)
      .set(value);
    for (let at = 0; at < 32 * bytes; at += 16) {
      code.get(0).memory('v128.load', at, 2).get(value).op('v128.xor');
      if (at > 0) code.op('v128.or');
    }
    code.op('v128.any_true');
  });
}

/**
 * find(address, stride, lines, bytes): where the matrix of so many lines lies in memory, if every byte of it may be
 * accessed and lies in naturally aligned runs of 16; else 0. A store's target has then been marked as written.
 */
function findMatrix(unit: Unit, space: Space, store: boolean): FunctionRef {
  const { checked, sharedBytes } = unit.options;
  return unit.helper(`matrix.find.${space}.${store}`, ['i64', 'i32', 'i32', 'i32'], ['i32'], (code) => {
    const [address, stride, lines, bytes] = [0, 1, 2, 3];
    const [tag, base, limit, expected, line, at, end, place] = [0, 0, 0, 0, 0, 0, 0, 0].map(() =>
      code.local('i32'),
    ) as [number, number, number, number, number, number, number, number];
    const inShared = (): void => {
      code.globalGet(unit.arena).memory('i32.load', ARENA.shared).set(base);
      code.i32(sharedBytes - 16).set(limit);
      code.i32(store ? 0 : 0x0f0f0f0f).set(expected);
    };
    const inGlobal = (): void => {
      // The tag is GLOBAL_TAG + colour, 1 to 15.
      code
        .get(tag)
        .i32(GLOBAL_TAG + 1)
        .op('i32.sub')
        .i32(14)
        .op('i32.gt_u')
        .if();
      code.i32(0).op('return').end();
      code.i32(-1).set(limit);
      code
        .get(tag)
        .i32(GLOBAL_TAG)
        .op('i32.sub')
        .i32(4)
        .op('i32.shl')
        .i32(store ? 0 : 15)
        .op('i32.or');
      code.i32(0x01010101).op('i32.mul').set(expected);
    };
    code.get(address).i64(32n).op('i64.shr_u').op('i32.wrap_i64').set(tag);
    if (space === 'shared') {
      code.get(tag).if();
      code.i32(0).op('return').end();
      inShared();
    } else if (space === 'generic') {
      code.get(tag).i32(SHARED_TAG).op('i32.eq').if();
      inShared();
      code.else();
      inGlobal();
      code.end();
    } else inGlobal();
    if (checked) {
      if (sharedBytes < 16 && space !== 'global') {
        code.get(base).if();
        code.i32(0).op('return').end();
      }
      code.get(address).op('i32.wrap_i64').get(stride).op('i32.or').get(bytes).op('i32.or');
      code.i32(15).op('i32.and').if();
      code.i32(0).op('return').end();
      const overRuns = (visit: () => void): void => {
        code.i32(0).set(line);
        const each = code.loop();
        code.get(address).op('i32.wrap_i64').get(line).get(stride).op('i32.mul').op('i32.add').tee(at);
        code.get(bytes).op('i32.add').set(end);
        const runs = code.loop();
        visit();
        code.get(at).i32(16).op('i32.add').tee(at).get(end).op('i32.ne').brIf(runs).end();
        code.get(line).i32(1).op('i32.add').tee(line).get(lines).op('i32.lt_u').brIf(each).end();
      };
      const shadow = (): void => {
        code.get(at).get(base).op('i32.add').i32(2).op('i32.shr_u');
      };
      overRuns(() => {
        code.get(at).get(limit).op('i32.gt_u').if();
        code.i32(0).op('return').end();
        shadow();
        code.memory('i32.load', 0, 2);
        if (store) code.i32(0xf0f0f0f0 | 0).op('i32.and');
        code.get(expected).op('i32.ne').if();
        code.i32(0).op('return').end();
      });
      if (store)
        overRuns(() => {
          shadow();
          shadow();
          code.memory('i32.load', 0, 2).i32(0x0f0f0f0f).op('i32.or').memory('i32.store', 0, 2);
          code.get(at).get(base).op('i32.add').set(place);
          // Shared memory is outside the map.
          recordWrite(unit, code, place, 16);
        });
    }
    code.get(address).op('i32.wrap_i64').get(base).op('i32.add');
  });
}

const ELEMENT: Readonly<Record<number, readonly [load: MemoryOp, store: MemoryOp]>> = {
  1: ['i32.load8_u', 'i32.store8'],
  2: ['i32.load16_u', 'i32.store16'],
  4: ['i32.load', 'i32.store'],
  8: ['i64.load', 'i64.store'],
};

/** move(origin, rowStride, columnStride, first, second): the lines of one register, or of a pair. */
function moveChunk(unit: Unit, store: boolean, plan: FragmentPlan, byRow: boolean): FunctionRef {
  const { type, arrangement } = plan;
  const bytes = TYPE_BYTES[type];
  const name = `matrix.chunk.${store}.${arrangement}.${byRow}.${bytes}`;
  return unit.helper(name, ['i32', 'i32', 'i32', 'i32', 'i32'], [], (code) => {
    const [origin, rowStride, columnStride, first, second] = [0, 1, 2, 3, 4];
    const [across, along] = arrangement === 'columns' ? [columnStride, rowStride] : [rowStride, columnStride];
    const consecutive = (arrangement === 'columns') !== byRow;
    const count = code.local('i32');
    const at = code.local('i32');
    const loop = code.loop();
    if (consecutive && arrangement !== 'pair') consecutiveLine(code, store, lineBytes(type));
    else if (consecutive && bytes === 4) pairLine(code, store);
    else {
      code.get(origin).set(at);
      const elements = arrangement === 'pair' ? 8 : lineElements(type);
      for (let index = 0; index < elements; index++) {
        const register = arrangement === 'pair' && (index & 1) === 1 ? second : first;
        const offset = bytes * (arrangement === 'pair' ? index >> 1 : index);
        elementMove(code, store, bytes, at, register, offset);
        if (index + 1 < elements) code.get(at).get(along).op('i32.add').set(at);
      }
    }
    code.get(origin).get(across).op('i32.add').set(origin);
    for (const register of [first, second]) code.get(register).i32(lineBytes(type)).op('i32.add').set(register);
    code.get(count).i32(1).op('i32.add').tee(count).i32(8).op('i32.lt_u').brIf(loop).end();
  });
}

function elementMove(
  code: FunctionBuilder,
  store: boolean,
  bytes: number,
  place: number,
  register: number,
  offset: number,
): void {
  const [load, save] = ELEMENT[bytes]!;
  if (store) code.get(place).get(register).memory(load, offset, 0).memory(save, 0, 0);
  else code.get(register).get(place).memory(load, 0, 0).memory(save, offset, 0);
}

function consecutiveLine(code: FunctionBuilder, store: boolean, bytes: number): void {
  const [origin, first] = [0, 3];
  for (let at = 0; at < bytes; at += 16) {
    code.get(store ? origin : first).get(store ? first : origin);
    code.memory('v128.load', at, 2).memory('v128.store', at, 2);
  }
}

/** Eight consecutive words, even columns in the first register and odd ones in the second. */
function pairLine(code: FunctionBuilder, store: boolean): void {
  const [origin, first, second] = [0, 3, 4];
  const [x, y] = [code.local('v128'), code.local('v128')];
  if (store) {
    code.get(first).memory('v128.load', 0, 2).set(x).get(second).memory('v128.load', 0, 2).set(y);
    code.get(origin).get(x).get(y).shuffle32([0, 4, 1, 5]).memory('v128.store', 0, 2);
    code.get(origin).get(x).get(y).shuffle32([2, 6, 3, 7]).memory('v128.store', 16, 2);
    return;
  }
  code.get(origin).memory('v128.load', 0, 2).set(x).get(origin).memory('v128.load', 16, 2).set(y);
  code.get(first).get(x).get(y).shuffle32([0, 2, 4, 6]).memory('v128.store', 0, 2);
  code.get(second).get(x).get(y).shuffle32([1, 3, 5, 7]).memory('v128.store', 0, 2);
}
