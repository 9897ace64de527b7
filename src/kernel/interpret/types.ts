/**
 * The C++ types that host code handles, with the sizes, conversions and mangled names of x86-64 Linux (Itanium ABI),
 * which are those nvcc uses.
 */
import type { DType } from '../../task/index.ts';
import type { Cv } from '../cpp/ast.ts';
import type { TemplateValue } from '../trace.ts';
import type { StructValue, Value } from './values.ts';

export interface IntType {
  kind: 'int';
  name: string;
  /** 1 for bool. */
  bits: 1 | 8 | 16 | 32 | 64;
  signed: boolean;
  mangled: string;
  /** Set for enumerations: the name its values are printed with. */
  enumeration?: string;
  /** For the candidate's enumerations: namespaces ('' an anonymous one) and own name. */
  path?: readonly string[];
}

export interface FloatType {
  kind: 'float';
  name: string;
  format: 'float64' | 'float32' | 'float16' | 'bfloat16';
  mangled: string;
}

export interface StructField {
  name: string;
  type: CppType;
  /** `int& n`: the field is another variable. */
  isReference?: boolean;
  /** `alignas(16)` of the field. */
  alignment?: number;
}

/** What a candidate's struct does where the rules of the language ask for it: the interpreter's, set for its own structs. */
export interface StructBehaviour {
  /** `S{a, b}`, and `S s = a` for a constructor of one value. */
  make(values: readonly Value[], line: number): Value;
  /** Through its conversion function to this type; undefined where it has none. */
  convertTo(self: StructValue, type: CppType, line: number): Value | undefined;
  /** Its own operator with these operands; undefined where it has none. */
  operator(name: string, operands: readonly Value[], line: number): Value | undefined;
  /** Whether a constructor takes one value. */
  converts: boolean;
  /** It has virtual functions: its layout holds a pointer that no plan can. */
  isPolymorphic: boolean;
}

export interface StructType {
  kind: 'struct';
  /** As C++ spells it. */
  name: string;
  fields: readonly StructField[];
  alignment: number;
  /** Index of the declaration in the program, for default initializers and member functions. */
  declaration?: number;
  /** Its bases; their fields come first in `fields`. */
  bases?: readonly StructType[];
  /** For the candidate's structs: namespaces ('' an anonymous one) and own name, without template arguments. */
  path?: readonly string[];
  templateArguments?: readonly TemplateValue[];
  /** Of a specialization: what its own template parameters are. */
  patternArguments?: readonly TemplateValue[];
  behaviour?: StructBehaviour;
}

/**
 * What a type has on top of itself where that counts: behind a pointer, and in template arguments. Variables and values have none (`const` of a
 * variable is its cell's).
 */
export interface Qualifiers {
  cv?: Cv;
  reference?: '&' | '&&';
}

export type CppType = Qualifiers & UnqualifiedType;

type UnqualifiedType =
  | { kind: 'void' }
  | { kind: 'auto' }
  | IntType
  | FloatType
  | { kind: 'pointer'; to: CppType }
  | StructType
  /** vector, array, initializer_list, IntArrayRef, and built-in arrays have `element`; tuple and pair have `elements`. */
  | { kind: 'list'; container: Container; element?: CppType; elements?: readonly CppType[]; size?: number }
  | { kind: 'optional'; of: CppType }
  /** A class of the standard library or of PyTorch that values carry whole. */
  | { kind: 'library'; name: LibraryType /** What a std::function gives. */; returns?: CppType };

export type Container =
  | 'vector'
  | 'array'
  | 'initializer_list'
  | 'IntArrayRef'
  | 'tuple'
  | 'built-in array'
  /** Their `element` is the entry: a tuple of key and value, or the key. */
  | 'map'
  | 'unordered_map'
  | 'set'
  | 'unordered_set';

export type LibraryType =
  | 'Tensor'
  | 'string'
  | 'TensorOptions'
  | 'ScalarType'
  | 'Device'
  | 'MemoryFormat'
  | 'Layout'
  | 'Scalar'
  | 'stream'
  | 'callable'
  | 'string stream'
  | 'iterator'
  | 'guard'
  | 'device properties';

function int(name: string, bits: IntType['bits'], signed: boolean, mangled: string): IntType {
  return { kind: 'int', name, bits, signed, mangled };
}

