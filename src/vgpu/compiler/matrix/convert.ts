/**
 * Fragments to matrices of f64 and back, eight lines of a register at a time (see plan.ts). All element types but s32's
 * sums are exact in f64, so that the product's arithmetic is that of `math.mmaFloat`, `mmaInteger` and `mmaF64`.
 *
 * Rows of B, and of C while it is summed up, have their eight columns in the order 0 2 4 6 1 3 5 7: that of the two registers of
 * a pair.
 */
import type { PtxType } from '../../ptx/ir.ts';
import type { Unit } from '../unit.ts';
import type { FunctionBuilder, FunctionRef } from '../wasm/encoder.ts';

/** Columns in the order of a row's four vectors of two f64. */
const COLUMN_PAIRS: readonly (readonly [number, number])[] = [
  [0, 2],
  [4, 6],
  [1, 3],
  [5, 7],
];

/** Elements of one line (four lanes) of a register. */
export function lineElements(type: PtxType): number {
  return type === 's8' || type === 'u8' ? 16 : type === 'f16' || type === 'bf16' ? 8 : 4;
}

/** Bytes of one line of a register. */
export const lineBytes = (type: PtxType): number => (type === 'f64' ? 32 : 16);

/** Replaces f16 bits in the upper halves of the i32x4 on the stack by their f32 values. */
function halvesToFloats(code: FunctionBuilder, word: number, scaled: number): void {
  code.set(word);
  code.get(word).splat32(0x7fff0000).op('v128.and').i32(3).op('i32x4.shr_u').splat32(0x77800000).op('f32x4.mul');
  code.set(scaled);
  // Infinity and NaN, whose exponent must be all ones.
  code.get(word).splat32(0x7fff0000).op('v128.and').splat32(0x7bffffff).op('i32x4.gt_s');
  code.splat32(0x7f800000).op('v128.and').get(scaled).op('v128.or');
  code.get(word).splat32(0x80000000).op('v128.and').op('v128.or');
}

/**
 * Emits the conversion of one line, whose address is in a local: `use(index, push)` gets vectors of two f64 in order.
 */
function lineToDoubles(
  code: FunctionBuilder,
  type: PtxType,
  line: number,
  scratch: readonly number[],
  use: (index: number, push: () => void) => void,
): void {
  const [raw, word, scaled, quad] = scratch as [number, number, number, number];
  const floats = (first: number): void => {
    code.set(quad);
    use(first, () => code.get(quad).op('f64x2.promote_low_f32x4'));
    use(first + 1, () => code.get(quad).get(quad).shuffle32([2, 3, 2, 3]).op('f64x2.promote_low_f32x4'));
  };
  const integers = (first: number): void => {
    code.set(quad);
    use(first, () => code.get(quad).op('f64x2.convert_low_i32x4_s'));
    use(first + 1, () => code.get(quad).get(quad).shuffle32([2, 3, 2, 3]).op('f64x2.convert_low_i32x4_s'));
  };
  switch (type) {
    case 'f64':
      for (const half of [0, 1]) use(half, () => code.get(line).memory('v128.load', 16 * half, 2));
      return;
    case 'f32':
    case 'tf32':
      code.get(line).memory('v128.load', 0, 2);
      // The tensor core takes the upper 19 bits.
      if (type === 'tf32') code.splat32(0xffffe000 | 0).op('v128.and');
      floats(0);
      return;
    case 's32':
      code.get(line).memory('v128.load', 0, 2);
      integers(0);
      return;
    case 'f16':
    case 'bf16':
      code.get(line).memory('v128.load', 0, 2).set(raw);
      for (const half of [0, 1]) {
        // Into the upper halves of words: bytes 16 and above are zeros.
        const bytes = [0, 1, 2, 3].flatMap((k) => [16, 16, 8 * half + 2 * k, 8 * half + 2 * k + 1]);
        code.get(raw).v128([0, 0, 0, 0]).shuffle(bytes);
        if (type === 'f16') halvesToFloats(code, word, scaled);
        floats(2 * half);
      }
      return;
    default: {
      const sign = type === 's8' ? 's' : 'u';
      code.get(line).memory('v128.load', 0, 2).set(raw);
      for (const half of ['low', 'high'] as const) {
        code.get(raw).op(`i16x8.extend_${half}_i8x16_${sign}`).set(word);
        const first = half === 'low' ? 0 : 4;
        code.get(word).op('i32x4.extend_low_i16x8_s');
        integers(first);
        code.get(word).op('i32x4.extend_high_i16x8_s');
        integers(first + 2);
      }
    }
  }
}

