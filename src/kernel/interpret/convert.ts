/** Conversions between values, by C++'s rules: what initialising a variable or passing an argument does. */
import { invalid, unsupported } from '../error.ts';
import { roundToFormat } from '../number-format.ts';
import { insertEntry, isAssociative } from './associative.ts';
import {
  BOOL,
  type CppType,
  type FloatType,
  type IntType,
  keepsCv,
  LONG,
  qualified,
  type StructType,
  sameType,
  similarType,
  spellType,
  unqualified,
} from './types.ts';
import {
  boolValue,
  type Cell,
  cell,
  copyValue,
  describeValue,
  type FloatValue,
  type IntValue,
  type ListValue,
  type StructValue,
  type Value,
  wrap,
} from './values.ts';

/** Values that behave as numbers in arithmetic. */
export function isNumber(value: Value): value is IntValue | FloatValue {
  return value.kind === 'int' || value.kind === 'float';
}

/** As a condition: `if (x)`. */
export function truth(value: Value, line: number): boolean {
  switch (value.kind) {
    case 'int':
      return value.value !== 0n;
    case 'float':
      return value.value !== 0;
    case 'pointer':
      return value.target.kind !== 'null';
    case 'optional':
      return value.cell !== undefined;
    case 'lambda':
    case 'function':
      return true;
    case 'address':
      return true;
    case 'struct': {
      const made = value.type.behaviour?.convertTo(value, BOOL, line);
      if (made) return truth(made, line);
      throw invalid(`${describeValue(value)} is not a condition`, line);
    }
    default:
      throw invalid(`${describeValue(value)} is not a condition`, line);
  }
}

export function toInt(value: Value, type: IntType, line: number): IntValue {
  switch (value.kind) {
    case 'int':
      return { kind: 'int', type, value: wrap(value.value, type) };
    case 'float': {
      if (type.bits === 1) return boolValue(value.value !== 0);
      const truncated = Math.trunc(value.value);
      const limit = 2 ** (type.signed ? type.bits - 1 : type.bits);
      if (!(truncated < limit && truncated >= (type.signed ? -limit : 0))) {
        throw invalid(`${value.value} does not fit ${type.name}`, line);
      }
      return { kind: 'int', type, value: BigInt(truncated) };
    }
    case 'pointer':
    case 'optional':
      if (type.bits === 1) return boolValue(truth(value, line));
      break;
    case 'struct': {
      const made = value.type.behaviour?.convertTo(value, type, line);
      if (made) return toInt(made, type, line);
      break;
    }
    case 'address':
      throw unsupported("the value of a tensor's address (only its alignment, address % 16, can be known)", line);
  }
  throw invalid(`cannot convert ${describeValue(value)} to ${type.name}`, line);
}

export function toFloat(value: Value, type: FloatType, line: number): FloatValue {
  if (value.kind === 'int') return { kind: 'float', type, value: roundToFormat(Number(value.value), type.format) };
  if (value.kind === 'float') return { kind: 'float', type, value: roundToFormat(value.value, type.format) };
  const made = value.kind === 'struct' ? value.type.behaviour?.convertTo(value, type, line) : undefined;
  if (made) return toFloat(made, type, line);
  throw invalid(`cannot convert ${describeValue(value)} to ${type.name}`, line);
}

/** A JavaScript integer, for sizes and dimensions. */
export function toIndex(value: Value, line: number): number {
  const int = value.kind === 'float' ? toInt(value, LONG, line) : value;
  if (int.kind !== 'int') throw invalid(`expected an integer, got ${describeValue(value)}`, line);
  const number = Number(int.value);
  if (!Number.isSafeInteger(number)) throw invalid(`${int.value} is too large for a size`, line);
  return number;
}

export function toNumber(value: Value, line: number): number {
  if (value.kind === 'int') return Number(value.value);
  if (value.kind === 'float') return value.value;
  throw invalid(`expected a number, got ${describeValue(value)}`, line);
}

export function toText(value: Value, line: number): string {
  if (value.kind === 'string') return value.value;
  throw invalid(`expected a string, got ${describeValue(value)}`, line);
}

/** A list of integers: sizes, strides, permutations. A lone integer is a list of one, as for IntArrayRef. */
export function toIndices(value: Value, line: number): number[] {
  if (value.kind === 'int') return [toIndex(value, line)];
  if (value.kind !== 'list') throw invalid(`expected a list of integers, got ${describeValue(value)}`, line);
  return value.cells.map((c) => toIndex(initialised(c, line), line));
}

