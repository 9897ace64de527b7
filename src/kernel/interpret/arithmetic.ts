/** Operators on values: integer promotion, the usual arithmetic conversions, and C++'s undefined cases as errors. */
import { invalid, refused, unsupported } from '../error.ts';
import { printedText } from '../library/text.ts';
import { roundToFormat } from '../number-format.ts';
import { convert, isNumber, truth, typeOfValue } from './convert.ts';
import {
  type CppType,
  DOUBLE,
  FLOAT,
  type FloatType,
  INT,
  type IntType,
  LONG,
  LONG_LONG,
  sizeOf,
  UINT,
  ULONG,
  ULONG_LONG,
  unqualified,
} from './types.ts';
import {
  boolValue,
  describeValue,
  type FloatValue,
  type IntValue,
  intValue,
  type ListValue,
  longValue,
  type Value,
  wrap,
} from './values.ts';

/** Integer promotion: what is smaller than int becomes int; an enumeration becomes its underlying type first. */
export function promote(type: IntType): IntType {
  if (type.bits < 32) return INT;
  if (!type.enumeration) return type;
  return type.bits === 64 ? (type.signed ? LONG : ULONG) : type.signed ? INT : UINT;
}

/** Rank of a promoted integer: int, long, long long (the last two have the same size). */
function rank(type: IntType): number {
  return type.bits === 32 ? 0 : type.mangled === 'x' || type.mangled === 'y' ? 2 : 1;
}

/** The usual arithmetic conversions of two integers (C++ [expr.arith.conv]). */
export function commonInt(a: IntType, b: IntType): IntType {
  const x = promote(a);
  const y = promote(b);
  if (x.signed === y.signed) return rank(x) >= rank(y) ? x : y;
  const [signed, unsigned] = x.signed ? [x, y] : [y, x];
  if (rank(unsigned) >= rank(signed)) return unsigned;
  // A wider signed type holds every unsigned value; long long beside unsigned long does not.
  return signed.bits > unsigned.bits ? signed : ULONG_LONG;
}

/** The type that two numbers of these types meet in; undefined for other types. */
export function commonType(a: CppType, b: CppType): IntType | FloatType | undefined {
  if ((a.kind !== 'int' && a.kind !== 'float') || (b.kind !== 'int' && b.kind !== 'float')) return undefined;
  return commonNumber(typed(unqualified(a)), typed(unqualified(b)));
}

function typed(type: IntType | FloatType): IntValue | FloatValue {
  return type.kind === 'int' ? { kind: 'int', type, value: 0n } : { kind: 'float', type, value: 0 };
}

function commonFloat(a: IntValue | FloatValue, b: IntValue | FloatValue): FloatType {
  const types = [a, b].flatMap((v) => (v.kind === 'float' ? [v.type] : []));
  if (types.some((t) => t.format === 'float64')) return DOUBLE;
  if (types.some((t) => t.format === 'float32')) return FLOAT;
  const [first, second] = types;
  return first && (!second || second.format === first.format) ? first : FLOAT;
}

/** The type of `a + b`, for `?:` and std::min as well. */
export function commonNumber(a: IntValue | FloatValue, b: IntValue | FloatValue): IntType | FloatType {
  if (a.kind === 'int' && b.kind === 'int') return commonInt(a.type, b.type);
  return commonFloat(a, b);
}

const COMPARISONS = new Set(['==', '!=', '<', '>', '<=', '>=']);

