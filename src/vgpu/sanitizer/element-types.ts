/** The element types that a launch specification can name, and how a number becomes their bytes. */
import { numberToBf16, numberToF16 } from '../math/index.ts';

/** A CUDA scalar or short vector type. */
export interface ElementType {
  /** As CUDA C++ spells it. */
  readonly name: string;
  /** Of one component. */
  readonly bytes: number;
  readonly kind: 'float' | 'bfloat' | 'signed' | 'unsigned' | 'bool';
  /** 1, or 2 to 4 for `float4` and its like. */
  readonly components: number;
}

const SCALARS: readonly (readonly [kind: ElementType['kind'], bytes: number, ...names: string[]])[] = [
  ['float', 4, 'float'],
  ['float', 8, 'double'],
  ['float', 2, 'half', '__half', 'float16'],
  ['bfloat', 2, 'bfloat16', '__nv_bfloat16', 'nv_bfloat16'],
  ['signed', 4, 'int', 'int32_t', 'signed', 'signed int'],
  ['unsigned', 4, 'unsigned', 'unsigned int', 'uint32_t', 'uint'],
  ['signed', 8, 'long long', 'int64_t', 'long', 'ptrdiff_t', 'long long int', 'long int'],
  ['unsigned', 8, 'unsigned long long', 'uint64_t', 'size_t', 'unsigned long', 'unsigned long long int'],
  ['signed', 2, 'short', 'int16_t', 'short int'],
  ['unsigned', 2, 'unsigned short', 'uint16_t', 'ushort'],
  ['signed', 1, 'char', 'int8_t', 'signed char'],
  ['unsigned', 1, 'unsigned char', 'uint8_t', 'uchar'],
  ['bool', 1, 'bool'],
];

/** Scalars of which CUDA has vectors of 2, 3 and 4 (`float4`); 16-bit floats have `2` alone. */
const VECTOR_STEMS: readonly (readonly [stem: string, scalar: string, sizes: readonly number[]])[] = [
  ...(['float', 'double', 'int', 'uint', 'short', 'ushort', 'char', 'uchar'] as const).map(
    (stem) => [stem, stem, [2, 3, 4]] as const,
  ),
  ['longlong', 'long long', [2, 3, 4]],
  ['ulonglong', 'unsigned long long', [2, 3, 4]],
  ['half', 'half', [2]],
  ['__half', 'half', [2]],
  ['__nv_bfloat16', 'bfloat16', [2]],
];

const TYPES: ReadonlyMap<string, ElementType> = (() => {
  const types = new Map<string, ElementType>();
  for (const [kind, bytes, ...names] of SCALARS) {
    for (const name of names) types.set(name, { name, bytes, kind, components: 1 });
  }
  for (const [stem, scalar, sizes] of VECTOR_STEMS) {
    for (const components of sizes) {
      types.set(`${stem}${components}`, { ...types.get(scalar)!, name: `${stem}${components}`, components });
    }
  }
  return types;
})();

/** The type of a CUDA spelling (words separated by one space), if it is one that can be named. */
export function elementType(name: string): ElementType | undefined {
  return TYPES.get(name);
}

/** Bytes of one element with all its components. */
export function elementSize(type: ElementType): number {
  return type.bytes * type.components;
}

/** A number as a launch specification writes it: integers are exact at any size. */
export type SpecNumber = number | bigint;

/** Writes one component, little-endian; integers wrap, and a fraction given for an integer is cut off. */
export function encodeComponent(view: DataView, offset: number, type: ElementType, value: SpecNumber): void {
  switch (type.kind) {
    case 'float':
      if (type.bytes === 8) view.setFloat64(offset, Number(value), true);
      else if (type.bytes === 4) view.setFloat32(offset, Number(value), true);
      else view.setUint16(offset, numberToF16(Number(value)), true);
      return;
    case 'bfloat':
      view.setUint16(offset, numberToBf16(Number(value)), true);
      return;
    case 'bool':
      view.setUint8(offset, Number(value) === 0 ? 0 : 1);
      return;
    default: {
      const whole = typeof value === 'bigint' ? value : Number.isFinite(value) ? BigInt(Math.trunc(value)) : 0n;
      if (type.bytes === 8) view.setBigUint64(offset, BigInt.asUintN(64, whole), true);
      else if (type.bytes === 4) view.setUint32(offset, Number(BigInt.asUintN(32, whole)), true);
      else if (type.bytes === 2) view.setUint16(offset, Number(BigInt.asUintN(16, whole)), true);
      else view.setUint8(offset, Number(BigInt.asUintN(8, whole)));
    }
  }
}
