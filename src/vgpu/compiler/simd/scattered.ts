/**
 * Loads and stores of 4-byte elements by lanes that each have a place of their own. All lanes are checked first, with one
 * branch; what does not pass is done lane by lane, out of the way.
 */
import type { MemoryAccess } from '../../ptx/ir.ts';
import { TYPE_BYTES } from '../../ptx/ir.ts';
import { addressOperand, pushShadowTest, pushWindow, ROTATED_TAG } from '../scalar/memory.ts';
import { recordWrite } from '../written.ts';
import type { Affine } from './classify.ts';
import { isUniform } from './classify.ts';
import type { SimdContext } from './context.ts';
import { elementsOf } from './memory.ts';

/** True when the access has this form. */
export function isScattered(context: SimdContext, instruction: MemoryAccess): boolean {
  if (instruction.space !== 'global' && instruction.space !== 'shared') return false;
  if (TYPE_BYTES[instruction.type] !== 4 || instruction.vector > 4) return false;
  const address = instruction.src[0];
  if (address?.kind !== 'address' || address.base.kind !== 'register') return false;
  if (context.isWide(address.base.id) !== (instruction.space === 'global')) return false;
  const item = context.classOf(address.base.id);
  if (isUniform(item)) return false;
  const bytes = 4 * instruction.vector;
  if (item !== 'varying' && (item.stride % bytes !== 0 || Math.abs(item.stride) * context.lanes >= 2 ** 30))
    return false;
  return elementsOf(instruction).every((element) => {
    if (element.kind === 'sink') return instruction.op === 'ld';
    if (element.kind === 'immediate') return instruction.op === 'st';
    if (element.kind !== 'register' || TYPE_BYTES[element.type] !== 4) return false;
    return instruction.op === 'st' || context.isVarying(element.id);
  });
}

/** @param otherwise emits the access for lanes of which one may not pass */
export function emitScattered(context: SimdContext, instruction: MemoryAccess, otherwise: () => void): void {
  const { code, lanes, scalar } = context;
  const places = Array.from({ length: lanes }, (_, lane) => context.placeOf(lane));
  const transfer = (): void => {
    if (instruction.op === 'ld') load(context, instruction, places);
    else store(context, instruction, places);
  };
  if (!scalar.unit.options.checked) {
    setPlaces(context, instruction, places, () => {});
    transfer();
    return;
  }
  scalar.temp('i32', (bad) => {
    code.i32(0).set(bad);
    if (instruction.space === 'global') checkGlobal(context, instruction, places, bad);
    else checkShared(context, instruction, places, bad);
    code.get(bad).rarely();
    context.conditionally(otherwise);
    code.else();
    context.conditionally(() => {
      stamp(context, instruction, places);
      transfer();
      if (instruction.op === 'st') markWritten(context, instruction, places);
    });
    code.end();
  });
}

/** Stamps each lane's access, for the race filter. */
function stamp(context: SimdContext, instruction: MemoryAccess, places: readonly number[]): void {
  const { code, scalar } = context;
  const { races } = scalar.unit;
  const space = races?.stampedSpace(instruction);
  if (!races || !space) return;
  const lane = races.lane(space, instruction.op === 'ld' ? 'read' : 'write', 4 * instruction.vector);
  for (const [k, place] of places.entries()) code.get(place).get(scalar.thread).i32(k).op('i32.add').call(lane);
}

/** Sets the lanes' offsets in memory. `high` may take what it needs of the 64-bit address in a local. */
function setPlaces(
  context: SimdContext,
  instruction: MemoryAccess,
  places: readonly number[],
  high: (lane: number, address: number) => void,
): void {
  const { code, scalar } = context;
  const { base, offset } = addressOperand(instruction);
  const id = base.kind === 'register' ? base.id : -1;
  const item = context.classOf(id);
  const stride = item === 'varying' ? 0 : item.stride;
  const global = instruction.space === 'global';
  places.forEach((place, lane) => {
    const add = offset + stride * lane;
    if (!global) {
      if (item === 'varying') code.get(context.vectorsOf(id)[lane >> 2]!).lane('i32x4.extract_lane', lane & 3);
      else scalar.pushRegister(id, 'u32');
      if (add !== 0) code.i32(add).op('i32.add');
      pushWindow(scalar, 'shared');
      code.op('i32.add').set(place);
      return;
    }
    scalar.temp('i64', (address) => {
      if (item === 'varying') code.get(context.vectorsOf(id)[lane >> 1]!).lane('i64x2.extract_lane', lane & 1);
      else scalar.pushRegister(id, 'u64');
      if (add !== 0) code.i64(BigInt(add)).op('i64.add');
      code.tee(address).op('i32.wrap_i64').set(place);
      high(lane, address);
    });
  });
}

/** Pushes the shadow of an access of 4, 8 or 16 bytes. */
function pushShadow(context: SimdContext, place: number, words: number): void {
  context.code.get(place).i32(2).op('i32.shr_u');
  context.code.memory(words === 4 ? 'i32.load' : words === 2 ? 'i32.load16_u' : 'i32.load8_u', 0, 0);
}

