/**
 * Tensor maps (`CUtensorMap`): how the tensor copies of Hopper see a tensor of up to five dimensions in global memory and
 * the box of it that one copy moves. A kernel gets one as 128 opaque bytes, a `const __grid_constant__ CUtensorMap`
 * parameter or in constant or global memory; here the bytes hold a handle and the tensor's address.
 *
 * What is checked is what cuTensorMapEncodeTiled documents (CUDA driver API, "Tensor Map Object Management").
 */
import type { DeviceMemory } from './memory.ts';
import { TENSOR_MAP_TAG } from './memory-layout.ts';
import type { PtxType } from './ptx/ir.ts';
import type { DevicePointer } from './types.ts';

/** `CUtensorMapDataType`, without the packed sub-byte types. */
export type TensorMapType =
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'int32'
  | 'uint64'
  | 'int64'
  | 'float16'
  | 'float32'
  | 'float64'
  | 'bfloat16'
  | 'float32-ftz';

export type SwizzleMode = 'none' | '32B' | '64B' | '128B';

export interface TensorMapDescription {
  /** The tensor's first element; a multiple of 16. */
  readonly pointer: DevicePointer;
  readonly type: TensorMapType;
  /** Elements by dimension, the innermost (contiguous) first; 1 to 5 dimensions. */
  readonly dims: readonly number[];
  /** Bytes from one element to the next of each dimension but the innermost; multiples of 16. */
  readonly strides: readonly number[];
  /** Elements that one copy moves, by dimension; each at most 256. */
  readonly box: readonly number[];
  /** Every how many elements are taken (default 1); the innermost dimension's is ignored, as on hardware. At most 8. */
  readonly elementStrides?: readonly number[];
  /** Only `none` (default) is supported. */
  readonly interleave?: 'none' | '16B' | '32B';
  /** How 16-byte pieces are permuted in shared memory (default none). */
  readonly swizzle?: SwizzleMode;
  /** A hint; it changes nothing here. */
  readonly l2Promotion?: 'none' | '64B' | '128B' | '256B';
  /** What elements outside of the tensor become: `zeros` (default); the NaN of `nan` is not documented and not supported. */
  readonly oobFill?: 'zeros' | 'nan';
}

export interface BoundTensorMap {
  readonly pointer: DevicePointer;
  /** Offset in the WebAssembly memory. */
  readonly base: number;
  readonly elementBytes: number;
  /** For reductions. */
  readonly type: PtxType;
  readonly dims: readonly number[];
  /** Bytes, the innermost dimension included. */
  readonly strides: readonly number[];
  /** Elements of the box that are really moved, by dimension. */
  readonly counts: readonly number[];
  readonly elementStrides: readonly number[];
  readonly swizzle: SwizzleMode;
  /** Subnormal numbers are loaded as zeros. */
  readonly flush: boolean;
  /** Bytes of the box in shared memory. */
  readonly boxBytes: number;
}

/** Bytes of an element, and its PTX type. */
const TYPES: Readonly<Record<TensorMapType, readonly [number, PtxType]>> = {
  uint8: [1, 'u8'],
  uint16: [2, 'u16'],
  uint32: [4, 'u32'],
  int32: [4, 's32'],
  uint64: [8, 'u64'],
  int64: [8, 's64'],
  float16: [2, 'f16'],
  float32: [4, 'f32'],
  float64: [8, 'f64'],
  bfloat16: [2, 'bf16'],
  'float32-ftz': [4, 'f32'],
};

/** Bytes over which the pattern of a swizzle permutes: what the inner dimension of the box fills. */
const SPAN: Readonly<Record<SwizzleMode, number>> = {
  none: Number.POSITIVE_INFINITY,
  '32B': 32,
  '64B': 64,
  '128B': 128,
};

const MAX_BOX = 256;
const MAX_ELEMENT_STRIDE = 8;
export const TENSOR_MAP_BYTES = 128;

