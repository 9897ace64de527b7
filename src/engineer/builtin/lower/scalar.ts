/** C++ types and literals: what an element is stored as, and what arithmetic on it is done in. */
import type { DType } from '../../../task/index.ts';

/** The type of a local variable in a kernel. Half precisions compute in float, small integers in int. */
export type ComputeType = 'float' | 'double' | 'int' | 'long long' | 'bool';

interface Storage {
  /** Element type of a kernel's pointer. */
  type: string;
  compute: ComputeType;
  bytes: number;
  /** Template argument of `data_ptr` and the tensor's scalar type, in the host function. */
  host: string;
  scalarType: string;
  /** C++ that turns a stored element into the compute type and back. */
  load: (element: string) => string;
  store: (value: string) => string;
}

const plain = (element: string) => element;
const integer = (type: string, host: string, scalarType: string, bytes: number): Storage => ({
  type,
  compute: 'int',
  bytes,
  host,
  scalarType,
  load: plain,
  store: (value) => (type === 'int' ? value : `static_cast<${type}>(${value})`),
});

/** How each dtype is stored, loaded and computed with. */
export const storage: Readonly<Record<DType, Storage>> = {
  float32: {
    type: 'float',
    compute: 'float',
    bytes: 4,
    host: 'float',
    scalarType: 'torch::kFloat32',
    load: plain,
    store: plain,
  },
  float64: {
    type: 'double',
    compute: 'double',
    bytes: 8,
    host: 'double',
    scalarType: 'torch::kFloat64',
    load: plain,
    store: plain,
  },
  float16: {
    type: '__half',
    compute: 'float',
    bytes: 2,
    host: 'at::Half',
    scalarType: 'torch::kFloat16',
    load: (element) => `__half2float(${element})`,
    store: (value) => `__float2half_rn(${value})`,
  },
  bfloat16: {
    type: '__nv_bfloat16',
    compute: 'float',
    bytes: 2,
    host: 'at::BFloat16',
    scalarType: 'torch::kBFloat16',
    load: (element) => `__bfloat162float(${element})`,
    store: (value) => `__float2bfloat16_rn(${value})`,
  },
  int64: {
    type: 'int64_t',
    compute: 'long long',
    bytes: 8,
    host: 'int64_t',
    scalarType: 'torch::kInt64',
    load: plain,
    store: plain,
  },
  int32: integer('int', 'int', 'torch::kInt32', 4),
  int16: integer('int16_t', 'int16_t', 'torch::kInt16', 2),
  int8: integer('int8_t', 'int8_t', 'torch::kInt8', 1),
  uint8: integer('uint8_t', 'uint8_t', 'torch::kUInt8', 1),
  bool: {
    type: 'bool',
    compute: 'bool',
    bytes: 1,
    host: 'bool',
    scalarType: 'torch::kBool',
    load: plain,
    store: plain,
  },
};

export function isFloating(type: ComputeType): boolean {
  return type === 'float' || type === 'double';
}

/** The number behind an attribute that may spell infinities and NaN. */
export function attributeNumber(value: unknown): number {
  if (typeof value === 'number') return value;
  if (value === 'inf') return Infinity;
  if (value === '-inf') return -Infinity;
  if (value === 'nan') return Number.NaN;
  if (typeof value === 'boolean') return value ? 1 : 0;
  throw new TypeError(`not a number: ${JSON.stringify(value)}`);
}

/** A literal of the given type. Floats print the shortest text that reads back as the same float32. */
export function literal(value: number, type: ComputeType): string {
  if (type === 'bool') return value !== 0 ? 'true' : 'false';
  if (!isFloating(type)) {
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not an integer that a kernel can hold exactly`);
    if (type === 'long long') return `${value}LL`;
    return value === -2147483648 ? '(-2147483647 - 1)' : `${value}`;
  }
  if (Number.isNaN(value)) return type === 'float' ? 'NAN' : 'static_cast<double>(NAN)';
  const infinity = type === 'float' ? 'INFINITY' : 'static_cast<double>(INFINITY)';
  if (value === Infinity) return infinity;
  if (value === -Infinity) return `-${infinity}`;
  if (type === 'double') return withPoint(String(value));
  const rounded = Math.fround(value);
  if (!Number.isFinite(rounded)) return value > 0 ? infinity : `-${infinity}`;
  return `${withPoint(shortestFloat(rounded))}f`;
}

function withPoint(text: string): string {
  return /[.e]/.test(text) ? text : `${text}.0`;
}

function shortestFloat(value: number): string {
  for (let digits = 1; digits <= 9; digits++) {
    const text = Number(value.toPrecision(digits));
    if (Math.fround(text) === value) return String(text);
  }
  return String(value);
}

/** The name of a C math function for a floating type: `expf` for float, `exp` for double. */
export function mathFunction(name: string, type: ComputeType): string {
  return type === 'double' ? name : `${name}f`;
}
