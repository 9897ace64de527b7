/** <algorithm> and <numeric> over the host's own lists: what launchers sort, search and sum. */
import { invalid, unsupported } from '../error.ts';
import { binary } from '../interpret/arithmetic.ts';
import { callValue } from '../interpret/calls.ts';
import { convert, initialised, truth, typeOfValue } from '../interpret/convert.ts';
import { LONG } from '../interpret/types.ts';
import {
  boolValue,
  type Cell,
  cell,
  copyValue,
  describeValue,
  intValue,
  type ListValue,
  longValue,
  type Value,
  VOID_VALUE,
} from '../interpret/values.ts';
import type { LibraryCall, LibraryFunction } from './call.ts';

/** A place in a list: an iterator, or a pointer to an element. */
interface Place {
  list: ListValue;
  index: number;
  at(index: number): Value;
}

function placeOf(call: LibraryCall, i: number): Place {
  const value = call.value(i);
  if (value.kind === 'iterator') return { ...value, at: (index) => ({ ...value, index }) };
  if (value.kind === 'list' && value.container === 'built-in array')
    return elementPlace(value, 0, { kind: 'pointer', to: value.element ?? LONG, target: { kind: 'null' } });
  if (value.kind === 'pointer' && value.target.kind === 'element')
    return elementPlace(value.target.list, value.target.index, value);
  throw unsupported(`${call.name} over ${describeValue(value)}`, call.line);
}

function elementPlace(list: ListValue, index: number, pointer: Extract<Value, { kind: 'pointer' }>): Place {
  return { list, index, at: (at) => ({ ...pointer, target: { kind: 'element', list, index: at } }) };
}

/** [first, last) of two places, as cells. */
export function range(call: LibraryCall, from = 0): Cell[] {
  const first = placeOf(call, from);
  const last = placeOf(call, from + 1);
  if (first.list !== last.list && first.list.cells !== last.list.cells)
    throw invalid(`${call.name} over the iterators of two containers`, call.line);
  if (first.index < 0 || last.index > first.list.cells.length || first.index > last.index)
    throw invalid(
      `${call.name} over elements ${first.index} to ${last.index} of ${first.list.cells.length}`,
      call.line,
    );
  return first.list.cells.slice(first.index, last.index);
}

const held = (c: Cell, call: LibraryCall): Value => initialised(c, call.line);

/** Calls argument `i`, a function object. */
function apply(call: LibraryCall, i: number, ...args: readonly (Value | Cell)[]): Value {
  call.m.tick(call.line);
  const f = call.value(i);
  const operands = args.map((a) => ('kind' in a ? { value: a } : { cell: a, value: a.value }));
  if (f.kind === 'operator') return binary(f.operator, operands[0]!.value!, operands[1]!.value!, call.line);
  return callValue(call.m, f, operands, call.scope, call.line);
}

/** `<`, or the comparison given as argument `i`. */
function before(call: LibraryCall, i: number): (a: Value, b: Value) => boolean {
  return (a, b) => truth(call.count > i ? apply(call, i, a, b) : callValueLess(call, a, b), call.line);
}

function callValueLess(call: LibraryCall, a: Value, b: Value): Value {
  call.m.tick(call.line);
  return binary('<', a, b, call.line);
}

function write(target: Cell | undefined, value: Value, call: LibraryCall): void {
  if (!target) throw invalid(`${call.name} writes past the end of a list`, call.line);
  target.value = target.type.kind === 'auto' ? copyValue(value) : convert(value, target.type, call.line);
}

/** Elements written one after the other to the place that argument `i` names, or appended where it is a back_inserter. */
function writer(call: LibraryCall, i: number): { put: (value: Value) => void; end: () => Value } {
  const given = call.value(i);
  if (given.kind === 'inserter') {
    const { list } = given;
    const put = (value: Value): void => {
      const type = list.element ?? typeOfValue(value);
      list.cells.push(cell(type, convert(value, type, call.line)));
    };
    return { put, end: () => given };
  }
  const place = placeOf(call, i);
  let at = place.index;
  return { put: (value) => write(place.list.cells[at++], value, call), end: () => place.at(at) };
}

