/**
 * shfl, vote, redux and warpsync for a whole warp as WebAssembly: the common case of `collectives.ts`, where all 32 lanes
 * take part. `exchange(first)` reads the lanes' operands from the frames and writes their results there.
 */
import type { Slot } from '../arena.ts';
import { ARENA } from '../arena.ts';
import type { Collective } from '../collectives.ts';
import type { OperandSource } from '../syncpoints.ts';
import type { Unit } from '../unit.ts';
import type { FunctionBuilder } from '../wasm/encoder.ts';
import type { PlainOp } from '../wasm/opcodes.ts';

/** The function for a collective of a whole warp; undefined when only `collectives.ts` can do it. */
export function emitCollective(unit: Unit, number: number, collective: Collective): FunctionBuilder | undefined {
  const { instruction, members } = collective;
  if (members && !(members.kind === 'constant' && BigInt.asUintN(32, members.bits) === 0xffffffffn)) return undefined;
  if (collective.results.some((slot) => slot?.bytes === 8)) return undefined;
  switch (instruction.op) {
    case 'warpsync':
      return unit.wasm.function(`exchange${number}`, ['i32'], []);
    case 'shfl':
      return shuffle(unit, number, collective);
    case 'vote':
    case 'redux':
      return reduction(unit, number, collective);
    default:
      return undefined;
  }
}

/** Emits a loop over the 32 lanes; `lane` is a local that counts, `body` gets the frame pointer of the lane. */
function overLanes(unit: Unit, code: FunctionBuilder, lane: number, pointer: number, body: () => void): void {
  code.i32(0).set(lane).globalGet(unit.arena).get(0).i32(2).op('i32.shl').op('i32.add').set(pointer);
  const loop = code.loop();
  body();
  code.get(pointer).i32(4).op('i32.add').set(pointer);
  code.get(lane).i32(1).op('i32.add').tee(lane).i32(32).op('i32.lt_u').brIf(loop).end();
}

function pushSource(code: FunctionBuilder, pointer: number, source: OperandSource | undefined): void {
  if (!source) code.i32(0);
  else if (source.kind === 'constant') code.i32(Number(BigInt.asIntN(32, source.bits)));
  else {
    code.get(pointer).memory('i32.load', source.slot.offset);
    if (source.negated) code.op('i32.eqz');
  }
}

function isNarrow(source: OperandSource | undefined): boolean {
  return source?.kind !== 'slot' || source.slot.bytes === 4;
}

function shuffle(unit: Unit, number: number, collective: Collective): FunctionBuilder | undefined {
  const [value, offset, control] = collective.sources;
  const [result, predicate] = collective.results;
  if (value?.kind !== 'slot' || !isNarrow(value) || !isNarrow(offset) || !isNarrow(control)) return undefined;
  if (offset?.kind === 'constant' && control?.kind === 'constant')
    return permutation(
      unit,
      number,
      collective,
      value.slot,
      Number(offset.bits & 31n),
      Number(BigInt.asIntN(32, control.bits)),
    );
  const code = unit.wasm.function(`exchange${number}`, ['i32'], []);
  const [lane, pointer, from, limit, segment, base, valid] = [0, 0, 0, 0, 0, 0, 0].map(() => code.local('i32')) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const { mode } = collective.instruction;
  // Values come from a copy, since a lane's result may take the place of its operand.
  code.globalGet(unit.arena).i32(ARENA.scratch).op('i32.add');
  code.globalGet(unit.arena).get(0).i32(2).op('i32.shl').op('i32.add').i32(value.slot.offset).op('i32.add');
  code.i32(128).memoryCopy();
  code.globalGet(unit.arena).set(base);
  overLanes(unit, code, lane, pointer, () => {
    // PTX ISA 9.7.9.6: c holds the clamp in bits 0-4 and the segment mask in bits 8-12.
    pushSource(code, pointer, control);
    code.i32(8).op('i32.shr_u').i32(31).op('i32.and').set(segment);
    code.get(lane).get(segment).op('i32.and');
    pushSource(code, pointer, control);
    code.i32(31).op('i32.and').get(segment).i32(-1).op('i32.xor').op('i32.and').op('i32.or').set(limit);
    const operand = (): void => {
      pushSource(code, pointer, offset);
      code.i32(31).op('i32.and');
    };
    if (mode === 'idx') {
      code.get(lane).get(segment).op('i32.and');
      operand();
      code.get(segment).i32(-1).op('i32.xor').op('i32.and').op('i32.or');
    } else {
      code.get(lane);
      operand();
      code.op(mode === 'up' ? 'i32.sub' : mode === 'down' ? 'i32.add' : 'i32.xor');
    }
    code
      .tee(from)
      .get(limit)
      .op(mode === 'up' ? 'i32.ge_s' : 'i32.le_s')
      .set(valid);
    code.get(from).get(lane).get(valid).op('select').set(from);
    if (predicate) code.get(pointer).get(valid).memory('i32.store', predicate.offset);
    if (result) {
      code.get(pointer).get(base).get(from).i32(2).op('i32.shl').op('i32.add').memory('i32.load', ARENA.scratch);
      code.memory('i32.store', result.offset);
    }
  });
  return code;
}