export const BOOL = int('bool', 1, false, 'b');
export const CHAR = int('char', 8, true, 'c');
export const INT = int('int', 32, true, 'i');
export const UINT = int('unsigned int', 32, false, 'j');
export const LONG = int('long', 64, true, 'l');
export const ULONG = int('unsigned long', 64, false, 'm');
const SCHAR = int('signed char', 8, true, 'a');
const UCHAR = int('unsigned char', 8, false, 'h');
const SHORT = int('short', 16, true, 's');
const USHORT = int('unsigned short', 16, false, 't');
export const LONG_LONG = int('long long', 64, true, 'x');
export const ULONG_LONG = int('unsigned long long', 64, false, 'y');

export const DOUBLE: FloatType = { kind: 'float', name: 'double', format: 'float64', mangled: 'd' };
export const FLOAT: FloatType = { kind: 'float', name: 'float', format: 'float32', mangled: 'f' };
export const HALF: FloatType = { kind: 'float', name: 'c10::Half', format: 'float16', mangled: 'N3c104HalfE' };
export const BFLOAT16: FloatType = {
  kind: 'float',
  name: 'c10::BFloat16',
  format: 'bfloat16',
  mangled: 'N3c108BFloat16E',
};
const CUDA_HALF: FloatType = { kind: 'float', name: '__half', format: 'float16', mangled: '6__half' };
const CUDA_BFLOAT16: FloatType = {
  kind: 'float',
  name: '__nv_bfloat16',
  format: 'bfloat16',
  mangled: '13__nv_bfloat16',
};

export const VOID: CppType = { kind: 'void' };
export const AUTO: CppType = { kind: 'auto' };

export function library(name: LibraryType): CppType {
  return { kind: 'library', name };
}

/** The type with these on top of what it has: qualifiers add up and mean nothing to a reference; `T& &&` is `T&` (C++ [dcl.ref]). */
export function qualified(type: CppType, cv: Cv | undefined, reference?: '&' | '&&' | ''): CppType {
  const added = type.reference ? type.cv : bothCv(type.cv, cv);
  const refers = type.reference === '&' ? '&' : reference || type.reference;
  if (added === type.cv && refers === type.reference) return type;
  const on: Qualifiers = { ...(added && { cv: added }), ...(refers && { reference: refers }) };
  const plain = unqualified(type);
  // A struct may be incomplete: what is still put into it must be seen in all its forms.
  return plain.kind === 'struct' ? Object.assign(Object.create(plain), on) : { ...plain, ...on };
}

/** The type without qualifiers and reference of its own; those behind its pointers stay. */
export function unqualified<T extends CppType>(type: T): T {
  if (type.cv === undefined && type.reference === undefined) return type;
  if (type.kind === 'struct') return Object.getPrototypeOf(type) as T;
  const { cv, reference, ...plain } = type;
  return plain as T;
}

/** `const T*` takes the `const` of what it is matched with; `T*` leaves it to T. */
export function withoutCv(type: CppType, written: Cv | undefined): CppType {
  const left = (['const', 'volatile'] as const).filter((word) => type.cv?.includes(word) && !written?.includes(word));
  return left.reduce<CppType>((made, word) => qualified(made, word), unqualified(type));
}

/** What both have between them. */
export function bothCv(a: Cv | undefined, b: Cv | undefined): Cv | undefined {
  if (a === undefined || b === undefined || a === b) return a ?? b;
  return 'const volatile';
}

/** Whether a pointer to `from` may become one to `to`: nothing of `const` and `volatile` is lost. */
export function keepsCv(from: CppType, to: CppType): boolean {
  return bothCv(from.cv, to.cv) === to.cv;
}

export function pointerTo(to: CppType): CppType {
  return { kind: 'pointer', to };
}