/** Stable, as std::stable_sort; where two elements are equal, what std::sort does with them is open. */
const sort: LibraryFunction = (call) => {
  const less = before(call, 2);
  const cells = range(call);
  const values = cells.map((c) => held(c, call));
  values.sort((a, b) => (less(a, b) ? -1 : less(b, a) ? 1 : 0));
  cells.forEach((c, i) => {
    c.value = values[i];
  });
  return VOID_VALUE;
};

function firstWhere(call: LibraryCall, test: (c: Cell) => boolean): Value {
  const cells = range(call);
  const found = cells.findIndex(test);
  const place = placeOf(call, 0);
  return place.at(place.index + (found < 0 ? cells.length : found));
}

const equals =
  (call: LibraryCall, i: number) =>
  (c: Cell): boolean =>
    truth(binary('==', held(c, call), call.value(i), call.line), call.line);
const holds =
  (call: LibraryCall, i: number) =>
  (c: Cell): boolean =>
    truth(apply(call, i, c), call.line);

/** Index of the first element of a sorted range that is not before the value (or is after it). */
function bound(call: LibraryCall, upper: boolean): Value {
  const less = before(call, 3);
  const value = call.value(2);
  return firstWhere(call, (c) => (upper ? less(value, held(c, call)) : !less(held(c, call), value)));
}

/** Keeps some elements, moved to the front; gives the new end. */
function kept(call: LibraryCall, keep: (c: Cell, previous: Value | undefined) => boolean): Value {
  const cells = range(call);
  const values: Value[] = [];
  for (const c of cells) if (keep(c, values.at(-1))) values.push(held(c, call));
  values.forEach((v, i) => {
    cells[i]!.value = v;
  });
  const place = placeOf(call, 0);
  return place.at(place.index + values.length);
}

function total(call: LibraryCall, values: readonly Value[], start: Value, f?: number): Value {
  const type = typeOfValue(start);
  return values.reduce<Value>((sum, value) => {
    call.m.tick(call.line);
    const next = f !== undefined && call.count > f ? apply(call, f, sum, value) : binary('+', sum, value, call.line);
    return convert(next, type, call.line);
  }, start);
}

function extremeOf(call: LibraryCall, better: (a: Value, b: Value) => boolean): Value {
  const cells = range(call);
  let best = 0;
  cells.forEach((c, i) => {
    if (i > 0 && better(held(c, call), held(cells[best]!, call))) best = i;
  });
  const place = placeOf(call, 0);
  return place.at(place.index + best);
}