/** Any binary operator except `&&`, `||` and `,`, which the evaluator does itself. */
export function binary(operator: string, a: Value, b: Value, line: number): Value {
  if (isNumber(a) && isNumber(b)) {
    return a.kind === 'int' && b.kind === 'int' ? intBinary(operator, a, b, line) : floatBinary(operator, a, b, line);
  }
  if (a.kind === 'struct' || b.kind === 'struct') return structBinary(operator, a, b, line);
  if (a.kind === 'tensor' || b.kind === 'tensor') {
    throw refused(`tensor ${operator} computes with PyTorch; a candidate must do the work in its own kernels`, line);
  }
  if (a.kind === 'opaque' && operator === '<<') return a;
  if (a.kind === 'text-stream' && operator === '<<') {
    a.text += printedText(b, line);
    return a;
  }
  if (a.kind === 'optional' || b.kind === 'optional') {
    const empty = (v: Value): boolean => v.kind === 'optional' && !v.cell;
    if (operator === '==' && empty(a) && empty(b)) return boolValue(true);
    if (operator === '==' && empty(a) !== empty(b)) return boolValue(false);
    if (operator === '!=' && empty(a) !== empty(b)) return boolValue(true);
    if (operator === '!=' && empty(a) && empty(b)) return boolValue(false);
    const inner = (v: Value): Value => (v.kind === 'optional' && v.cell?.value ? v.cell.value : v);
    return binary(operator, inner(a), inner(b), line);
  }
  if (a.kind === 'address' || b.kind === 'address') return addressBinary(operator, a, b, line);
  if (a.kind === 'pointer' || b.kind === 'pointer') return pointerBinary(operator, a, b, line);
  if (a.kind === 'iterator') return iteratorBinary(operator, a, b, line);
  if (a.kind === 'string' && b.kind === 'string') {
    if (operator === '+') return { kind: 'string', value: a.value + b.value };
    if (COMPARISONS.has(operator))
      return boolValue(compare(operator, a.value < b.value ? -1 : a.value > b.value ? 1 : 0));
  }
  if (a.kind === 'list' && b.kind === 'list' && /^[<>]=?$/.test(operator)) {
    return boolValue(compare(operator, listOrder(a, b, line)));
  }
  if (a.kind === 'list' && b.kind === 'list' && (operator === '==' || operator === '!=')) {
    const equal =
      a.cells.length === b.cells.length &&
      a.cells.every((c, i) => {
        const other = b.cells[i]?.value;
        return c.value !== undefined && other !== undefined && truth(binary('==', c.value, other, line), line);
      });
    return boolValue(equal === (operator === '=='));
  }
  // A string and a character.
  if (operator === '+' && (a.kind === 'string' || b.kind === 'string') && (isCharacter(a) || isCharacter(b))) {
    return { kind: 'string', value: printedText(a, line) + printedText(b, line) };
  }
  const plain = plainKey(a);
  const other = plainKey(b);
  if (plain !== undefined && other !== undefined && (operator === '==' || operator === '!=')) {
    return boolValue((plain === other) === (operator === '=='));
  }
  throw unsupported(`${describeValue(a)} ${operator} ${describeValue(b)}`, line);
}

function isCharacter(value: Value): boolean {
  return value.kind === 'int' && value.type.bits === 8;
}

/** Lexicographic, as vectors, arrays, pairs and tuples compare. */
function listOrder(a: ListValue, b: ListValue, line: number): number {
  for (const [i, c] of a.cells.entries()) {
    const x = c.value;
    const y = b.cells[i]?.value;
    if (!x || !y) return 1;
    if (truth(binary('<', x, y, line), line)) return -1;
    if (truth(binary('<', y, x, line), line)) return 1;
  }
  return a.cells.length - b.cells.length;
}

/** Through the candidate's own operator, or a struct's conversion to a number. */
function structBinary(operator: string, a: Value, b: Value, line: number): Value {
  const own = [a, b].flatMap((v) => (v.kind === 'struct' && v.type.behaviour ? [v.type.behaviour] : []));
  const result = own[0]?.operator(operator, [a, b], line);
  if (result) return result;
  const number = (v: Value): Value | undefined =>
    v.kind === 'struct'
      ? (v.type.behaviour?.convertTo(v, LONG, line) ?? v.type.behaviour?.convertTo(v, DOUBLE, line))
      : v;
  const x = number(a);
  const y = number(b);
  if (!x || !y) throw unsupported(`${describeValue(a)} ${operator} ${describeValue(b)}`, line);
  return binary(operator, x, y, line);
}

/** Values that can be compared for equality only. */
function plainKey(value: Value): string | undefined {
  switch (value.kind) {
    case 'dtype':
      return `dtype ${value.dtype}`;
    case 'device':
      return `device ${value.device}`;
    case 'format':
      return `format ${value.format}`;
    case 'options':
      return value.options.dtype ? `dtype ${value.options.dtype}` : undefined;
    default:
      return undefined;
  }
}

function compare(operator: string, order: number): boolean {
  switch (operator) {
    case '==':
      return order === 0;
    case '!=':
      return order !== 0;
    case '<':
      return order < 0;
    case '>':
      return order > 0;
    case '<=':
      return order <= 0;
    default:
      return order >= 0;
  }
}

