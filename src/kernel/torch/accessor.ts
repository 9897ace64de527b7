/**
 * Packed accessors: what `x.packed_accessor32<float, 2, torch::RestrictPtrTraits>()` passes to a kernel, a pointer with sizes and strides.
 * Layout and names are those of ATen/core/TensorAccessor.h.
 */
import { fails, unsupported } from '../error.ts';
import { toIndex } from '../interpret/convert.ts';
import { evaluateArgument } from '../interpret/type-resolver.ts';
import { dtypeOf, type IntType, packedAccessor, spellType } from '../interpret/types.ts';
import { type Cell, cell, intValue, type TensorView, type Value } from '../interpret/values.ts';
import type { LibraryCall } from '../library/call.ts';
import { DTYPE_BYTES } from '../number-format.ts';

/** `.packed_accessor32<T, N, ...>()` with 32-bit sizes and strides, or with 64-bit ones. */
export function packedAccessorOf(t: TensorView, call: LibraryCall, bits: 32 | 64): Value {
  const element = call.type();
  if (!element) throw unsupported(`${call.name} without template arguments`, call.line);
  const dimensions = toIndex(evaluateArgument(call.m, call.templateArguments[1], call.scope, call.line), call.line);
  if (dtypeOf(element) !== t.dtype) {
    throw fails(`${call.name}<${spellType(element)}, ...>() of ${t.name}, which holds ${t.dtype}`, call.line);
  }
  if (dimensions !== t.shape.length) {
    throw fails(`${call.name} for ${dimensions} dimensions of ${t.name}, which has ${t.shape.length}`, call.line);
  }
  const type = packedAccessor(element, dimensions, bits);
  const [, sizes] = type.fields;
  if (sizes?.type.kind !== 'list') throw unsupported(spellType(type), call.line);
  const index = sizes.type.element as IntType;
  const list = (values: readonly number[]): Value => ({
    kind: 'list',
    container: 'built-in array',
    element: index,
    cells: values.map((v) => cell(index, intValue(v, index))),
  });
  const offset = BigInt(t.offset * DTYPE_BYTES[t.dtype]);
  const values: readonly Value[] = [
    { kind: 'pointer', to: element, target: { kind: 'device', buffer: t.buffer, offset } },
    list(t.shape),
    list(t.strides),
  ];
  const fields = new Map<string, Cell>();
  type.fields.forEach((field, i) => {
    fields.set(field.name, cell(field.type, values[i]));
  });
  return { kind: 'struct', type, fields };
}