export const ALGORITHMS: Readonly<Record<string, LibraryFunction>> = {
  sort,
  stable_sort: sort,
  accumulate: (call) => {
    const cells = range(call);
    return total(
      call,
      cells.map((c) => held(c, call)),
      call.value(2),
      3,
    );
  },
  reduce: (call) => {
    const values = range(call).map((c) => held(c, call));
    const first = call.count > 2 ? call.value(2) : intValue(0);
    return total(call, values, first, 3);
  },
  inner_product: (call) => {
    const a = range(call);
    const b = placeOf(call, 2);
    const products = a.map((c, i) => {
      const other = b.list.cells[b.index + i];
      if (!other) throw invalid(`${call.name} of ranges of different lengths`, call.line);
      return binary('*', held(c, call), held(other, call), call.line);
    });
    return total(call, products, call.value(3));
  },
  partial_sum: (call) => {
    const values = range(call).map((c) => held(c, call));
    const to = writer(call, 2);
    let sum: Value | undefined;
    for (const value of values) {
      sum = sum ? convert(binary('+', sum, value, call.line), typeOfValue(value), call.line) : value;
      to.put(sum);
    }
    return to.end();
  },
  iota: (call) => {
    let next = call.value(2);
    for (const c of range(call)) {
      write(c, next, call);
      next = convert(binary('+', next, intValue(1), call.line), typeOfValue(next), call.line);
    }
    return VOID_VALUE;
  },
  fill: (call) => {
    for (const c of range(call)) write(c, call.value(2), call);
    return VOID_VALUE;
  },
  fill_n: (call) => {
    const to = writer(call, 0);
    for (let n = call.index(1); n > 0; n--) to.put(call.value(2));
    return to.end();
  },
  generate: (call) => {
    for (const c of range(call)) write(c, apply(call, 2), call);
    return VOID_VALUE;
  },
  reverse: (call) => {
    const cells = range(call);
    const values = cells.map((c) => c.value).reverse();
    cells.forEach((c, i) => {
      c.value = values[i];
    });
    return VOID_VALUE;
  },
  rotate: (call) => {
    const first = placeOf(call, 0);
    const middle = placeOf(call, 1);
    const last = placeOf(call, 2);
    const cells = first.list.cells.slice(first.index, last.index);
    const shift = middle.index - first.index;
    const values = cells.map((c) => c.value);
    cells.forEach((c, i) => {
      c.value = values[(i + shift) % values.length];
    });
    return first.at(last.index - shift);
  },
  copy: (call) => {
    const values = range(call).map((c) => held(c, call));
    const to = writer(call, 2);
    for (const value of values) to.put(value);
    return to.end();
  },
  copy_n: (call) => {
    const from = placeOf(call, 0);
    const to = writer(call, 2);
    const values = from.list.cells.slice(from.index, from.index + call.index(1)).map((c) => held(c, call));
    if (values.length < call.index(1)) throw invalid(`${call.name} reads past the end of a list`, call.line);
    for (const value of values) to.put(value);
    return to.end();
  },
  copy_if: (call) => {
    const cells = range(call);
    const to = writer(call, 2);
    for (const c of cells) if (holds(call, 3)(c)) to.put(held(c, call));
    return to.end();
  },
  transform: (call) => {
    const cells = range(call);
    const second = call.count > 4 ? placeOf(call, 2) : undefined;
    const to = writer(call, second ? 3 : 2);
    cells.forEach((c, i) => {
      const other = second?.list.cells[second.index + i];
      if (second && !other) throw invalid(`${call.name} of ranges of different lengths`, call.line);
      to.put(other ? apply(call, 4, c, other) : apply(call, 3, c));
    });
    return to.end();
  },
  for_each: (call) => {
    for (const c of range(call)) apply(call, 2, c);
    return call.value(2);
  },
  find: (call) => firstWhere(call, equals(call, 2)),
  find_if: (call) => firstWhere(call, holds(call, 2)),
  find_if_not: (call) => firstWhere(call, (c) => !holds(call, 2)(c)),
  count: (call) => longValue(range(call).filter(equals(call, 2)).length),
  count_if: (call) => longValue(range(call).filter(holds(call, 2)).length),
  all_of: (call) => boolValue(range(call).every(holds(call, 2))),
  any_of: (call) => boolValue(range(call).some(holds(call, 2))),
  none_of: (call) => boolValue(!range(call).some(holds(call, 2))),
  equal: (call) => {
    const a = range(call);
    const b = placeOf(call, 2);
    const others = b.list.cells.slice(b.index);
    if (call.count > 3 && placeOf(call, 3).index - b.index !== a.length) return boolValue(false);
    const same = a.every((c, i) => {
      const other = others[i];
      if (!other) throw invalid(`${call.name} reads past the end of a list`, call.line);
      return truth(binary('==', held(c, call), held(other, call), call.line), call.line);
    });
    return boolValue(same);
  },
  is_sorted: (call) => {
    const values = range(call).map((c) => held(c, call));
    return boolValue(values.every((v, i) => i === 0 || !before(call, 2)(v, values[i - 1]!)));
  },
  lower_bound: (call) => bound(call, false),
  upper_bound: (call) => bound(call, true),
  unique: (call) =>
    kept(call, (c, previous) => !previous || !truth(binary('==', previous, held(c, call), call.line), call.line)),
  remove: (call) => kept(call, (c) => !equals(call, 2)(c)),
  remove_if: (call) => kept(call, (c) => !holds(call, 2)(c)),
  max_element: (call) => extremeOf(call, (a, b) => before(call, 2)(b, a)),
  min_element: (call) => extremeOf(call, before(call, 2)),
  distance: (call) => longValue(placeOf(call, 1).index - placeOf(call, 0).index),
  next: (call) => {
    const place = placeOf(call, 0);
    return place.at(place.index + (call.count > 1 ? call.index(1) : 1));
  },
  prev: (call) => {
    const place = placeOf(call, 0);
    return place.at(place.index - (call.count > 1 ? call.index(1) : 1));
  },
  back_inserter: (call) => {
    const list = call.value(0);
    if (list.kind !== 'list') throw invalid(`${call.name} of ${describeValue(list)}`, call.line);
    return { kind: 'inserter', list };
  },
};