function intBinary(operator: string, a: IntValue, b: IntValue, line: number): Value {
  if (operator === '<<' || operator === '>>') {
    const type = promote(a.type);
    if (b.value < 0n || b.value >= BigInt(type.bits)) {
      throw invalid(`a shift by ${b.value} of a ${type.bits}-bit ${type.name} is undefined`, line);
    }
    const left = wrap(a.value, type);
    return intValue(operator === '<<' ? left << b.value : left >> b.value, type);
  }
  const type = commonInt(a.type, b.type);
  const x = wrap(a.value, type);
  const y = wrap(b.value, type);
  if (COMPARISONS.has(operator)) return boolValue(compare(operator, x < y ? -1 : x > y ? 1 : 0));
  let exact: bigint;
  switch (operator) {
    case '+':
      exact = x + y;
      break;
    case '-':
      exact = x - y;
      break;
    case '*':
      exact = x * y;
      break;
    case '/':
    case '%':
      if (y === 0n) throw invalid('division by zero', line);
      exact = operator === '/' ? x / y : x % y;
      break;
    case '&':
      exact = x & y;
      break;
    case '|':
      exact = x | y;
      break;
    case '^':
      exact = x ^ y;
      break;
    default:
      throw unsupported(`the operator ${operator}`, line);
  }
  const value = wrap(exact, type);
  if (type.signed && value !== exact) {
    throw invalid(`${x} ${operator} ${y} overflows ${type.name} (undefined in C++); use int64_t`, line);
  }
  return { kind: 'int', type, value };
}

function floatBinary(operator: string, a: IntValue | FloatValue, b: IntValue | FloatValue, line: number): Value {
  const type = commonFloat(a, b);
  const x = roundToFormat(Number(a.value), type.format);
  const y = roundToFormat(Number(b.value), type.format);
  if (COMPARISONS.has(operator)) {
    if (Number.isNaN(x) || Number.isNaN(y)) return boolValue(operator === '!=');
    return boolValue(compare(operator, x < y ? -1 : x > y ? 1 : 0));
  }
  // float op in double, rounded once more, is exactly the float operation for + - * / (Figueroa 1995).
  switch (operator) {
    case '+':
      return { kind: 'float', type, value: roundToFormat(x + y, type.format) };
    case '-':
      return { kind: 'float', type, value: roundToFormat(x - y, type.format) };
    case '*':
      return { kind: 'float', type, value: roundToFormat(x * y, type.format) };
    case '/':
      return { kind: 'float', type, value: roundToFormat(x / y, type.format) };
    default:
      throw invalid(`${operator} is not defined for ${type.name}`, line);
  }
}

/** Buffers start at multiples of 256 bytes, as PyTorch's do (its allocator rounds to 512): low bits are known. */
function addressBinary(operator: string, a: Value, b: Value, line: number): Value {
  const low = (v: Value): bigint | undefined => (v.kind === 'address' ? v.low : v.kind === 'int' ? v.value : undefined);
  const x = low(a);
  const y = low(b);
  if (x !== undefined && y !== undefined) {
    if (operator === '|' && a.kind === 'address' && b.kind === 'address') return { ...a, low: x | y };
    if (operator === '&') {
      const mask = a.kind === 'address' ? (b.kind === 'int' ? y : undefined) : x;
      if (mask !== undefined && mask >= 0n && mask < 256n) return intValue(x & y, ULONG);
    }
    if (operator === '%' && a.kind === 'address' && b.kind === 'int' && y > 0n && 256n % y === 0n)
      return intValue(x % y, ULONG);
    if (operator === '+' && a.kind === 'address') return { ...a, low: (x + y) & 255n };
  }
  throw unsupported("the value of a tensor's address (only its alignment, address % 16, can be known)", line);
}

function pointerBinary(operator: string, a: Value, b: Value, line: number): Value {
  if (a.kind === 'pointer' && b.kind === 'int' && (operator === '+' || operator === '-')) {
    const count = operator === '+' ? b.value : -b.value;
    if (a.target.kind === 'device') {
      const size = BigInt(Math.max(1, sizeOf(a.to)));
      return { ...a, target: { ...a.target, offset: a.target.offset + count * size } };
    }
    if (a.target.kind === 'element') return { ...a, target: { ...a.target, index: a.target.index + Number(count) } };
    if (b.value === 0n) return a;
    throw invalid(`${describeValue(a)} ${operator} ${b.value}`, line);
  }
  if (operator === '+' && a.kind === 'int') return pointerBinary('+', b, a, line);
  const key = (v: Value): string | undefined => {
    if (v.kind === 'int' && v.value === 0n) return 'null';
    if (v.kind !== 'pointer') return undefined;
    if (v.target.kind === 'null') return 'null';
    return v.target.kind === 'device' ? `${v.target.buffer}+${v.target.offset}` : undefined;
  };
  const x = key(a);
  const y = key(b);
  if ((operator === '==' || operator === '!=') && x !== undefined && y !== undefined) {
    return boolValue((x === y) === (operator === '=='));
  }
  if (operator === '-' && a.kind === 'pointer' && b.kind === 'pointer') {
    if (a.target.kind === 'device' && b.target.kind === 'device' && a.target.buffer === b.target.buffer) {
      return longValue((a.target.offset - b.target.offset) / BigInt(Math.max(1, sizeOf(a.to))));
    }
  }
  throw unsupported(`${describeValue(a)} ${operator} ${describeValue(b)}`, line);
}