/** Fundamental types by their words sorted alphabetically, as the type parser gives them, and the fixed-width names. */
export const NAMED_TYPES: ReadonlyMap<string, CppType> = new Map<string, CppType>([
  ['void', VOID],
  ['auto', AUTO],
  ['bool', BOOL],
  ['char', CHAR],
  ['char signed', SCHAR],
  ['char unsigned', UCHAR],
  ['short', SHORT],
  ['int short', SHORT],
  ['short signed', SHORT],
  ['short unsigned', USHORT],
  ['int short unsigned', USHORT],
  ['int', INT],
  ['signed', INT],
  ['int signed', INT],
  ['unsigned', UINT],
  ['int unsigned', UINT],
  ['long', LONG],
  ['int long', LONG],
  ['long signed', LONG],
  ['long unsigned', ULONG],
  ['int long unsigned', ULONG],
  ['long long', LONG_LONG],
  ['int long long', LONG_LONG],
  ['long long unsigned', ULONG_LONG],
  ['int long long unsigned', ULONG_LONG],
  ['float', FLOAT],
  ['double', DOUBLE],
  ['int8_t', SCHAR],
  ['uint8_t', UCHAR],
  ['int16_t', SHORT],
  ['uint16_t', USHORT],
  ['int32_t', INT],
  ['uint32_t', UINT],
  ['int64_t', LONG],
  ['uint64_t', ULONG],
  ['size_t', ULONG],
  ['ssize_t', LONG],
  ['ptrdiff_t', LONG],
  ['intptr_t', LONG],
  ['uintptr_t', ULONG],
  ['uint', UINT],
  ['uchar', UCHAR],
  ['ushort', USHORT],
  ['ulong', ULONG],
  ['half', CUDA_HALF],
  ['__half', CUDA_HALF],
  ['nv_bfloat16', CUDA_BFLOAT16],
  ['__nv_bfloat16', CUDA_BFLOAT16],
  ['torch::Half', HALF],
  ['torch::BFloat16', BFLOAT16],
  ['cudaError_t', { ...INT, name: 'cudaError_t', mangled: '9cudaError', enumeration: 'cudaError_t' }],
  ['cudaStream_t', library('stream')],
  ['dim3', vectorStruct('dim3', UINT, 3)],
]);

/** cuda_fp16.h and cuda_bf16.h: pairs, aligned to their whole size. */
const REDUCED_PAIRS: Readonly<Record<string, StructType>> = {
  __half2: { ...vectorStruct('__half2', CUDA_HALF, 2), alignment: 4 },
  __nv_bfloat162: { ...vectorStruct('__nv_bfloat162', CUDA_BFLOAT16, 2), alignment: 4 },
};

/** CUDA's short vectors: `float4`, `int2`, `__half2`, ... */
export function cudaVector(name: string): StructType | undefined {
  const pair = REDUCED_PAIRS[name.replace(/^(half2|nv_bfloat162)$/, '__$1')];
  if (pair) return pair;
  const match = /^(u?(?:char|short|int|longlong|long)|float|double)([1-4])$/.exec(name);
  if (!match) return undefined;
  const unsigned = match[1]?.startsWith('u') ? ' unsigned' : '';
  const base = (match[1] ?? '').replace(/^u/, '').replace('longlong', 'long long');
  const element = NAMED_TYPES.get(base === 'char' && !unsigned ? 'char signed' : base + unsigned);
  if (!element) return undefined;
  const count = Number(match[2]);
  const size = sizeOf(element);
  // vector_types.h: 2 and 4 element vectors are aligned to their whole size, at most 16 bytes.
  const alignment = count === 3 || count === 1 ? size : Math.min(16, size * count);
  return { ...vectorStruct(name, element, count), alignment };
}

function vectorStruct(name: string, element: CppType, count: number): StructType {
  const fields = ['x', 'y', 'z', 'w'].slice(0, count).map((field) => ({ name: field, type: element }));
  return { kind: 'struct', name, fields, alignment: sizeOf(element) };
}

/** ATen/core/TensorAccessor.h: a pointer, then sizes and strides as arrays of 32 or 64 bit integers. */
export function packedAccessor(element: CppType, dimensions: number, bits: 32 | 64): StructType {
  const array: CppType = {
    kind: 'list',
    container: 'built-in array',
    element: bits === 32 ? INT : LONG,
    size: dimensions,
  };
  return {
    kind: 'struct',
    name: `torch::PackedTensorAccessor${bits}<${spellType(element)}, ${dimensions}>`,
    fields: [
      { name: 'data_', type: pointerTo(element) },
      { name: 'sizes_', type: array },
      { name: 'strides_', type: array },
    ],
    alignment: 8,
  };
}

