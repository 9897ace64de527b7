/**
 * Tensors on the host: sizes, strides, rounding to an element type, and little-endian bytes.
 * One file holds every conversion between a float64 value and the bits a GPU sees, so that the judge, the
 * virtual GPU's inputs and the reference can never disagree about what a bfloat16 is.
 */
import { TaskError } from '../trace/task-error.ts';
import type { DType, HostTensor, TensorSpec } from '../types.ts';

/** Bytes of one element. */
export const elementBytes: Readonly<Record<DType, number>> = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint8: 1,
  bool: 1,
};

/** True for the four floating-point element types. */
export function isFloating(dtype: DType): boolean {
  return dtype === 'float64' || dtype === 'float32' || dtype === 'float16' || dtype === 'bfloat16';
}

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) count *= size;
  return count;
}

/**
 * Room for the values of a tensor, all zero.
 * @throws TaskError where this process cannot have that much memory.
 */
export function newValues(shape: readonly number[]): Float64Array {
  const count = elementCount(shape);
  try {
    return new Float64Array(count);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const message = `A tensor of shape [${shape.join(', ')}] takes ${((8 * count) / 1e9).toFixed(1)} GB as float64, more than this process can have: make the task's sizes smaller, or use --scale.`;
    throw new TaskError('memory', message);
  }
}

/** Bytes of a tensor when stored densely. */
export function tensorBytes(spec: TensorSpec): number {
  return elementCount(spec.shape) * elementBytes[spec.dtype];
}

/** Row-major strides in elements. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    strides[d] = step;
    step *= shape[d]!;
  }
  return strides;
}

/** For messages: `float32[4, 8]`. */
export function specText(spec: TensorSpec): string {
  return `${spec.dtype}[${spec.shape.join(', ')}]`;
}

/** True if shape and element type agree. */
export function sameSpec(a: TensorSpec, b: TensorSpec): boolean {
  return a.dtype === b.dtype && sameShape(a.shape, b.shape);
}

/** True if the two shapes agree. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, d) => size === b[d]);
}

/** True if spec and every value agree; NaN equals NaN, and -0 equals 0. */
export function equalTensors(a: HostTensor, b: HostTensor): boolean {
  if (!sameSpec(a.spec, b.spec)) return false;
  for (let i = 0; i < a.values.length; i++) {
    const x = a.values[i]!;
    const y = b.values[i]!;
    if (x !== y && !(Number.isNaN(x) && Number.isNaN(y))) return false;
  }
  return true;
}

const word = new DataView(new ArrayBuffer(8));
const float64Word = new Float64Array(1);
const uint32Words = new Uint32Array(float64Word.buffer);
const float32Word = new Float32Array(1);
const float32Bits = new Uint32Array(float32Word.buffer);

/** 1.5 * 2^(52 + e) for e = index - 1200: adding and subtracting it rounds to a multiple of 2^e, ties to even. */
const roundingMagic = Float64Array.from({ length: 2200 }, (_, i) => 1.5 * 2 ** (i - 1200 + 52));

/**
 * Rounds to the nearest value with `fraction` explicit fraction bits and least normal exponent `minExponent`,
 * ties to even, subnormals kept. Overflow is left to the caller.
 */
function roundToFraction(x: number, fraction: number, minExponent: number): number {
  float64Word[0] = x;
  const biased = (uint32Words[1]! >>> 20) & 0x7ff;
  if (biased === 0x7ff) return x;
  const exponent = Math.max(biased - 1023, minExponent);
  const magic = roundingMagic[exponent - fraction + 1200]!;
  const rounded = x + magic - magic;
  return rounded === 0 && (x < 0 || Object.is(x, -0)) ? -0 : rounded;
}

/** Nearest float16 value, as float64; beyond 65504 (after rounding) it is infinite. */
export function roundFloat16(x: number): number {
  const r = roundToFraction(x, 10, -14);
  return r > 65504 ? Infinity : r < -65504 ? -Infinity : r;
}

