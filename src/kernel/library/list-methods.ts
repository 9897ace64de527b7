/** Methods of vectors, arrays and IntArrayRef. */
import { invalid, unsupported } from '../error.ts';
import { convert, initialised, toIndices, typeOfValue, zeroOf } from '../interpret/convert.ts';
import { exceptionValue, ThrownError } from '../interpret/exceptions.ts';
import type { Operand } from '../interpret/expressions.ts';
import { LONG, ULONG } from '../interpret/types.ts';
import { boolValue, cell, copyValue, intValue, type ListValue, type Value, VOID_VALUE } from '../interpret/values.ts';
import { range } from './algorithms.ts';
import type { LibraryCall } from './call.ts';

/** @param list the object */
export type ListMethod = (list: ListValue, call: LibraryCall) => Operand;

function at(list: ListValue, index: number, line: number): Operand {
  const found = list.cells[index];
  if (!found) throw invalid(`element ${index} of a list of ${list.cells.length}`, line);
  return { cell: found, value: found.value };
}

const give =
  (make: (list: ListValue, call: LibraryCall) => Value): ListMethod =>
  (list, call) => ({ value: make(list, call) });

/** An element appended, of the list's type. */
function append(list: ListValue, value: Value, line: number): void {
  if (list.cells.length >= 1_000_000) throw invalid('a list of more than a million elements on the host', line);
  const type = list.element ?? typeOfValue(value);
  list.cells.push(cell(type, convert(value, type, line)));
}

export const LIST_METHODS: Readonly<Record<string, ListMethod>> = {
  size: give((list) => intValue(list.cells.length, ULONG)),
  length: give((list) => intValue(list.cells.length, ULONG)),
  empty: give((list) => boolValue(list.cells.length === 0)),
  at: (list, call) => {
    const index = call.index(0);
    if (list.cells[index]) return at(list, index, call.line);
    const text = `element ${index} of a list of ${list.cells.length}`;
    throw new ThrownError(exceptionValue('std::out_of_range', text), text, call.line);
  },
  front: (list, call) => at(list, 0, call.line),
  back: (list, call) => at(list, list.cells.length - 1, call.line),
  begin: give((list) => ({ kind: 'iterator', list, index: 0 })),
  end: give((list) => ({ kind: 'iterator', list, index: list.cells.length })),
  cbegin: give((list) => ({ kind: 'iterator', list, index: 0 })),
  cend: give((list) => ({ kind: 'iterator', list, index: list.cells.length })),
  data: give((list) => ({ kind: 'pointer', to: list.element ?? LONG, target: { kind: 'element', list, index: 0 } })),
  vec: give((list) => copyValue({ ...list, container: 'vector' })),
  push_back: give((list, call) => {
    append(list, call.value(0), call.line);
    return VOID_VALUE;
  }),
  emplace_back: give((list, call) => {
    append(list, call.value(0), call.line);
    return VOID_VALUE;
  }),
  pop_back: give((list, call) => {
    if (!list.cells.pop()) throw invalid('pop_back of an empty list', call.line);
    return VOID_VALUE;
  }),
  clear: give((list) => {
    list.cells.length = 0;
    return VOID_VALUE;
  }),
  reserve: give(() => VOID_VALUE),
  resize: give((list, call) => {
    const size = call.index(0);
    if (size < 0 || size > 1_000_000) throw invalid(`a list of ${size} elements on the host`, call.line);
    list.cells.length = Math.min(list.cells.length, size);
    const type = list.element ?? LONG;
    const fill = call.count > 1 ? convert(call.value(1), type, call.line) : zeroOf(type, call.line);
    while (list.cells.length < size) list.cells.push(cell(type, copyValue(fill)));
    return VOID_VALUE;
  }),
  fill: give((list, call) => {
    for (const c of list.cells) c.value = convert(call.value(0), c.type, call.line);
    return VOID_VALUE;
  }),
  insert: give((list, call) => {
    const where = call.value(0);
    if (where.kind !== 'iterator') throw unsupported('this insert', call.line);
    if (call.count === 3) {
      const type = list.element ?? LONG;
      const values =
        call.value(1).kind === 'iterator'
          ? range(call, 1).map((c) => initialised(c, call.line))
          : Array.from({ length: Math.min(call.index(1), 1_000_000) }, () => call.value(2));
      list.cells.splice(where.index, 0, ...values.map((v) => cell(type, convert(v, type, call.line))));
      return { kind: 'iterator', list, index: where.index };
    }
    const type = list.element ?? typeOfValue(call.value(1));
    list.cells.splice(where.index, 0, cell(type, convert(call.value(1), type, call.line)));
    return { kind: 'iterator', list, index: where.index };
  }),
  erase: give((list, call) => {
    const where = call.value(0);
    const last = call.count > 1 ? call.value(1) : undefined;
    if (where.kind !== 'iterator' || (last && last.kind !== 'iterator')) throw unsupported('this erase', call.line);
    if (where.index >= list.cells.length && !last) throw invalid('erase of the end of a list', call.line);
    list.cells.splice(where.index, last ? last.index - where.index : 1);
    return { kind: 'iterator', list, index: where.index };
  }),
  equals: give((list, call) => boolValue(toIndices(list, call.line).join() === call.indices(0).join())),
  slice: give((list, call) => {
    const from = call.index(0);
    const count = call.count > 1 ? call.index(1) : list.cells.length - from;
    return { ...list, cells: list.cells.slice(from, from + count) };
  }),
};