/** `sizeof`; 0 where a type has no size that matters to a plan. */
export function sizeOf(type: CppType): number {
  switch (type.kind) {
    case 'int':
      return type.bits === 1 ? 1 : type.bits / 8;
    case 'float':
      return { float64: 8, float32: 4, float16: 2, bfloat16: 2 }[type.format];
    case 'pointer':
      return 8;
    case 'struct':
      return structLayout(type).size;
    case 'list':
      return type.container === 'built-in array' || type.container === 'array'
        ? sizeOf(type.element ?? VOID) * (type.size ?? 0)
        : 0;
    default:
      return 0;
  }
}

export function alignmentOf(type: CppType): number {
  if (type.kind === 'struct') return Math.max(type.alignment, ...type.fields.map(fieldAlignment), 1);
  if (type.kind === 'list') return alignmentOf(type.element ?? VOID);
  return Math.max(1, sizeOf(type));
}

function fieldAlignment({ type, alignment }: StructField): number {
  return Math.max(alignmentOf(type), alignment ?? 1);
}

/** Offsets of a struct's fields and its size, by the ABI's rules for plain data. */
export function structLayout(type: StructType): { offsets: number[]; size: number } {
  let at = 0;
  const offsets: number[] = [];
  for (const field of type.fields) {
    const alignment = fieldAlignment(field);
    at = Math.ceil(at / alignment) * alignment;
    offsets.push(at);
    at += sizeOf(field.type);
  }
  const alignment = alignmentOf(type);
  return { offsets, size: Math.max(1, Math.ceil(at / alignment) * alignment) };
}

/** Name for messages and for template arguments in the code given to nvcc. */
export function spellType(type: CppType): string {
  const { cv, reference } = type;
  if (cv === undefined && reference === undefined) return spellPlain(type);
  const plain = spellPlain(unqualified(type));
  const whole = cv === undefined ? plain : type.kind === 'pointer' ? `${plain} ${cv}` : `${cv} ${plain}`;
  return whole + (reference ?? '');
}

function spellPlain(type: CppType): string {
  switch (type.kind) {
    case 'void':
      return 'void';
    case 'auto':
      return 'auto';
    case 'int':
    case 'float':
    case 'struct':
    case 'library':
      return type.name;
    case 'pointer':
      return `${spellType(type.to)}*`;
    case 'optional':
      return `optional<${spellType(type.of)}>`;
    case 'list':
      return type.element ? `${type.container}<${spellType(type.element)}>` : type.container;
  }
}

export function sameType(a: CppType, b: CppType): boolean {
  if (a.kind !== b.kind || a.cv !== b.cv || a.reference !== b.reference) return false;
  switch (a.kind) {
    case 'int':
      return b.kind === 'int' && a.mangled === b.mangled;
    case 'float':
      return b.kind === 'float' && a.mangled === b.mangled;
    case 'pointer':
      return b.kind === 'pointer' && sameType(a.to, b.to);
    default:
      return spellType(a) === spellType(b);
  }
}

/** The same but for `const` and `volatile`, at any depth: what pointers convert between where they lose none. */
export function similarType(a: CppType, b: CppType): boolean {
  if (a.kind === 'pointer' && b.kind === 'pointer') return similarType(a.to, b.to);
  return sameType(unqualified(a), unqualified(b));
}

/** PyTorch's element type as the C++ type that `scalar_t` and `data_ptr<T>` use. */
export function cppTypeOf(dtype: DType): CppType {
  switch (dtype) {
    case 'float64':
      return DOUBLE;
    case 'float32':
      return FLOAT;
    case 'float16':
      return HALF;
    case 'bfloat16':
      return BFLOAT16;
    case 'int64':
      return LONG;
    case 'int32':
      return INT;
    case 'int16':
      return SHORT;
    case 'int8':
      return SCHAR;
    case 'uint8':
      return UCHAR;
    case 'bool':
      return BOOL;
  }
}

/** The dtype whose elements this C++ type holds, or undefined. */
export function dtypeOf(type: CppType): DType | undefined {
  if (type.kind === 'float') return type.format;
  if (type.kind !== 'int') return undefined;
  // biome-ignore format: a list
  switch (`${type.signed ? 's' : 'u'}${type.bits}`) {
    case 's64':
      return 'int64';
    case 's32':
      return 'int32';
    case 's16':
      return 'int16';
    case 's8':
      return 'int8';
    case 'u8':
      return 'uint8';
    case 'u1':
      return 'bool';
    default:
      return undefined;
  }
}