/** The value of a cell that must have one. */
export function initialised(variable: Cell, line: number, name = 'a variable'): Value {
  if (variable.value === undefined) throw invalid(`${name} is read before it is given a value`, line);
  return variable.value;
}

/**
 * The value as `type`.
 * @param explicit a cast: pointers and enumerations convert freely.
 * @throws CandidateError `invalid` where C++ would not compile.
 */
export function convert(value: Value, to: CppType, line: number, explicit = false): Value {
  const type = unqualified(to);
  switch (type.kind) {
    case 'auto':
      return copyValue(value);
    case 'void':
      return { kind: 'void' };
    case 'int':
      if (value.kind === 'address' && type.bits === 64) return { ...value, type };
      if (value.kind === 'list' && value.container === 'initializer_list' && value.cells.length <= 1) {
        return value.cells[0]
          ? convert(initialised(value.cells[0], line), type, line)
          : { kind: 'int', type, value: 0n };
      }
      return toInt(value, type, line);
    case 'float':
      if (value.kind === 'list' && value.container === 'initializer_list' && value.cells.length <= 1) {
        return value.cells[0]
          ? convert(initialised(value.cells[0], line), type, line)
          : { kind: 'float', type, value: 0 };
      }
      return toFloat(value, type, line);
    case 'pointer':
      return convertPointer(value, type.to, line, explicit);
    case 'struct':
      return convertStruct(value, type, line);
    case 'list':
      return convertList(value, type, line);
    case 'optional': {
      if (value.kind === 'optional') {
        if (!value.cell) return { kind: 'optional', of: type.of };
        const inner = convert(initialised(value.cell, line), type.of, line);
        return { kind: 'optional', of: type.of, cell: cell(type.of, inner) };
      }
      if (value.kind === 'list' && value.cells.length === 0) return { kind: 'optional', of: type.of };
      return { kind: 'optional', of: type.of, cell: cell(type.of, convert(value, type.of, line)) };
    }
    case 'library':
      if (type.name === 'callable' && type.returns && (value.kind === 'lambda' || value.kind === 'function'))
        return { ...value, result: type.returns };
      return convertLibrary(value, type.name, line);
  }
}

function convertPointer(value: Value, to: CppType, line: number, explicit: boolean): Value {
  const type: CppType = { kind: 'pointer', to };
  if (value.kind === 'pointer') {
    // `auto*`: what it points to comes from the value.
    if (to.kind === 'auto') return { ...value, to: qualified(value.to, to.cv) };
    const free =
      explicit ||
      value.target.kind === 'null' ||
      ((to.kind === 'void' || similarType(value.to, to) || (value.to.kind === 'struct' && derivesFrom(value.to, to))) &&
        keepsCv(value.to, to));
    if (!free)
      throw invalid(`cannot convert ${spellType({ kind: 'pointer', to: value.to })} to ${spellType(type)}`, line);
    return { ...value, to };
  }
  if (value.kind === 'int' && value.value === 0n) return { kind: 'pointer', to, target: { kind: 'null' } };
  if (value.kind === 'list' && value.container === 'built-in array') {
    if (to.kind === 'auto') return convertPointer(value, value.element ?? LONG, line, explicit);
    return { kind: 'pointer', to, target: { kind: 'element', list: value, index: 0 } };
  }
  if (value.kind === 'function') return { kind: 'pointer', to, target: { kind: 'function', value } };
  if (value.kind === 'string' && to.kind === 'int' && to.bits === 8) return value;
  if (value.kind === 'address') throw unsupported('a pointer made from an integer', line);
  throw invalid(`cannot convert ${describeValue(value)} to ${spellType(type)}`, line);
}

function convertStruct(value: Value, type: StructType, line: number): Value {
  if (value.kind === 'struct' && value.type.name === type.name) return copyValue(value);
  if (value.kind === 'struct' && derivesFrom(value.type, type)) return sliced(value, type);
  // dim3 has an implicit constructor from integers; plain structs are made from lists in order.
  if (type.name === 'dim3') {
    const items = value.kind === 'list' ? value.cells.map((c) => initialised(c, line)) : [value];
    return makeDim3(type, items, line);
  }
  if (value.kind === 'list' && value.container === 'initializer_list' && type.behaviour) {
    return type.behaviour.make(
      value.cells.map((c) => initialised(c, line)),
      line,
    );
  }
  if (value.kind === 'list' && value.container === 'initializer_list') {
    if (value.cells.length > type.fields.length) throw invalid(`too many values for ${type.name}`, line);
    const fields = new Map<string, Cell>();
    type.fields.forEach((field, i) => {
      const given = value.cells[i];
      const item = given ? convert(initialised(given, line), field.type, line) : zeroOf(field.type, line);
      fields.set(field.name, cell(field.type, item));
    });
    return { kind: 'struct', type, fields };
  }
  const converted = value.kind === 'struct' ? value.type.behaviour?.convertTo(value, type, line) : undefined;
  if (converted) return converted;
  if (type.behaviour?.converts && value.kind !== 'list') return type.behaviour.make([value], line);
  throw invalid(`cannot convert ${describeValue(value)} to ${type.name}`, line);
}