const bfloat16Max = (2 - 2 ** -7) * 2 ** 127;

/** Nearest bfloat16 value, as float64. */
export function roundBfloat16(x: number): number {
  const r = roundToFraction(x, 7, -126);
  return r > bfloat16Max ? Infinity : r < -bfloat16Max ? -Infinity : r;
}

/** Nearest value with TF32's 10 fraction bits and float32's exponent range, as float64. */
export function roundTf32(x: number): number {
  const r = roundToFraction(x, 10, -126);
  const max = (2 - 2 ** -10) * 2 ** 127;
  return r > max ? Infinity : r < -max ? -Infinity : r;
}

/** Nearest (or, for integers, wrapped) value of an element type for one number. Integers are truncated towards zero first. */
export function rounderOf(dtype: DType): (x: number) => number {
  switch (dtype) {
    case 'float64':
      return (x) => x;
    case 'float32':
      return Math.fround;
    case 'float16':
      return roundFloat16;
    case 'bfloat16':
      return roundBfloat16;
    case 'bool':
      return (x) => (x !== 0 ? 1 : 0);
    case 'int64':
      return (x) => representable(x);
    case 'int32':
      return (x) => representable(x) | 0;
    case 'int16':
      return (x) => (representable(x) << 16) >> 16;
    case 'int8':
      return (x) => (representable(x) << 24) >> 24;
    case 'uint8':
      return (x) => representable(x) & 0xff;
  }
}

/** Truncates to an integer; refuses what float64 cannot hold exactly, because a wrong integer must never pass for a right one. */
function representable(x: number): number {
  const t = Math.trunc(x);
  if (!(Math.abs(t) <= Number.MAX_SAFE_INTEGER)) {
    throw new Error(
      `The integer value ${x} arises here; integers beyond 2^53 (and NaN or infinity made an integer) are not supported.`,
    );
  }
  return t + 0;
}

/** Rounds every value in place to `dtype` and returns the array. */
export function roundArray(values: Float64Array, dtype: DType): Float64Array {
  if (dtype === 'float64') return values;
  if (dtype === 'float32') {
    for (let i = 0; i < values.length; i++) values[i] = Math.fround(values[i]!);
    return values;
  }
  const round = rounderOf(dtype);
  for (let i = 0; i < values.length; i++) values[i] = round(values[i]!);
  return values;
}

/** A tensor from numbers, rounded to its element type. Throws if the count does not fit the shape. */
export function hostTensor(shape: readonly number[], dtype: DType, values: ArrayLike<number>): HostTensor {
  if (values.length !== elementCount(shape)) {
    throw new Error(
      `A tensor of shape [${shape.join(', ')}] needs ${elementCount(shape)} values, not ${values.length}.`,
    );
  }
  return { spec: { shape, dtype }, values: roundArray(Float64Array.from(values), dtype) };
}

