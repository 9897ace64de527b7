/**
 * Loads and stores of a group. Lanes that access consecutive elements are one vector access with one check; lanes at
 * another constant stride are gathered through the arena by a loop; anything else goes lane by lane.
 */

import { GLOBAL_TAG } from '../../memory-layout.ts';
import type { Instruction, MemoryAccess, Operand } from '../../ptx/ir.ts';
import { TYPE_BYTES } from '../../ptx/ir.ts';
import { ARENA } from '../arena.ts';
import {
  type AccessKind,
  addressOperand,
  placeFunction,
  pushAddress64,
  pushOffset32,
  pushWindow,
} from '../scalar/memory.ts';
import type { FunctionBuilder, FunctionRef } from '../wasm/encoder.ts';
import { recordWrite } from '../written.ts';
import { isUniform } from './classify.ts';
import type { SimdContext } from './context.ts';

export const elementsOf = (instruction: MemoryAccess): readonly Operand[] => {
  const value = instruction.op === 'ld' ? instruction.dst[0]! : instruction.src[1]!;
  return value.kind === 'vector' ? value.elements : [value];
};

/** True when the access has a vector form; false leaves it to scalar or single-lane code. */
export function isVectorAccess(context: SimdContext, instruction: Instruction): boolean {
  if (instruction.kind !== 'memory') return false;
  const size = TYPE_BYTES[instruction.type];
  if (instruction.space !== 'global' && instruction.space !== 'shared') return false;
  if (size !== 4 && !(size === 8 && instruction.vector === 1)) return false;
  if (instruction.vector > 4 || size * instruction.vector > 16) return false;
  const address = instruction.src[0];
  if (address?.kind !== 'address' || address.base.kind !== 'register') return false;
  const item = context.classOf(address.base.id);
  if (item === 'varying' || isUniform(item)) return false;
  const contiguous = item.stride === size * instruction.vector;
  if (!contiguous && !context.scalar.unit.options.checked) return false;
  return elementsOf(instruction).every((element) => {
    if (element.kind === 'sink') return instruction.op === 'ld';
    if (element.kind === 'immediate') return instruction.op === 'st';
    if (element.kind !== 'register') return false;
    if (TYPE_BYTES[element.type] !== size) return false;
    return instruction.op === 'st' || context.isVarying(element.id);
  });
}

/** True when lanes access consecutive elements, with a vector form. */
export function isContiguous(context: SimdContext, instruction: MemoryAccess): boolean {
  if (!isVectorAccess(context, instruction)) return false;
  const item = context.classification.operand(instruction.src[0]);
  return item !== 'varying' && item.stride === TYPE_BYTES[instruction.type] * instruction.vector;
}

/** Pushes where gathered lanes stand. */
export function pushAside(context: SimdContext): void {
  context.code.get(context.scalar.arena).i32(ARENA.vector).op('i32.add');
}

