/** std::map, std::set and their unordered kin: lists of entries, sorted by key where the container promises an order. */
import { invalid, unsupported } from '../error.ts';
import { binary } from './arithmetic.ts';
import { convert, initialised, truth, typeOfValue, zeroOf } from './convert.ts';
import type { Operand } from './expressions.ts';
import type { Container, CppType } from './types.ts';
import { type Cell, cell, copyValue, type ListValue, type Value } from './values.ts';

const MAPS: ReadonlySet<Container> = new Set(['map', 'unordered_map']);
const ASSOCIATIVE: ReadonlySet<Container> = new Set([...MAPS, 'set', 'unordered_set']);
const MOST_ENTRIES = 100_000;

export function isAssociative(container: Container): boolean {
  return ASSOCIATIVE.has(container);
}

/** Fails for a container whose order is not defined: what a loop over it does would be a guess. */
export function requireOrder(list: ListValue, line: number): void {
  if (list.container.startsWith('unordered'))
    throw unsupported(
      `a walk through std::${list.container}, whose order C++ leaves open; use std::${list.container.slice(10)}`,
      line,
    );
}

function partTypes(list: ListValue): { key?: CppType; value?: CppType } {
  if (!MAPS.has(list.container)) return { key: list.element };
  const pair = list.element;
  return pair?.kind === 'list' ? { key: pair.elements?.[0], value: pair.elements?.[1] } : {};
}

function keyOf(list: ListValue, entry: Cell, line: number): Value {
  const value = initialised(entry, line);
  if (!MAPS.has(list.container)) return value;
  const first = value.kind === 'list' ? value.cells[0] : undefined;
  return first ? initialised(first, line) : value;
}

/** Index of the entry with this key, -1 where there is none. */
export function indexOfKey(list: ListValue, key: Value, line: number): number {
  const { key: type } = partTypes(list);
  const wanted = type ? convert(key, type, line) : key;
  return list.cells.findIndex((entry) => truth(binary('==', keyOf(list, entry, line), wanted, line), line));
}

/** Adds an entry unless its key is there; gives its index and whether it is new. */
export function insertEntry(list: ListValue, entry: Value, line: number): { index: number; isNew: boolean } {
  const given = list.element ? convert(entry, list.element, line) : copyValue(entry);
  const made = cell(list.element ?? typeOfValue(given), given);
  const key = keyOf(list, made, line);
  const known = indexOfKey(list, key, line);
  if (known >= 0) return { index: known, isNew: false };
  if (list.cells.length >= MOST_ENTRIES)
    throw invalid(`a std::${list.container} of more than ${MOST_ENTRIES} entries`, line);
  const after = list.container.startsWith('unordered')
    ? -1
    : list.cells.findIndex((other) => truth(binary('<', key, keyOf(list, other, line), line), line));
  const index = after < 0 ? list.cells.length : after;
  list.cells.splice(index, 0, made);
  return { index, isNew: true };
}

/** `map[key]`: the value's variable, made where there is none. */
export function mapElement(list: ListValue, key: Value, line: number): Operand {
  const { value: type } = partTypes(list);
  if (!MAPS.has(list.container) || !type) throw invalid(`[] of a std::${list.container}`, line);
  let index = indexOfKey(list, key, line);
  if (index < 0) {
    const cells = [key, zeroOf(type, line)].map((v) => cell(typeOfValue(v), v));
    index = insertEntry(list, { kind: 'list', container: 'initializer_list', cells }, line).index;
  }
  return valueAt(list, index, line);
}

/** The value of a map's entry. */
export function valueAt(list: ListValue, index: number, line: number): Operand {
  const entry = list.cells[index]?.value;
  const value = entry?.kind === 'list' ? entry.cells[1] : undefined;
  if (!value) throw invalid(`a key that the std::${list.container} does not have`, line);
  return { cell: value, value: value.value };
}