/** Checks a description. Throws a RangeError that says which rule it breaks. */
export function bindTensorMap(memory: DeviceMemory, description: TensorMapDescription): BoundTensorMap {
  const { pointer, dims, box, swizzle = 'none' } = description;
  const rank = dims.length;
  const refuse = (reason: string): never => {
    throw new RangeError(`this tensor map is not possible: ${reason}`);
  };
  const known = Object.hasOwn(TYPES, description.type) ? TYPES[description.type] : undefined;
  if (known === undefined) {
    return refuse(`elements of type ${description.type} are not supported; there are ${Object.keys(TYPES).join(', ')}`);
  }
  const [elementBytes, type] = known;
  if (rank < 1 || rank > 5) refuse(`it has ${rank} dimensions; 1 to 5 are possible`);
  const elementStrides = description.elementStrides ?? dims.map(() => 1);
  for (const [name, list, wanted] of [
    ['strides', description.strides, rank - 1],
    ['box', box, rank],
    ['elementStrides', elementStrides, rank],
  ] as const) {
    if (list.length !== wanted) refuse(`${name} has ${list.length} entries; ${rank} dimensions need ${wanted}`);
    if (list.some((value) => !Number.isSafeInteger(value))) refuse(`${name} must be whole numbers`);
  }
  if ((description.interleave ?? 'none') !== 'none') refuse(`interleave ${description.interleave} is not supported`);
  if ((description.oobFill ?? 'zeros') !== 'zeros') refuse('filling with NaN is not supported; only zeros are');
  if (pointer % 16n !== 0n) refuse('its address must be a multiple of 16');
  for (const [axis, size] of dims.entries()) {
    if (!Number.isSafeInteger(size) || size < 1 || size > 2 ** 32) {
      refuse(`dimension ${axis} has ${size} elements; 1 to 2^32 are possible`);
    }
  }
  for (const [index, stride] of description.strides.entries()) {
    if (stride % 16 !== 0 || stride < 0 || stride >= 2 ** 40) {
      refuse(`the stride of dimension ${index + 1} is ${stride} bytes; it must be a multiple of 16 below 2^40`);
    }
  }
  for (const [axis, size] of box.entries()) {
    if (size < 1 || size > MAX_BOX) refuse(`the box has ${size} elements in dimension ${axis}; 1 to 256 are possible`);
  }
  for (const [axis, step] of elementStrides.entries()) {
    if (step < 1 || step > MAX_ELEMENT_STRIDE) {
      refuse(`the element stride of dimension ${axis} is ${step}; 1 to 8 are possible`);
    }
  }
  const inner = box[0]! * elementBytes;
  if (inner % 16 !== 0) refuse(`the box is ${inner} bytes wide in its inner dimension; that must be a multiple of 16`);
  if (swizzle !== 'none' && inner > SPAN[swizzle]) {
    refuse(
      `the box is ${inner} bytes wide in its inner dimension; a swizzle of ${swizzle} takes at most ${SPAN[swizzle]}`,
    );
  }
  if (swizzle !== 'none' && inner < SPAN[swizzle]) {
    refuse(
      `the box is ${inner} bytes wide in its inner dimension; narrower than its swizzle of ${swizzle} is not supported`,
    );
  }
  const strides = [elementBytes, ...description.strides];
  const extent = dims.reduce((sum, size, axis) => sum + (size - 1) * strides[axis]!, elementBytes);
  const counts = box.map((size, axis) => (axis === 0 ? size : Math.ceil(size / elementStrides[axis]!)));
  return {
    pointer,
    base: memory.range(pointer, extent),
    elementBytes,
    type,
    dims: [...dims],
    strides,
    counts,
    elementStrides: elementStrides.map((step, axis) => (axis === 0 ? 1 : step)),
    swizzle,
    flush: description.type === 'float32-ftz',
    boxBytes: counts.reduce((product, count) => product * count, elementBytes),
  };
}

/** The 128 bytes that a kernel gets for the n-th tensor map of a GPU: the handle, then the tensor's address. */
export function tensorMapBytes(index: number, { pointer }: BoundTensorMap): Uint8Array {
  const bytes = new Uint8Array(TENSOR_MAP_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, index, true);
  view.setUint32(4, TENSOR_MAP_TAG, true);
  view.setBigUint64(8, pointer, true);
  return bytes;
}