function iteratorBinary(operator: string, a: Extract<Value, { kind: 'iterator' }>, b: Value, line: number): Value {
  if (b.kind === 'int' && (operator === '+' || operator === '-')) {
    return { ...a, index: a.index + (operator === '+' ? 1 : -1) * Number(b.value) };
  }
  if (b.kind === 'iterator') {
    if (operator === '-') return longValue(a.index - b.index);
    if (COMPARISONS.has(operator)) return boolValue(compare(operator, a.index - b.index));
  }
  throw unsupported(`an iterator ${operator} ${describeValue(b)}`, line);
}

export function unary(operator: string, a: Value, line: number): Value {
  if (operator === '!') return boolValue(!truth(a, line));
  if (a.kind === 'int') {
    const type = promote(a.type);
    if (operator === '+') return intValue(a.value, type);
    if (operator === '~') return intValue(~a.value, type);
    if (operator === '-') return intBinary('-', intValue(0n, type), a, line);
  }
  if (a.kind === 'float') {
    if (operator === '+') return a;
    if (operator === '-') return { ...a, value: -a.value };
  }
  if (a.kind === 'tensor') {
    throw refused(`${operator}tensor computes with PyTorch; a candidate must do the work in its own kernels`, line);
  }
  throw unsupported(`${operator} of ${describeValue(a)}`, line);
}

/** `++` and `--`: the new value, of the variable's own type. */
export function increment(operator: string, a: Value, line: number): Value {
  return convert(binary(operator === '++' ? '+' : '-', a, intValue(1n), line), typeOfValue(a), line, true);
}

/** A literal's value and type, by its suffix and size (C++ [lex.icon], [lex.fcon]). */
export function numberLiteral(text: string, line: number): Value {
  const hex = /^0[xX]/.test(text);
  if (!hex && /[.eE]/.test(text)) {
    const match = /^([0-9.]+(?:[eE][+-]?[0-9]+)?)([fFlL]?)$/.exec(text);
    if (!match) throw unsupported(`the literal ${text}`, line);
    const type = /[fF]/.test(match[2] ?? '') ? FLOAT : DOUBLE;
    return { kind: 'float', type, value: roundToFormat(Number(match[1]), type.format) };
  }
  const match = /^(0[xX][0-9a-fA-F]+|0[bB][01]+|[0-9]+)([uUlLzZ]*)$/.exec(text);
  if (!match) {
    if (/^[0-9]+[fF]$/.test(text)) return { kind: 'float', type: FLOAT, value: Math.fround(Number.parseFloat(text)) };
    throw unsupported(`the literal ${text}`, line);
  }
  const digits = match[1] ?? '0';
  const octal = /^0[0-7]+$/.test(digits);
  const value = BigInt(octal ? `0o${digits.slice(1)}` : digits);
  const suffix = (match[2] ?? '').toLowerCase();
  const unsigned = suffix.includes('u');
  const [signedLong, unsignedLong] = suffix.includes('ll') ? [LONG_LONG, ULONG_LONG] : [LONG, ULONG];
  const long = suffix.includes('l') || suffix.includes('z');
  const wide = hex || octal || /^0[bB]/.test(digits);
  const candidates: IntType[] = unsigned
    ? long
      ? [unsignedLong]
      : [UINT, ULONG]
    : long
      ? wide
        ? [signedLong, unsignedLong]
        : [signedLong]
      : wide
        ? [INT, UINT, LONG, ULONG]
        : [INT, LONG];
  const type = candidates.find((t) => wrap(value, t) === value);
  if (!type) throw invalid(`${text} fits no integer type`, line);
  return { kind: 'int', type, value };
}