/** Whether a struct has another as one of its bases. */
export function derivesFrom(type: StructType, base: CppType): boolean {
  return (type.bases ?? []).some((b) => sameType(b, unqualified(base)) || derivesFrom(b, base));
}

/** The part of an object that is its base. */
function sliced(value: StructValue, type: StructType): Value {
  const copy = copyValue(value);
  if (copy.kind !== 'struct') return copy;
  const fields = new Map([...copy.fields].filter(([name]) => type.fields.some((f) => f.name === name)));
  return { ...copy, type, fields };
}

/** dim3's constructor: missing dimensions are 1. */
export function makeDim3(type: StructType, items: readonly Value[], line: number): Value {
  if (items.length > 3) throw invalid('dim3 takes at most three values', line);
  const fields = new Map<string, Cell>();
  type.fields.forEach((field, i) => {
    const item = items[i];
    fields.set(
      field.name,
      cell(
        field.type,
        item ? convert(item, field.type, line) : { kind: 'int', type: field.type as IntType, value: 1n },
      ),
    );
  });
  return { kind: 'struct', type, fields };
}

/** Value initialization: `T{}`. */
export function zeroOf(of: CppType, line: number): Value {
  const type = unqualified(of);
  switch (type.kind) {
    case 'int':
      return { kind: 'int', type, value: 0n };
    case 'float':
      return { kind: 'float', type, value: 0 };
    case 'pointer':
      return { kind: 'pointer', to: type.to, target: { kind: 'null' } };
    case 'struct': {
      if (type.name === 'dim3') return makeDim3(type, [], line);
      if (type.behaviour) return type.behaviour.make([], line);
      const fields = new Map<string, Cell>();
      for (const field of type.fields) fields.set(field.name, cell(field.type, zeroOf(field.type, line)));
      return { kind: 'struct', type, fields };
    }
    case 'list': {
      const count = type.elements ? type.elements.length : (type.size ?? 0);
      const cells = Array.from({ length: count }, (_, i) => {
        const element = type.elements?.[i] ?? type.element ?? LONG;
        return cell(element, zeroOf(element, line));
      });
      return { kind: 'list', container: type.container, element: type.element, cells };
    }
    case 'optional':
      return { kind: 'optional', of: type.of };
    case 'library':
      switch (type.name) {
        case 'Tensor':
          return { kind: 'tensor', tensor: undefined };
        case 'string':
          return { kind: 'string', value: '' };
        case 'TensorOptions':
          return { kind: 'options', options: {} };
        case 'string stream':
          return { kind: 'text-stream', text: '' };
        case 'stream':
          return { kind: 'stream' };
        case 'device properties':
          return { kind: 'properties' };
        case 'callable':
          return { kind: 'pointer', to: { kind: 'void' }, target: { kind: 'null' } };
        case 'guard':
          return { kind: 'opaque', name: 'a guard' };
        default:
          throw unsupported(`a default ${type.name}`, line);
      }
    default:
      throw unsupported(`a default ${spellType(type)}`, line);
  }
}

