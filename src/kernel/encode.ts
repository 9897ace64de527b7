/** Values as the bytes a kernel's parameter takes. */
import { invalid, unsupported } from './error.ts';
import { typeOfValue } from './interpret/convert.ts';
import { alignmentOf, type CppType, sizeOf, spellType, structLayout } from './interpret/types.ts';
import { describeValue, type PointerValue, type Value } from './interpret/values.ts';
import { floatBytes, intBytes } from './number-format.ts';
import type { PtxParameter } from './ptx-entries.ts';
import type { EmbeddedPointer, LaunchArgument } from './types.ts';

/**
 * One argument of a launch. The value already has the parameter's C++ type.
 * @throws CandidateError where the PTX parameter has another size, or the value has no bytes before the plan runs.
 */
export function encodeArgument(value: Value, parameter: PtxParameter, what: string, line: number): LaunchArgument {
  if (value.kind === 'pointer') {
    if (parameter.bytes !== 8)
      throw invalid(`${what} is a pointer, the compiled kernel takes ${parameter.bytes} bytes`, line);
    if (value.target.kind === 'device') {
      const offset = Number(value.target.offset);
      return { kind: 'pointer', buffer: value.target.buffer, byteOffset: offset };
    }
    if (value.target.kind !== 'null')
      throw invalid(`${what} points into the host's memory, which no kernel can read`, line);
    return { kind: 'bytes', hex: '00'.repeat(8) };
  }
  const pointers: EmbeddedPointer[] = [];
  const hex = bytesOf(value, what, line, 0, pointers);
  if (hex.length !== parameter.bytes * 2) {
    throw unsupported(`${what}: ${hex.length / 2} bytes where the compiled kernel takes ${parameter.bytes}`, line);
  }
  return pointers.length > 0 ? { kind: 'bytes', hex, pointers } : { kind: 'bytes', hex };
}

/** The first `bytes` bytes of the host's memory that a pointer names: of a variable, or of a list's elements. */
export function hostBytes(
  pointer: PointerValue,
  bytes: number,
  what: string,
  line: number,
): { bytes: string; pointers: readonly EmbeddedPointer[] } {
  const { target } = pointer;
  const cells =
    target.kind === 'cell' ? [target.cell] : target.kind === 'element' ? target.list.cells.slice(target.index) : [];
  const pointers: EmbeddedPointer[] = [];
  let hex = '';
  for (const each of cells) {
    if (hex.length >= bytes * 2) break;
    const { value } = each;
    if (value === undefined) throw invalid(`${what} is copied before it is given a value`, line);
    const type = each.type.kind === 'auto' ? typeOfValue(value) : each.type;
    hex += fieldBytes(value, type, what, line, hex.length / 2, pointers);
  }
  if (hex.length < bytes * 2) throw invalid(`${bytes} bytes of ${what}, which has ${hex.length / 2}`, line);
  return { bytes: hex.slice(0, bytes * 2), pointers: pointers.filter(({ at }) => at + 8 <= bytes) };
}

/** Hex of a value that stands at byte `at` of the argument; device pointers are zeros, noted in `pointers`. */
function bytesOf(value: Value, what: string, line: number, at: number, pointers: EmbeddedPointer[]): string {
  switch (value.kind) {
    case 'int':
      return intBytes(value.value, Math.max(1, value.type.bits / 8));
    case 'float':
      return floatBytes(value.value, value.type.format);
    case 'struct': {
      const { offsets, size } = structLayout(value.type);
      let hex = '';
      value.type.fields.forEach((field, i) => {
        hex = pad(hex, offsets[i] ?? 0);
        const content = value.fields.get(field.name)?.value;
        if (!content) throw invalid(`${what}: the field ${field.name} has no value`, line);
        hex += fieldBytes(content, field.type, `${what}.${field.name}`, line, at + (offsets[i] ?? 0), pointers);
      });
      return pad(hex, size);
    }
    case 'list':
      return value.cells
        .map((c, i) => fieldBytes(c.value, c.type, `${what}[${i}]`, line, at + i * sizeOf(c.type), pointers))
        .join('');
    default:
      throw unsupported(`${what}: ${describeValue(value)} as a kernel's argument`, line);
  }
}

function fieldBytes(
  value: Value | undefined,
  type: CppType,
  what: string,
  line: number,
  at: number,
  pointers: EmbeddedPointer[],
): string {
  if (!value) throw invalid(`${what} has no value`, line);
  if (value.kind === 'pointer') {
    if (value.target.kind === 'device') {
      pointers.push({ at, buffer: value.target.buffer, byteOffset: Number(value.target.offset) });
    } else if (value.target.kind !== 'null') {
      throw invalid(`${what} points into the host's memory, which no kernel can read`, line);
    }
    return '00'.repeat(8);
  }
  const hex = bytesOf(value, what, line, at, pointers);
  const size = sizeOf(type);
  if (hex.length !== size * 2 && alignmentOf(type) > 0) throw unsupported(`${what} of type ${spellType(type)}`, line);
  return hex;
}

function pad(hex: string, bytes: number): string {
  return hex.padEnd(bytes * 2, '0');
}