/** Bits of the nearest float16. NaN becomes the quiet NaN 0x7e00. */
export function float16Bits(x: number): number {
  if (Number.isNaN(x)) return 0x7e00;
  const r = roundFloat16(x);
  const sign = r < 0 || Object.is(r, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(r);
  if (magnitude === Infinity) return sign | 0x7c00;
  if (magnitude < 2 ** -14) return sign | (magnitude * 2 ** 24);
  float64Word[0] = magnitude;
  const exponent = ((uint32Words[1]! >>> 20) & 0x7ff) - 1023;
  return sign | ((exponent + 15) << 10) | ((uint32Words[1]! >>> 10) & 0x3ff);
}

/** The value of float16 bits. */
export function float16Value(bits: number): number {
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Bits of the nearest bfloat16. NaN becomes the quiet NaN 0x7fc0. */
export function bfloat16Bits(x: number): number {
  if (Number.isNaN(x)) return 0x7fc0;
  float32Word[0] = roundBfloat16(x);
  return float32Bits[0]! >>> 16;
}

/** The value of bfloat16 bits. */
export function bfloat16Value(bits: number): number {
  float32Bits[0] = bits << 16;
  return float32Word[0]!;
}

/** Little-endian bytes of a tensor, as the GPU holds it. Values are rounded to the element type (they should be so already). */
export function encode(tensor: HostTensor): Uint8Array {
  const { values } = tensor;
  const { dtype } = tensor.spec;
  const count = values.length;
  const bytes = new Uint8Array(count * elementBytes[dtype]);
  switch (dtype) {
    case 'float64':
      new Float64Array(bytes.buffer).set(values);
      break;
    case 'float32':
      new Float32Array(bytes.buffer).set(values);
      break;
    case 'float16': {
      const out = new Uint16Array(bytes.buffer);
      for (let i = 0; i < count; i++) out[i] = float16Bits(values[i]!);
      break;
    }
    case 'bfloat16': {
      const out = new Uint16Array(bytes.buffer);
      for (let i = 0; i < count; i++) out[i] = bfloat16Bits(values[i]!);
      break;
    }
    case 'int64': {
      const out = new Int32Array(bytes.buffer);
      for (let i = 0; i < count; i++) {
        const v = representable(values[i]!);
        out[2 * i] = v % 4294967296;
        out[2 * i + 1] = Math.floor(v / 4294967296);
      }
      break;
    }
    case 'int32':
      new Int32Array(bytes.buffer).set(values);
      break;
    case 'int16':
      new Int16Array(bytes.buffer).set(values);
      break;
    case 'int8':
    case 'uint8':
      bytes.set(values);
      break;
    case 'bool':
      for (let i = 0; i < count; i++) bytes[i] = values[i] ? 1 : 0;
  }
  return bytes;
}

let float16Table: Float64Array | undefined;

/**
 * A tensor from little-endian bytes. Throws when the byte count does not fit the spec, or when an int64 lies beyond 2^53.
 * A bool byte other than 0 or 1 reads as true, as CUDA code would read it.
 */
export function decode(bytes: Uint8Array, spec: TensorSpec): HostTensor {
  const count = elementCount(spec.shape);
  if (bytes.byteLength !== count * elementBytes[spec.dtype]) {
    throw new Error(`${specText(spec)} takes ${count * elementBytes[spec.dtype]} bytes, not ${bytes.byteLength}.`);
  }
  // A typed-array view needs an aligned start; a slice of a bigger buffer may not have one.
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
  const at = [aligned.buffer, aligned.byteOffset, count] as const;
  const values = new Float64Array(count);
  switch (spec.dtype) {
    case 'float64':
      values.set(new Float64Array(...at));
      break;
    case 'float32':
      values.set(new Float32Array(...at));
      break;
    case 'float16': {
      float16Table ??= Float64Array.from({ length: 65536 }, (_, bits) => float16Value(bits));
      const source = new Uint16Array(...at);
      for (let i = 0; i < count; i++) values[i] = float16Table[source[i]!]!;
      break;
    }
    case 'bfloat16': {
      const source = new Uint16Array(...at);
      for (let i = 0; i < count; i++) values[i] = bfloat16Value(source[i]!);
      break;
    }
    case 'int64': {
      const low = new Uint32Array(aligned.buffer, aligned.byteOffset, 2 * count);
      for (let i = 0; i < count; i++) {
        word.setUint32(0, low[2 * i + 1]!);
        const v = word.getInt32(0) * 4294967296 + low[2 * i]!;
        if (!Number.isSafeInteger(v)) throw new Error(`Element ${i} is an int64 beyond 2^53, which is not supported.`);
        values[i] = v;
      }
      break;
    }
    case 'int32':
      values.set(new Int32Array(...at));
      break;
    case 'int16':
      values.set(new Int16Array(...at));
      break;
    case 'int8':
      values.set(new Int8Array(...at));
      break;
    case 'uint8':
      values.set(aligned);
      break;
    case 'bool':
      for (let i = 0; i < count; i++) values[i] = aligned[i] ? 1 : 0;
  }
  return { spec, values };
}
