/** Making values of a type: `T x(a, b)`, `T x{a, b}`, `T(a)`. */
import { invalid, unsupported } from '../error.ts';
import { insertEntry, isAssociative } from './associative.ts';
import { convert, initialised, makeDim3, toIndex, typeOfValue, zeroOf } from './convert.ts';
import type { Operand } from './expressions.ts';
import type { Machine } from './machine.ts';
import { constructStruct } from './structs.ts';
import { type CppType, LONG, type StructType, spellType, unqualified } from './types.ts';
import { type Cell, cell, copyValue, type ListValue, type Value } from './values.ts';

/** @param braces list initialization: a container takes the arguments as its elements. */
export function construct(m: Machine, of: CppType, args: readonly Operand[], braces: boolean, line: number): Value {
  const type = unqualified(of);
  const values = args.map((a) => {
    if (a.value === undefined) throw invalid('a variable is read before it is given a value', line);
    return a.value;
  });
  const [first] = values;
  switch (type.kind) {
    case 'list':
      return constructList(type, values, braces, line);
    case 'struct':
      if (type.name === 'dim3') return dim3(type, values, braces, line);
      // `T x{}` and `T x = {}` of the runtime's own structs; the candidate's know their constructors.
      if (braces && values.length === 0 && type.declaration === undefined) return zeroOf(type, line);
      return constructStruct(m, type, values, line, args);
    case 'library':
      if (type.name === 'guard') return { kind: 'opaque', name: 'a guard' };
      if (type.name === 'Device') return device(values, line);
      if (type.name === 'string' && values.length === 2 && values[0]?.kind === 'int' && values[1]?.kind === 'int') {
        const text = String.fromCodePoint(Number(values[1].value));
        return { kind: 'string', value: text.repeat(Math.min(toIndex(values[0], line), 10_000)) };
      }
      break;
    case 'auto':
      if (first && values.length === 1) return copyValue(first);
      break;
    case 'optional':
      if (first && values.length === 1) return convert(first, type, line);
      if (values.length === 0) return { kind: 'optional', of: type.of };
      break;
  }
  if (values.length === 0) return zeroOf(type, line);
  if (values.length === 1 && first) return convert(first, type, line, !braces);
  throw unsupported(`${spellType(type)} made from ${values.length} values`, line);
}

function dim3(type: StructType, values: readonly Value[], braces: boolean, line: number): Value {
  const [only] = values;
  if (values.length === 1 && only?.kind === 'struct') return copyValue(only);
  if (values.length === 1 && only?.kind === 'list' && braces)
    return makeDim3(
      type,
      only.cells.map((c) => initialised(c, line)),
      line,
    );
  return makeDim3(type, values, line);
}

function constructList(
  type: Extract<CppType, { kind: 'list' }>,
  values: readonly Value[],
  braces: boolean,
  line: number,
): Value {
  const [first, second] = values;
  const element = type.element;
  if (isAssociative(type.container) && values.length > 0) {
    const entries =
      values.length === 1 && first?.kind === 'list' && first.container === type.container ? undefined : values;
    if (!entries) return convert(values[0] as Value, type, line);
    const made: ListValue = { kind: 'list', container: type.container, element, cells: [] };
    for (const entry of entries) insertEntry(made, entry, line);
    return made;
  }
  const growing = type.container === 'vector' || type.container === 'IntArrayRef';
  if (first?.kind === 'iterator' && second?.kind === 'iterator') {
    const cells = first.list.cells.slice(first.index, second.index);
    return convert({ kind: 'list', container: 'initializer_list', cells }, type, line);
  }
  if (
    values.length === 1 &&
    first?.kind === 'list' &&
    !(element?.kind === 'list' && braces && first.container === 'initializer_list')
  ) {
    return convert(first, type, line);
  }
  if (growing && !braces && first?.kind === 'int' && values.length <= 2) {
    const size = toIndex(first, line);
    if (size < 0 || size > 1_000_000) throw invalid(`a vector of ${size} elements on the host`, line);
    const of = element ?? (second ? typeOfValue(second) : LONG);
    const fill = second ? convert(second, of, line) : zeroOf(of, line);
    return {
      kind: 'list',
      container: type.container,
      element: of,
      cells: Array.from({ length: size }, () => cell(of, copyValue(fill))),
    };
  }
  if (first?.kind === 'pointer' && first.target.kind === 'element' && second?.kind === 'int') {
    const cells = first.target.list.cells.slice(first.target.index, first.target.index + toIndex(second, line));
    return convert({ kind: 'list', container: 'initializer_list', cells }, type, line);
  }
  const cells: Cell[] = values.map((v) => cell(typeOfValue(v), v));
  if (values.length === 0 && type.container !== 'vector') return zeroOf(type, line);
  return convert({ kind: 'list', container: 'initializer_list', cells }, type, line);
}

function device(values: readonly Value[], line: number): Value {
  const [first] = values;
  if (first?.kind === 'device') return first;
  if (first?.kind === 'string') return { kind: 'device', device: first.value.startsWith('cuda') ? 'cuda' : 'cpu' };
  throw unsupported('this torch::Device', line);
}