export function emitVectorAccess(context: SimdContext, instruction: MemoryAccess): void {
  const { code, scalar } = context;
  const address = addressOperand(instruction);
  const size = TYPE_BYTES[instruction.type];
  const bytes = size * instruction.vector;
  const item = context.classification.operand(address);
  const stride = item === 'varying' ? 0 : item.stride;
  const read = instruction.op === 'ld';
  const { checked } = scalar.unit.options;
  const global = instruction.space === 'global';
  scalar.temp('i32', (place) =>
    scalar.temp('i64', (a) => {
      if (global) pushAddress64(scalar, address, true);
      else {
        pushOffset32(scalar, instruction, address, checked);
        // Unchecked code leaves constant offsets to the access; here they are added.
        if (!checked && address.base.kind === 'register' && address.offset > 0 && address.offset < 0x10000)
          code.i32(address.offset).op('i32.add');
        code.op('i64.extend_i32_u');
      }
      code.set(a);
      const home = (): void => {
        code.get(a).op('i32.wrap_i64');
        if (!global) {
          pushWindow(scalar, 'shared');
          code.op('i32.add');
        }
        code.set(place);
      };
      const aside = (): void => {
        pushAside(context);
        code.set(place);
      };
      const move = (helper: FunctionRef): void => {
        code.i32(scalar.unit.site(instruction)).get(a).i64(BigInt(stride)).get(scalar.thread).call(helper);
      };
      if (!checked) {
        home();
        transfer(context, instruction, place);
        return;
      }
      const space = global ? 'global' : 'shared';
      if (stride !== bytes) {
        if (read) {
          move(gather(context, instruction, space, bytes));
          aside();
          transfer(context, instruction, place);
        } else {
          aside();
          transfer(context, instruction, place);
          move(scatter(context, instruction, space, bytes));
        }
        return;
      }
      scalar.temp('i32', (bad) => {
        home();
        pushVectorTest(context, space, a, place, read ? 'read' : 'write', bytes);
        code.set(bad);
        code.get(bad).rarely();
        if (read) move(gather(context, instruction, space, bytes));
        aside();
        const { races } = scalar.unit;
        if (races?.stampedSpace(instruction)) {
          code.else();
          code
            .get(place)
            .get(scalar.thread)
            .call(races.vector(space, read ? 'read' : 'write', bytes, context.lanes));
        }
        code.end();
        transfer(context, instruction, place);
        if (!read) {
          code.get(bad).rarely();
          move(scatter(context, instruction, space, bytes));
          code.end();
        }
      });
    }),
  );
}

/**
 * Pushes an i32 that is zero when the whole group may access consecutive elements of `bytes` bytes from `place`; a write
 * that may has then been marked in the shadow.
 */
function pushVectorTest(
  context: SimdContext,
  space: 'global' | 'shared',
  a: number,
  place: number,
  access: AccessKind,
  bytes: number,
): void {
  const { code, scalar, lanes } = context;
  const total = lanes * bytes;
  const read = access === 'read';
  const words = total / 4;
  scalar.temp('i32', (bad) =>
    scalar.temp('i32', (shadow) =>
      context.temp((expected) => {
        code
          .get(place)
          .i32(bytes - 1)
          .op('i32.and')
          .set(bad);
        code.get(place).i32(2).op('i32.shr_u').set(shadow);
        if (space === 'global') {
          // The tag must be GLOBAL_TAG + 1 to 15; the colour is the high nibble of every shadow byte.
          scalar.temp('i32', (colour) => {
            code.get(a).i64(32n).op('i64.shr_u').op('i32.wrap_i64').i32(GLOBAL_TAG).op('i32.sub').set(colour);
            code.get(bad).get(colour).i32(1).op('i32.sub').i32(14).op('i32.gt_u').op('i32.or').set(bad);
            code
              .get(colour)
              .i32(4)
              .op('i32.shl')
              .i32(read ? 15 : 0)
              .op('i32.or')
              .op('i8x16.splat')
              .set(expected);
          });
        } else {
          const size = scalar.unit.options.sharedBytes;
          if (size < total) code.i32(1);
          else
            code
              .get(a)
              .op('i32.wrap_i64')
              .i32(size - total)
              .op('i32.gt_u');
          code.get(bad).op('i32.or').set(bad);
          code.splat32(read ? 0x0f0f0f0f : 0).set(expected);
        }
        const loadOp = words >= 16 ? 'v128.load' : words === 8 ? 'v128.load64_splat' : 'v128.load32_splat';
        const chunks = Math.max(1, words / 16);
        if (read || space === 'global' || scalar.unit.sharedGaps.length > 0) {
          for (let chunk = 0; chunk < chunks; chunk++) {
            code.get(shadow).memory(loadOp, 16 * chunk, 0);
            if (!read) code.splat32(0xf0f0f0f0).op('v128.and');
            code.get(expected).op('v128.xor');
            if (chunk > 0) code.op('v128.or');
          }
          code.op('v128.any_true').get(bad).op('i32.or').set(bad);
        }
        if (!read) {
          code.get(bad).op('i32.eqz').if();
          for (let chunk = 0; chunk < chunks; chunk++) {
            code.get(shadow).get(expected).splat32(0x0f0f0f0f).op('v128.or');
            if (words >= 16) code.memory('v128.store', 16 * chunk, 0);
            else if (words === 8) code.memoryLane('v128.store64_lane', 0);
            else code.memoryLane('v128.store32_lane', 0);
          }
          if (space === 'global') recordWrite(scalar.unit, code, place, total);
          code.end();
        }
        code.get(bad);
      }),
    ),
  );
}