const vectors = (code: FunctionBuilder, count: number): number[] =>
  Array.from({ length: count }, () => code.local('v128'));

/** unpackRows(register, target, stride): eight lines as rows of f64, `stride` bytes apart. */
export function unpackRows(unit: Unit, type: PtxType): FunctionRef {
  return unit.helper(`matrix.rows.${type}`, ['i32', 'i32', 'i32'], [], (code) => {
    const scratch = vectors(code, 4);
    const count = code.local('i32');
    const loop = code.loop();
    lineToDoubles(code, type, 0, scratch, (index, push) => {
      code.get(1);
      push();
      code.memory('v128.store', 16 * index, 3);
    });
    code.get(0).i32(lineBytes(type)).op('i32.add').set(0);
    code.get(1).get(2).op('i32.add').set(1);
    code.get(count).i32(1).op('i32.add').tee(count).i32(8).op('i32.lt_u').brIf(loop).end();
  });
}

/** unpackColumns(register, target): eight lines as columns, in rows of 64 bytes. */
export function unpackColumns(unit: Unit, type: PtxType): FunctionRef {
  return unit.helper(`matrix.columns.${type}`, ['i32', 'i32'], [], (code) => {
    const scratch = vectors(code, 4);
    const line = code.local('i32');
    const first = vectors(code, lineElements(type) / 2);
    const second = code.local('v128');
    COLUMN_PAIRS.forEach(([a, b], pair) => {
      code
        .get(0)
        .i32(a * lineBytes(type))
        .op('i32.add')
        .set(line);
      lineToDoubles(code, type, line, scratch, (index, push) => {
        push();
        code.set(first[index]!);
      });
      code
        .get(0)
        .i32(b * lineBytes(type))
        .op('i32.add')
        .set(line);
      lineToDoubles(code, type, line, scratch, (index, push) => {
        push();
        code.set(second);
        for (const half of [0, 1]) {
          code.get(1).get(first[index]!).get(second);
          code.shuffle32(half === 0 ? [0, 1, 4, 5] : [2, 3, 6, 7]);
          code.memory('v128.store', 64 * (2 * index + half) + 16 * pair, 3);
        }
      });
    });
  });
}

/** Loads one row of C, whose line is at the locals, into four accumulators in the order of {@link COLUMN_PAIRS}. */
export function loadRow(
  code: FunctionBuilder,
  type: PtxType,
  lines: readonly [number, number],
  scratch: readonly number[],
  accumulators: readonly number[],
): void {
  if (type !== 'f16') {
    lines.forEach((line, which) => {
      lineToDoubles(code, type, line, scratch, (index, push) => {
        push();
        code.set(accumulators[2 * which + index]!);
      });
    });
    return;
  }
  // A line of halves holds the columns in order: vectors of two go to the places of their columns.
  const inOrder = scratch.slice(4, 8);
  lineToDoubles(code, type, lines[0], scratch, (index, push) => {
    push();
    code.set(inOrder[index]!);
  });
  COLUMN_PAIRS.forEach(([a], index) => {
    code.get(inOrder[a >> 1]!).get(inOrder[(a >> 1) + 1]!);
    code.shuffle32((a & 1) === 0 ? [0, 1, 4, 5] : [2, 3, 6, 7]).set(accumulators[index]!);
  });
}