/** A shuffle by constants is a permutation known now: each four lanes are one load, or a shuffle of two. */
function permutation(
  unit: Unit,
  number: number,
  collective: Collective,
  value: Slot,
  operand: number,
  control: number,
): FunctionBuilder {
  const code = unit.wasm.function(`exchange${number}`, ['i32'], []);
  const [result, predicate] = collective.results;
  const { mode } = collective.instruction;
  const lanes = Array.from({ length: 32 }, (_, lane) => sourceLane(mode, lane, operand, control));
  const pointer = code.local('i32');
  code.globalGet(unit.arena).get(0).i32(2).op('i32.shl').op('i32.add').set(pointer);
  // All results before any is stored: they may take the operands' place.
  const vectors = Array.from({ length: 8 }, () => code.local('v128'));
  const load = (lane: number): void => {
    code.get(pointer).memory('v128.load', value.offset + 4 * lane, 2);
  };
  vectors.forEach((vector, w) => {
    const from = lanes.slice(4 * w, 4 * w + 4).map((item) => item.from);
    const places = [...new Set(from.map((lane) => lane >> 2))];
    if (from.every((lane, k) => lane === from[0]! + k)) load(from[0]!);
    else if (places.length <= 2) {
      load(4 * places[0]!);
      load(4 * (places[1] ?? places[0]!));
      code.shuffle32(from.map((lane) => (lane & 3) + (lane >> 2 === places[0] ? 0 : 4)));
    } else {
      code.v128([0, 0, 0, 0]);
      from.forEach((lane, k) => {
        code
          .get(pointer)
          .memory('i32.load', value.offset + 4 * lane)
          .lane('i32x4.replace_lane', k);
      });
    }
    code.set(vector);
  });
  for (const [w, vector] of vectors.entries()) {
    if (result)
      code
        .get(pointer)
        .get(vector)
        .memory('v128.store', result.offset + 16 * w, 2);
    if (predicate) {
      code.get(pointer).v128(lanes.slice(4 * w, 4 * w + 4).map((item) => (item.valid ? 1 : 0)));
      code.memory('v128.store', predicate.offset + 16 * w, 2);
    }
  }
  return code;
}

/** PTX ISA 9.7.9.6: the lane a shuffle reads, its own when that lies outside its segment. */
function sourceLane(
  mode: string | undefined,
  lane: number,
  operand: number,
  control: number,
): { from: number; valid: boolean } {
  const segment = (control >>> 8) & 31;
  const limit = (lane & segment) | (control & 31 & ~segment);
  const from =
    mode === 'up'
      ? lane - operand
      : mode === 'down'
        ? lane + operand
        : mode === 'bfly'
          ? lane ^ operand
          : (lane & segment) | (operand & ~segment);
  const valid = mode === 'up' ? from >= limit : from <= limit;
  return { from: valid ? from : lane, valid };
}

function reduction(unit: Unit, number: number, collective: Collective): FunctionBuilder | undefined {
  const { instruction, sources } = collective;
  const [source] = sources;
  const result: Slot | undefined = collective.results[0];
  if (!isNarrow(source)) return undefined;
  const code = unit.wasm.function(`exchange${number}`, ['i32'], []);
  const lane = code.local('i32');
  const pointer = code.local('i32');
  const total = code.local('i32');
  const value = code.local('i32');
  const ballot = instruction.op === 'vote';
  if (ballot) {
    overLanes(unit, code, lane, pointer, () => {
      pushSource(code, pointer, source);
      code.i32(0).op('i32.ne').get(lane).op('i32.shl').get(total).op('i32.or').set(total);
    });
    const { mode } = instruction;
    if (mode === 'all') code.get(total).i32(-1).op('i32.eq').set(total);
    else if (mode === 'any') code.get(total).i32(0).op('i32.ne').set(total);
    else if (mode === 'uni') code.get(total).op('i32.eqz').get(total).i32(-1).op('i32.eq').op('i32.or').set(total);
  } else {
    const { mode } = instruction;
    const signed = instruction.type === 's32';
    overLanes(unit, code, lane, pointer, () => {
      pushSource(code, pointer, source);
      code.set(value);
      if (mode === 'min' || mode === 'max') {
        code.get(value).get(total).get(value).get(total);
        code.op(`i32.${mode === 'min' ? 'lt' : 'gt'}_${signed ? 's' : 'u'}` as PlainOp).op('select');
      } else
        code
          .get(value)
          .get(total)
          .op(`i32.${mode}` as PlainOp);
      // The first lane starts the reduction.
      code.set(total);
      if (mode !== 'add' && mode !== 'or' && mode !== 'xor')
        code.get(value).get(total).get(lane).op('i32.eqz').op('select').set(total);
    });
  }
  if (result)
    overLanes(unit, code, lane, pointer, () => {
      code.get(pointer).get(total).memory('i32.store', result.offset);
    });
  return code;
}