/** Moves the elements of all lanes between their registers and consecutive places in memory. */
export function transfer(context: SimdContext, instruction: MemoryAccess, place: number): void {
  const { code, width } = context;
  const elements = elementsOf(instruction);
  const { type } = instruction;
  const read = instruction.op === 'ld';
  if (elements.length === 1) {
    const [element] = elements as [Operand];
    const vectors = TYPE_BYTES[type] === 8 ? 2 * width : width;
    for (let w = 0; w < vectors; w++) {
      code.get(place);
      if (read) {
        code.memory('v128.load', 16 * w, 2);
        if (element.kind === 'sink') code.op('drop');
        else code.set(context.vectorsOf(id(element))[w]!);
      } else {
        context.push(element, type, w);
        code.memory('v128.store', 16 * w, 2);
      }
    }
    return;
  }
  for (let w = 0; w < width; w++) {
    if (elements.length === 2) pairs(context, elements, instruction, place, w);
    else quads(context, elements, instruction, place, w);
  }
}

function pairs(
  context: SimdContext,
  elements: readonly Operand[],
  instruction: MemoryAccess,
  place: number,
  w: number,
): void {
  const { code } = context;
  context.temp((x) =>
    context.temp((y) => {
      if (instruction.op === 'ld') {
        code
          .get(place)
          .memory('v128.load', 32 * w, 2)
          .set(x);
        code
          .get(place)
          .memory('v128.load', 32 * w + 16, 2)
          .set(y);
        elements.forEach((element, index) => {
          if (element.kind !== 'register') return;
          code
            .get(x)
            .get(y)
            .shuffle32(index === 0 ? [0, 2, 4, 6] : [1, 3, 5, 7]);
          code.set(context.vectorsOf(element.id)[w]!);
        });
        return;
      }
      context.push(elements[0]!, instruction.type, w);
      code.set(x);
      context.push(elements[1]!, instruction.type, w);
      code.set(y);
      code
        .get(place)
        .get(x)
        .get(y)
        .shuffle32([0, 4, 1, 5])
        .memory('v128.store', 32 * w, 2);
      code
        .get(place)
        .get(x)
        .get(y)
        .shuffle32([2, 6, 3, 7])
        .memory('v128.store', 32 * w + 16, 2);
    }),
  );
}

/** Four elements a lane: a 4 x 4 transposition. */
function quads(
  context: SimdContext,
  elements: readonly Operand[],
  instruction: MemoryAccess,
  place: number,
  w: number,
): void {
  const { code } = context;
  const rows = (emit: (r: readonly [number, number, number, number]) => void): void =>
    context.temp((a) => context.temp((b) => context.temp((c) => context.temp((d) => emit([a, b, c, d])))));
  rows((r) => {
    // The lower and upper halves of pairs of rows, each used twice.
    const interleave = (emit: (index: number) => void): void => {
      context.temp((x) =>
        context.temp((y) => {
          for (const low of [true, false]) {
            const lanes = low ? [0, 4, 1, 5] : [2, 6, 3, 7];
            code.get(r[0]).get(r[1]).shuffle32(lanes).set(x);
            code.get(r[2]).get(r[3]).shuffle32(lanes).set(y);
            for (const odd of [0, 1]) {
              const column = (low ? 0 : 2) + odd;
              if (instruction.op === 'ld' && elements[column]!.kind !== 'register') continue;
              if (instruction.op === 'st') code.get(place);
              code
                .get(x)
                .get(y)
                .shuffle32(odd === 0 ? [0, 1, 4, 5] : [2, 3, 6, 7]);
              emit(column);
            }
          }
        }),
      );
    };
    if (instruction.op === 'ld') {
      for (let k = 0; k < 4; k++)
        code
          .get(place)
          .memory('v128.load', 64 * w + 16 * k, 2)
          .set(r[k]!);
      interleave((column) => code.set(context.vectorsOf(id(elements[column]!))[w]!));
      return;
    }
    elements.forEach((element, index) => {
      context.push(element, instruction.type, w);
      code.set(r[index]!);
    });
    interleave((column) => code.memory('v128.store', 64 * w + 16 * column, 2));
  });
}

