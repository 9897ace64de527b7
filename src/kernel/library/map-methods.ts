/** Methods of std::map, std::set and their unordered kin. */
import { indexOfKey, insertEntry, mapElement, requireOrder, valueAt } from '../interpret/associative.ts';
import { typeOfValue } from '../interpret/convert.ts';
import { store } from '../interpret/expressions.ts';
import { ULONG } from '../interpret/types.ts';
import { boolValue, cell, intValue, type ListValue, type Value, VOID_VALUE } from '../interpret/values.ts';
import type { LibraryCall } from './call.ts';
import type { ListMethod } from './list-methods.ts';

function iterator(list: ListValue, index: number): Value {
  return { kind: 'iterator', list, index: index < 0 ? list.cells.length : index };
}

function pairOf(...values: readonly Value[]): ListValue {
  return { kind: 'list', container: 'tuple', cells: values.map((v) => cell(typeOfValue(v), v)) };
}

/** insert, emplace: gives the pair (iterator, whether it is new). */
function insert(list: ListValue, call: LibraryCall): Value {
  const entry = call.count === 1 ? call.value(0) : pairOf(...call.values());
  const { index, isNew } = insertEntry(list, entry, call.line);
  return pairOf(iterator(list, index), boolValue(isNew));
}

const has: ListMethod = (list, call) => ({ value: boolValue(indexOfKey(list, call.value(0), call.line) >= 0) });
const begin: ListMethod = (list, call) => {
  requireOrder(list, call.line);
  return { value: iterator(list, 0) };
};
const end: ListMethod = (list) => ({ value: iterator(list, -1) });

export const MAP_METHODS: Readonly<Record<string, ListMethod>> = {
  size: (list) => ({ value: intValue(list.cells.length, ULONG) }),
  empty: (list) => ({ value: boolValue(list.cells.length === 0) }),
  begin,
  cbegin: begin,
  end,
  cend: end,
  find: (list, call) => ({ value: iterator(list, indexOfKey(list, call.value(0), call.line)) }),
  count: (list, call) => ({ value: intValue(indexOfKey(list, call.value(0), call.line) >= 0 ? 1 : 0, ULONG) }),
  contains: has,
  at: (list, call) => valueAt(list, indexOfKey(list, call.value(0), call.line), call.line),
  insert: (list, call) => ({ value: insert(list, call) }),
  emplace: (list, call) => ({ value: insert(list, call) }),
  try_emplace: (list, call) => ({ value: insert(list, call) }),
  insert_or_assign: (list, call) => {
    const { cell: target } = mapElement(list, call.value(0), call.line);
    if (target) store(target, call.value(1), call.line);
    return { value: iterator(list, indexOfKey(list, call.value(0), call.line)) };
  },
  erase: (list, call) => {
    const given = call.value(0);
    const index = given.kind === 'iterator' ? given.index : indexOfKey(list, given, call.line);
    if (index >= 0) list.cells.splice(index, 1);
    return { value: intValue(index >= 0 ? 1 : 0, ULONG) };
  },
  clear: (list) => {
    list.cells.length = 0;
    return { value: VOID_VALUE };
  },
  reserve: () => ({ value: VOID_VALUE }),
};