function checkGlobal(context: SimdContext, instruction: MemoryAccess, places: readonly number[], bad: number): void {
  const { code, scalar } = context;
  const access = instruction.op === 'ld' ? 'read' : 'write';
  scalar.temp('i32', (shadow) =>
    setPlaces(context, instruction, places, (lane, address) => {
      pushShadow(context, places[lane]!, instruction.vector);
      code.set(shadow);
      code.get(address).i64(32n).op('i64.shr_u').op('i32.wrap_i64').i32(4).op('i32.rotl');
      pushShadowTest(code, places[lane]!, shadow, access, 4 * instruction.vector, ROTATED_TAG);
      code.get(bad).op('i32.or').set(bad);
    }),
  );
}

function checkShared(context: SimdContext, instruction: MemoryAccess, places: readonly number[], bad: number): void {
  const { code, scalar, width, lanes } = context;
  const { unit } = scalar;
  const bytes = 4 * instruction.vector;
  const { base, offset } = addressOperand(instruction);
  const id = base.kind === 'register' ? base.id : -1;
  const item = context.classOf(id);
  const limit = unit.options.sharedBytes - bytes;
  if (limit < 0) code.i32(1).set(bad);
  else if (item === 'varying') {
    for (let w = 0; w < width; w++)
      context.temp((at) => {
        code.get(context.vectorsOf(id)[w]!);
        if (offset !== 0) code.splat32(offset).op('i32x4.add');
        code
          .tee(at)
          .splat32(limit)
          .op('i32x4.gt_u')
          .get(at)
          .splat32(bytes - 1)
          .op('v128.and')
          .op('v128.or');
        if (w > 0) code.op('v128.or');
      });
    code.op('v128.any_true').set(bad);
  } else pushEnds(context, item, id, offset, limit, bytes, bad);
  setPlaces(context, instruction, places, () => {});
  const read = instruction.op === 'ld';
  if (!read && unit.sharedGaps.length === 0) return;
  const words = instruction.vector;
  const expected = words === 4 ? 0x0f0f0f0f : words === 2 ? 0x0f0f : 0x0f;
  places.slice(0, lanes).forEach((place, lane) => {
    pushShadow(context, place, words);
    if (read) code.i32(expected).op('i32.xor');
    if (lane > 0) code.op('i32.or');
  });
  // Between variables the shadow wears a colour.
  if (!read) code.i32(0xf0f0f0f0 | 0).op('i32.and');
  code.get(bad).op('i32.or').set(bad);
}

/** Lanes at a constant distance are in bounds when the first and the last are. */
function pushEnds(
  context: SimdContext,
  item: Affine,
  id: number,
  offset: number,
  limit: number,
  bytes: number,
  bad: number,
): void {
  const { code, scalar, lanes } = context;
  scalar.temp('i32', (at) => {
    scalar.pushRegister(id, 'u32');
    if (offset !== 0) code.i32(offset).op('i32.add');
    code.tee(at).i32(limit).op('i32.gt_u');
    code
      .get(at)
      .i32(item.stride * (lanes - 1))
      .op('i32.add')
      .i32(limit)
      .op('i32.gt_u')
      .op('i32.or');
    code
      .get(at)
      .i32(bytes - 1)
      .op('i32.and')
      .op('i32.or')
      .set(bad);
  });
}

function load(context: SimdContext, instruction: MemoryAccess, places: readonly number[]): void {
  const { code, width } = context;
  // An address may be in a register that is loaded: all places are known by now.
  elementsOf(instruction).forEach((element, index) => {
    if (element.kind !== 'register') return;
    for (let w = 0; w < width; w++) {
      code.get(places[4 * w]!).memory('v128.load32_zero', 4 * index, 2);
      for (let lane = 1; lane < 4; lane++)
        context.temp((rest) => {
          code
            .set(rest)
            .get(places[4 * w + lane]!)
            .get(rest)
            .memoryLane('v128.load32_lane', lane, 4 * index);
        });
      code.set(context.vectorsOf(element.id)[w]!);
    }
  });
}

function store(context: SimdContext, instruction: MemoryAccess, places: readonly number[]): void {
  const { code, width } = context;
  const values = elementsOf(instruction);
  // Lane after lane, as single threads would: the last one wins where places meet.
  const emit = (w: number, vectors: readonly number[]): void => {
    for (let lane = 0; lane < 4; lane++)
      vectors.forEach((vector, index) => {
        code
          .get(places[4 * w + lane]!)
          .get(vector)
          .memoryLane('v128.store32_lane', lane, 4 * index);
      });
  };
  const gatherValues = (w: number, index: number, vectors: readonly number[]): void => {
    const element = values[index];
    if (!element) {
      emit(w, vectors);
      return;
    }
    context.temp((local) => {
      context.push(element, instruction.type, w);
      code.set(local);
      gatherValues(w, index + 1, [...vectors, local]);
    });
  };
  for (let w = 0; w < width; w++) gatherValues(w, 0, []);
}

function markWritten(context: SimdContext, instruction: MemoryAccess, places: readonly number[]): void {
  const { code } = context;
  const words = instruction.vector;
  const bits = words === 4 ? 0x0f0f0f0f : words === 2 ? 0x0f0f : 0x0f;
  for (const place of places) {
    code.get(place).i32(2).op('i32.shr_u');
    code.i32(bits);
    if (instruction.space === 'global') {
      pushShadow(context, place, words);
      code.op('i32.or');
    }
    code.memory(words === 4 ? 'i32.store' : words === 2 ? 'i32.store16' : 'i32.store8', 0, 0);
    if (instruction.space === 'global') recordWrite(context.scalar.unit, code, place, 4 * words);
  }
}