const id = (element: Operand): number => (element.kind === 'register' ? element.id : -1);

/** A loop over the lanes: place(site, address + i * stride, thread + i), with `move` copying one lane's bytes. */
function overLanes(
  code: FunctionBuilder,
  context: SimdContext,
  place: FunctionRef,
  stamp: FunctionRef | undefined,
  bytes: number,
  move: (memory: number, aside: number) => void,
): void {
  const { unit } = context.scalar;
  const lane = code.local('i32');
  const memory = code.local('i32');
  const aside = code.local('i32');
  code.globalGet(unit.arena).i32(ARENA.vector).op('i32.add').set(aside);
  const loop = code.loop();
  code.get(0).get(1).get(3).call(place).set(memory);
  if (stamp) code.get(memory).get(3).call(stamp);
  move(memory, aside);
  code.get(1).get(2).op('i64.add').set(1).get(3).i32(1).op('i32.add').set(3);
  code.get(aside).i32(bytes).op('i32.add').set(aside);
  code.get(lane).i32(1).op('i32.add').tee(lane).i32(context.lanes).op('i32.lt_u').brIf(loop).end();
}

function copy(code: FunctionBuilder, to: number, from: number, bytes: number): void {
  code.get(to).get(from);
  if (bytes === 16) code.memory('v128.load', 0, 2).memory('v128.store', 0, 2);
  else if (bytes === 8) code.memory('i64.load', 0, 2).memory('i64.store', 0, 2);
  else code.memory('i32.load').memory('i32.store');
}

/** gather(site, address, stride, thread): the lanes' elements, each checked, to the arena. */
export function gather(
  context: SimdContext,
  instruction: MemoryAccess,
  space: 'global' | 'shared',
  bytes: number,
): FunctionRef {
  const { unit } = context.scalar;
  const place = placeFunction(unit, space, 'read', bytes);
  const stamp = unit.races?.stampedSpace(instruction) && unit.races.lane(space, 'read', bytes);
  const name = `gather.${space}.${bytes}${stamp ? '.stamped' : ''}`;
  return unit.helper(name, ['i32', 'i64', 'i64', 'i32'], [], (code) =>
    overLanes(code, context, place, stamp, bytes, (memory, aside) => copy(code, aside, memory, bytes)),
  );
}

/** scatter(site, address, stride, thread): from the arena to the lanes' places, in lane order. */
function scatter(
  context: SimdContext,
  instruction: MemoryAccess,
  space: 'global' | 'shared',
  bytes: number,
): FunctionRef {
  const { unit } = context.scalar;
  const place = placeFunction(unit, space, 'write', bytes);
  const stamp = unit.races?.stampedSpace(instruction) && unit.races.lane(space, 'write', bytes);
  const name = `scatter.${space}.${bytes}${stamp ? '.stamped' : ''}`;
  return unit.helper(name, ['i32', 'i64', 'i64', 'i32'], [], (code) =>
    overLanes(code, context, place, stamp, bytes, (memory, aside) => copy(code, memory, aside, bytes)),
  );
}