function convertList(value: Value, type: Extract<CppType, { kind: 'list' }>, line: number): Value {
  if (value.kind === 'iterator') throw invalid('an iterator is not a list', line);
  let source: ListValue;
  if (value.kind === 'list') source = value;
  else if (type.container === 'IntArrayRef' && value.kind === 'int') {
    source = { kind: 'list', container: 'initializer_list', cells: [cell(value.type, value)] };
  } else throw invalid(`cannot convert ${describeValue(value)} to ${spellType(type)}`, line);
  // A view keeps the cells it looks at.
  if (type.container === 'IntArrayRef' && source.container !== 'initializer_list')
    return { ...source, container: 'IntArrayRef' };
  if (isAssociative(type.container)) {
    if (source.container === type.container) return copyValue({ ...source, element: type.element });
    const made: ListValue = { kind: 'list', container: type.container, element: type.element, cells: [] };
    for (const entry of source.cells) insertEntry(made, initialised(entry, line), line);
    return made;
  }
  if (type.elements && type.elements.length !== source.cells.length) {
    throw invalid(`${type.elements.length} values are needed, ${source.cells.length} given`, line);
  }
  if (type.size !== undefined && source.cells.length > type.size) {
    throw invalid(`${source.cells.length} values for an array of ${type.size}`, line);
  }
  const cells = source.cells.map((c, i) => {
    const element = type.elements?.[i] ?? type.element;
    const item = initialised(c, line);
    return element ? cell(element, convert(item, element, line)) : cell(c.type, copyValue(item));
  });
  while (type.size !== undefined && cells.length < type.size) {
    cells.push(cell(type.element ?? LONG, zeroOf(type.element ?? LONG, line)));
  }
  return { kind: 'list', container: type.container, element: type.element, cells };
}

function convertLibrary(value: Value, name: string, line: number): Value {
  switch (name) {
    case 'Tensor':
      if (value.kind === 'tensor') return value;
      if (value.kind === 'optional' && value.cell) return convertLibrary(initialised(value.cell, line), name, line);
      if (value.kind === 'list' && value.cells.length === 0) return { kind: 'tensor', tensor: undefined };
      break;
    case 'string':
      if (value.kind === 'string') return value;
      break;
    case 'TensorOptions':
      if (value.kind === 'options') return value;
      if (value.kind === 'dtype') return { kind: 'options', options: { dtype: value.dtype } };
      if (value.kind === 'device') return { kind: 'options', options: { device: value.device } };
      break;
    case 'ScalarType':
      if (value.kind === 'dtype') return value;
      break;
    case 'Device':
      if (value.kind === 'device') return value;
      break;
    case 'Scalar':
      if (isNumber(value)) return value;
      break;
    case 'stream':
      if (value.kind === 'stream') return value;
      if (value.kind === 'int' && value.value === 0n) return { kind: 'stream' };
      if (value.kind === 'pointer' && value.target.kind === 'null') return { kind: 'stream' };
      break;
    case 'callable':
      if (value.kind === 'lambda' || value.kind === 'function' || value.kind === 'operator') return value;
      if (value.kind === 'pointer' && (value.target.kind === 'function' || value.target.kind === 'null')) return value;
      if (value.kind === 'struct') return copyValue(value);
      break;
    case 'MemoryFormat':
      if (value.kind === 'format') return value;
      break;
    default:
      return value;
  }
  throw invalid(`cannot convert ${describeValue(value)} to ${name}`, line);
}

/** Whether a value converts to a type without a cast: used to choose between overloads. */
export function converts(value: Value, type: CppType, line: number): boolean {
  try {
    convert(value, type, line);
    return true;
  } catch {
    return false;
  }
}

/** The type a value has, for `auto` and for template deduction. */
export function typeOfValue(value: Value): CppType {
  switch (value.kind) {
    case 'int':
    case 'float':
    case 'struct':
    case 'address':
      return value.type;
    case 'pointer':
      return { kind: 'pointer', to: value.to };
    case 'list':
      return {
        kind: 'list',
        container: value.container,
        element: value.element,
        ...(value.container === 'tuple' ? { elements: value.cells.map((c) => c.type) } : {}),
      };
    case 'optional':
      return { kind: 'optional', of: value.of ?? BOOL };
    case 'tensor':
      return { kind: 'library', name: 'Tensor' };
    case 'string':
      return { kind: 'library', name: 'string' };
    case 'options':
      return { kind: 'library', name: 'TensorOptions' };
    case 'dtype':
      return { kind: 'library', name: 'ScalarType' };
    case 'device':
      return { kind: 'library', name: 'Device' };
    case 'stream':
      return { kind: 'library', name: 'stream' };
    case 'format':
      return { kind: 'library', name: 'MemoryFormat' };
    case 'lambda':
    case 'function':
    case 'operator':
      return { kind: 'library', name: 'callable' };
    case 'iterator':
      return { kind: 'library', name: 'iterator' };
    case 'text-stream':
      return { kind: 'library', name: 'string stream' };
    case 'properties':
      return { kind: 'library', name: 'device properties' };
    default:
      return { kind: 'library', name: 'guard' };
  }
}