/** Stores four accumulators as one row of D, rounded or wrapped to its type. */
export function storeRow(
  code: FunctionBuilder,
  type: PtxType,
  saturate: boolean,
  lines: readonly [number, number],
  scratch: readonly number[],
  accumulators: readonly number[],
): void {
  if (type === 'f16') {
    for (const local of accumulators) doublesToHalves(code, local, scratch);
    const [a, b, c, d] = accumulators as [number, number, number, number];
    // Low halves of 64-bit lanes, by column: a has 0 and 2, b 4 and 6, c 1 and 3, d 5 and 7.
    const merge = [0, 1, 16, 17, 8, 9, 24, 25];
    code.get(lines[0]);
    code
      .get(a)
      .get(c)
      .shuffle([...merge, ...merge]);
    code
      .get(b)
      .get(d)
      .shuffle([...merge, ...merge]);
    code.shuffle32([0, 1, 4, 5]).memory('v128.store', 0, 2);
    return;
  }
  lines.forEach((line, which) => {
    const [x, y] = [accumulators[2 * which]!, accumulators[2 * which + 1]!];
    if (type === 'f64') {
      code.get(line).get(x).memory('v128.store', 0, 2);
      code.get(line).get(y).memory('v128.store', 16, 2);
      return;
    }
    code.get(line);
    for (const local of [x, y]) {
      code.get(local);
      if (type === 'f32') code.op('f32x4.demote_f64x2_zero');
      else if (saturate) code.op('i32x4.trunc_sat_f64x2_s_zero');
      else {
        // Modulo 2^32: adding 1.5 * 2^52 leaves the integer in the low word.
        code.f64(6755399441055744).op('f64x2.splat').op('f64x2.add');
      }
    }
    code.shuffle32(type === 'f32' || saturate ? [0, 1, 4, 5] : [0, 2, 4, 6]).memory('v128.store', 0, 2);
  });
}

/** The two f64 of a local as f16 bits in its 64-bit lanes, rounded once to nearest even. */
function doublesToHalves(code: FunctionBuilder, local: number, scratch: readonly number[]): void {
  const [magnitude, rounded, result] = scratch as [number, number, number];
  const splat64 = (value: bigint): void => {
    const words = [Number(value & 0xffffffffn), Number(value >> 32n)];
    code.v128([...words, ...words]);
  };
  code.get(local).op('f64x2.abs').set(magnitude);
  // Normal: drop 42 bits of the significand, to even; then the exponent's bias changes from 1023 to 15.
  code.get(magnitude).i32(42).op('i64x2.shr_u');
  splat64(1n);
  code.op('v128.and').get(magnitude).op('i64x2.add');
  splat64((1n << 41n) - 1n);
  code.op('i64x2.add').i32(42).op('i64x2.shr_u');
  splat64(1008n << 10n);
  code.op('i64x2.sub').set(rounded);
  // Too large, or infinite.
  splat64(0x7c00n);
  code.get(rounded);
  code.get(rounded);
  splat64(0x7c00n);
  code.op('i64x2.gt_s').op('v128.bitselect').set(rounded);
  // Subnormal: 2^28 has an ulp of 2^-24, f16's smallest step.
  code
    .get(magnitude)
    .f64(2 ** 28)
    .op('f64x2.splat')
    .op('f64x2.add');
  splat64(0xffffn);
  code.op('v128.and').get(rounded);
  code
    .get(magnitude)
    .f64(2 ** -14)
    .op('f64x2.splat')
    .op('f64x2.lt')
    .op('v128.bitselect')
    .set(result);
  splat64(0x7fffn);
  code.get(result);
  code.get(local).get(local).op('f64x2.ne').op('v128.bitselect').set(result);
  code.get(local).i32(48).op('i64x2.shr_u');
  splat64(0x8000n);
  code.op('v128.and').get(result).op('v128.or').set(local);
}
