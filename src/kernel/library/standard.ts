/** Functions of the C and C++ standard libraries that host code uses to compute sizes, and checks. */
import type { Expression } from '../cpp/ast.ts';
import { invalid, unsupported } from '../error.ts';
import { binary, commonInt, commonNumber } from '../interpret/arithmetic.ts';
import { callValue } from '../interpret/calls.ts';
import {
  convert,
  initialised,
  isNumber,
  toFloat,
  toIndex,
  toNumber,
  truth,
  typeOfValue,
} from '../interpret/convert.ts';
import { EXCEPTION_CLASSES, exceptionValue, ThrownError } from '../interpret/exceptions.ts';
import { type CppType, DOUBLE, FLOAT, type FloatType, INT, LONG } from '../interpret/types.ts';
import {
  boolValue,
  cell,
  copyValue,
  describeValue,
  intValue,
  type ListValue,
  type Value,
  VOID_VALUE,
} from '../interpret/values.ts';
import { roundToFormat } from '../number-format.ts';
import { ALGORITHMS } from './algorithms.ts';
import type { LibraryCall, LibraryFunction } from './call.ts';

/** A function of doubles; float arguments give floats, integers give doubles ([cmath.syn]). */
function real(f: (...x: number[]) => number): LibraryFunction {
  return (call) => {
    const values = call.values();
    const float = values.every((v) => v.kind === 'float' && v.type.format !== 'float64');
    const type: FloatType = float ? FLOAT : DOUBLE;
    const result = f(...values.map((v) => toNumber(v, call.line)));
    return { kind: 'float', type, value: roundToFormat(result, type.format) };
  };
}

/** The `f`-suffixed functions of C. */
function single(f: (...x: number[]) => number): LibraryFunction {
  return (call) => ({
    kind: 'float',
    type: FLOAT,
    value: Math.fround(f(...call.values().map((v) => toFloat(v, FLOAT, call.line).value))),
  });
}

/** Halves away from zero, as C's round; JavaScript's rounds halves up. */
function roundAway(x: number): number {
  return Math.sign(x) * Math.floor(Math.abs(x) + 0.5);
}

/** Halves to even, as rint under the default mode. */
function roundEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below;
}

function extreme(pick: 'min' | 'max'): LibraryFunction {
  const better = (a: Value, b: Value, line: number): boolean =>
    truth(binary('<', pick === 'min' ? b : a, pick === 'min' ? a : b, line), line);
  return (call) => {
    let values = call.values();
    const [only] = values;
    if (values.length === 1 && only?.kind === 'list') values = only.cells.map((c) => initialised(c, call.line));
    const wanted = call.type();
    // The arguments of std::min<int> are ints before they are compared: a large unsigned one is negative then.
    if (wanted) values = values.map((value) => convert(value, wanted, call.line));
    let best = values[0];
    if (!best || (values.length < 2 && only?.kind !== 'list'))
      throw invalid(`${call.name} needs two values`, call.line);
    for (const value of values.slice(1)) {
      if (value.kind === 'tensor' || best.kind === 'tensor') throw unsupported(`${call.name} of tensors`, call.line);
      const both: readonly [Value, Value] = [best, value];
      if (isNumber(both[0]) && isNumber(both[1])) {
        const type = typeOfValue(both[0]) === typeOfValue(both[1]) ? both[0].type : commonNumber(both[0], both[1]);
        const kept = better(both[0], both[1], call.line) ? value : best;
        best = convert(kept, type, call.line);
      } else throw unsupported(`${call.name} of ${describeValue(value)}`, call.line);
    }
    return best;
  };
}

function listArgument(call: LibraryCall, i: number): ListValue {
  const value = call.value(i);
  if (value.kind !== 'list') throw invalid(`${call.name} needs a list, not ${describeValue(value)}`, call.line);
  return value;
}

const ignored: LibraryFunction = (call) => {
  call.values();
  return VOID_VALUE;
};

/** printf-like: arguments are evaluated, nothing is printed. */
const printed: LibraryFunction = (call) => {
  call.values();
  return intValue(0);
};

/** A text made of a check's message arguments. */
function message(call: LibraryCall, from: number): string {
  return call.expressions
    .slice(from)
    .map((_, i) => {
      const value = call.value(from + i);
      if (value.kind === 'string') return value.value;
      if (isNumber(value)) return String(value.value);
      if (value.kind === 'list')
        return `[${value.cells.map((c) => (c.value && isNumber(c.value) ? c.value.value : '?')).join(', ')}]`;
      return value.kind === 'dtype' ? value.dtype : value.kind === 'device' ? value.device : describeValue(value);
    })
    .join('');
}

/** TORCH_CHECK: an error of the candidate's own, with its message. */
const check: LibraryFunction = (call) => {
  if (call.flag(0)) return VOID_VALUE;
  const text = message(call, 1);
  throw new ThrownError(
    exceptionValue(CHECK_ERRORS[call.name] ?? 'torch::Error', text),
    `${call.name.replace(/^torch::/, '')}(${spell(call.expressions[0])}) fails${text ? `: ${text}` : ''}`,
    call.line,
  );
};

/** The classes of the checks that throw others than c10::Error. */
const CHECK_ERRORS: Readonly<Record<string, string>> = {
  TORCH_CHECK_VALUE: 'torch::ValueError',
  TORCH_CHECK_TYPE: 'torch::TypeError',
  TORCH_CHECK_INDEX: 'torch::IndexError',
  TORCH_CHECK_NOT_IMPLEMENTED: 'torch::NotImplementedError',
};

/** `std::runtime_error("text")` and its like, by name. */
const exceptions: Record<string, LibraryFunction> = {};
for (const name of EXCEPTION_CLASSES) {
  exceptions[name.replace(/^std::/, '')] = (call) =>
    exceptionValue(name, call.count > 0 ? call.text(0) : 'std::exception');
}

function checkCompare(operator: string): LibraryFunction {
  return (call) => {
    if (truth(binary(operator, call.value(0), call.value(1), call.line), call.line)) return VOID_VALUE;
    const text = `${describeValue(call.value(0))} ${operator} ${describeValue(call.value(1))}`;
    throw new ThrownError(exceptionValue('torch::Error', text), `${call.name} fails: ${text}`, call.line);
  };
}

/** The condition as written, roughly: enough to find it. */
function spell(e: Expression | undefined): string {
  if (!e) return '';
  switch (e.kind) {
    case 'name':
      return e.name.path.join('::');
    case 'number':
      return e.text;
    case 'bool':
      return String(e.value);
    case 'string':
      return JSON.stringify(e.value);
    case 'member':
      return `${spell(e.object)}.${e.name}`;
    case 'call':
      return `${spell(e.callee)}(${e.arguments.map(spell).join(', ')})`;
    case 'binary':
      return `${spell(e.left)} ${e.operator} ${spell(e.right)}`;
    case 'unary':
      return `${e.operator}${spell(e.operand)}`;
    case 'index':
      return `${spell(e.object)}[${spell(e.index)}]`;
    default:
      return '...';
  }
}

const absolute: LibraryFunction = (call) => {
  const value = call.value(0);
  if (value.kind === 'int')
    return intValue(value.value < 0n ? -value.value : value.value, value.type.bits < 64 ? INT : value.type);
  if (value.kind === 'float') return { ...value, value: Math.abs(value.value) };
  throw unsupported(`abs of ${describeValue(value)}`, call.line);
};

const MATH: Readonly<Record<string, (...x: number[]) => number>> = {
  ceil: Math.ceil,
  floor: Math.floor,
  trunc: Math.trunc,
  round: roundAway,
  rint: roundEven,
  nearbyint: roundEven,
  sqrt: Math.sqrt,
  rsqrt: (x = 0) => 1 / Math.sqrt(x),
  cbrt: Math.cbrt,
  exp: Math.exp,
  exp2: (x = 0) => 2 ** x,
  log: Math.log,
  log2: Math.log2,
  log10: Math.log10,
  pow: (x = 0, y = 0) => x ** y,
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
  fabs: Math.abs,
  fmod: (x = 0, y = 0) => x % y,
  fmin: Math.min,
  fmax: Math.max,
  hypot: Math.hypot,
  ldexp: (x = 0, e = 0) => x * 2 ** e,
  log1p: Math.log1p,
  expm1: Math.expm1,
  tan: Math.tan,
  atan: Math.atan,
  atan2: Math.atan2,
};

const mathFunctions: Record<string, LibraryFunction> = {};
for (const [name, f] of Object.entries(MATH)) {
  mathFunctions[name] = real(f);
  mathFunctions[`${name}f`] = single(f);
}

export const STANDARD_FUNCTIONS: Readonly<Record<string, LibraryFunction>> = {
  ...mathFunctions,
  ...ALGORITHMS,
  abs: absolute,
  min: extreme('min'),
  max: extreme('max'),
  clamp: (call) => {
    const [value, low, high] = [call.value(0), call.value(1), call.value(2)];
    if (truth(binary('<', value, low, call.line), call.line)) return low;
    return truth(binary('<', high, value, call.line), call.line) ? high : value;
  },
  'numeric_limits::max': (call) => limit(call, 'max'),
  'numeric_limits::lowest': (call) => limit(call, 'lowest'),
  'numeric_limits::min': (call) => limit(call, 'min'),
  'numeric_limits::infinity': (call) => limit(call, 'infinity'),
  'numeric_limits::epsilon': (call) => limit(call, 'epsilon'),
  'numeric_limits::quiet_NaN': (call) => limit(call, 'quiet_NaN'),
  lround: (call) => intValue(BigInt(roundAway(call.number(0))), LONG),
  isnan: (call) => boolValue(Number.isNaN(call.number(0))),
  isinf: (call) => boolValue(Math.abs(call.number(0)) === Number.POSITIVE_INFINITY),
  move: (call) => call.operand(0),
  forward: (call) => call.operand(0),
  ref: (call) => call.operand(0),
  cref: (call) => call.operand(0),
  as_const: (call) => call.operand(0),
  swap: (call) => {
    const a = call.operand(0).cell;
    const b = call.operand(1).cell;
    if (!a || !b) throw invalid('std::swap needs two variables', call.line);
    [a.value, b.value] = [b.value, a.value];
    return VOID_VALUE;
  },
  make_tuple: (call) => tuple(call.values()),
  make_pair: (call) => tuple(call.values()),
  forward_as_tuple: (call) => tuple(call.values()),
  tie: (call) => ({
    kind: 'list',
    container: 'tuple',
    cells: call.expressions.map((_, i) => {
      const target = call.operand(i).cell;
      if (!target) throw invalid('std::tie needs variables', call.line);
      return target;
    }),
  }),
  get: (call) => {
    const argument = call.templateArguments[0]?.expression;
    if (argument?.kind !== 'number') throw unsupported('std::get without a number', call.line);
    const found = listArgument(call, 0).cells[Number(argument.text)];
    if (!found) throw invalid(`std::get<${argument.text}> of a tuple that is shorter`, call.line);
    return { cell: found, value: found.value };
  },
  multiplies: () => ({ kind: 'operator', operator: '*' }),
  plus: () => ({ kind: 'operator', operator: '+' }),
  minus: () => ({ kind: 'operator', operator: '-' }),
  less: () => ({ kind: 'operator', operator: '<' }),
  greater: () => ({ kind: 'operator', operator: '>' }),
  equal_to: () => ({ kind: 'operator', operator: '==' }),
  begin: (call) => ({ kind: 'iterator', list: listArgument(call, 0), index: 0 }),
  end: (call) => {
    const list = listArgument(call, 0);
    return { kind: 'iterator', list, index: list.cells.length };
  },
  size: (call) => intValue(listArgument(call, 0).cells.length, LONG),
  to_string: (call) => {
    const value = call.value(0);
    if (value.kind === 'float') return { kind: 'string', value: value.value.toFixed(6) };
    return { kind: 'string', value: String(toIndex(value, call.line)) };
  },
  make_optional: (call) => ({
    kind: 'optional',
    of: typeOfValue(call.value(0)),
    cell: cell(typeOfValue(call.value(0)), copyValue(call.value(0))),
  }),
  ...exceptions,
  gcd: (call) => divisor(call, false),
  lcm: (call) => divisor(call, true),
  __builtin_popcount: (call) => intValue(BigInt.asUintN(32, bits(call)).toString(2).replaceAll('0', '').length),
  __builtin_popcountll: (call) => intValue(BigInt.asUintN(64, bits(call)).toString(2).replaceAll('0', '').length),
  __builtin_clz: (call) => intValue(leadingZeros(call, 32)),
  __builtin_clzll: (call) => intValue(leadingZeros(call, 64)),
  __builtin_ctz: (call) => intValue(trailingZeros(call)),
  __builtin_ctzll: (call) => intValue(trailingZeros(call)),
  __builtin_expect: (call) => call.value(0),
  apply: (call) => {
    const list = listArgument(call, 1);
    return callValue(
      call.m,
      call.value(0),
      list.cells.map((c) => ({ cell: c, value: c.value })),
      call.scope,
      call.line,
    );
  },
  printf: printed,
  fprintf: printed,
  puts: printed,
  fflush: printed,
  assert: check,
  TORCH_CHECK: check,
  TORCH_INTERNAL_ASSERT: check,
  TORCH_INTERNAL_ASSERT_DEBUG_ONLY: check,
  TORCH_CHECK_VALUE: check,
  TORCH_CHECK_TYPE: check,
  TORCH_CHECK_INDEX: check,
  TORCH_CHECK_NOT_IMPLEMENTED: check,
  AT_ASSERT: check,
  AT_ASSERTM: check,
  TORCH_CHECK_EQ: checkCompare('=='),
  TORCH_CHECK_NE: checkCompare('!='),
  TORCH_CHECK_LT: checkCompare('<'),
  TORCH_CHECK_LE: checkCompare('<='),
  TORCH_CHECK_GT: checkCompare('>'),
  TORCH_CHECK_GE: checkCompare('>='),
  TORCH_WARN: ignored,
  TORCH_WARN_ONCE: ignored,
  AT_ERROR: (call) => {
    const text = message(call, 0);
    throw new ThrownError(exceptionValue('torch::Error', text), `AT_ERROR: ${text}`, call.line);
  },
  'torch::str': (call) => ({ kind: 'string', value: message(call, 0) }),
  RECORD_FUNCTION: () => VOID_VALUE,
  'torch::ceil_div': (call) => ceilDivide(call),
  // c10/util/accumulate.h: the product of a container, of all its elements.
  'torch::multiply_integers': (call) =>
    intValue(
      call.indices(0).reduce((product, n) => product * n, 1),
      LONG,
    ),
  'torch::divup': (call) => ceilDivide(call),
};

function bits(call: LibraryCall): bigint {
  const value = call.value(0);
  if (value.kind !== 'int') throw invalid(`${call.name} of ${describeValue(value)}`, call.line);
  return value.value;
}

/** Of 0 the built-ins say nothing. */
function leadingZeros(call: LibraryCall, size: number): number {
  const value = BigInt.asUintN(size, bits(call));
  if (value === 0n) throw invalid(`${call.name} of 0 is undefined`, call.line);
  return size - value.toString(2).length;
}

function trailingZeros(call: LibraryCall): number {
  const value = bits(call);
  if (value === 0n) throw invalid(`${call.name} of 0 is undefined`, call.line);
  return (value & -value).toString(2).length - 1;
}

/** Greatest common divisor, or least common multiple, in the type that both numbers meet in. */
function divisor(call: LibraryCall, multiple: boolean): Value {
  const [a, b] = [call.value(0), call.value(1)];
  if (a.kind !== 'int' || b.kind !== 'int') throw invalid(`${call.name} needs integers`, call.line);
  const size = (n: bigint): bigint => (n < 0n ? -n : n);
  let [x, y] = [size(a.value), size(b.value)];
  while (y !== 0n) [x, y] = [y, x % y];
  const type = commonInt(a.type, b.type);
  return intValue(multiple ? (x === 0n ? 0n : size((a.value / x) * b.value)) : x, type);
}

/** Largest finite value, smallest normal value and epsilon of each format (IEEE 754; bfloat16: 8 exponent, 7 fraction bits). */
const FLOAT_LIMITS: Readonly<Record<FloatType['format'], { max: number; min: number; epsilon: number }>> = {
  float64: { max: Number.MAX_VALUE, min: 2 ** -1022, epsilon: 2 ** -52 },
  float32: { max: (2 - 2 ** -23) * 2 ** 127, min: 2 ** -126, epsilon: 2 ** -23 },
  float16: { max: 65504, min: 2 ** -14, epsilon: 2 ** -10 },
  bfloat16: { max: (2 - 2 ** -7) * 2 ** 127, min: 2 ** -126, epsilon: 2 ** -7 },
};

/** std::numeric_limits<T>::name(). */
function limit(call: LibraryCall, name: 'max' | 'lowest' | 'min' | 'infinity' | 'epsilon' | 'quiet_NaN'): Value {
  const type = call.type();
  if (type?.kind === 'int' && (name === 'max' || name === 'min' || name === 'lowest')) {
    const high = 2n ** BigInt(type.signed ? type.bits - 1 : type.bits) - 1n;
    return intValue(name === 'max' ? high : type.signed ? -high - 1n : 0n, type);
  }
  if (type?.kind !== 'float') throw unsupported(`${call.name} of this type`, call.line);
  const of = FLOAT_LIMITS[type.format];
  const values = { ...of, lowest: -of.max, infinity: Number.POSITIVE_INFINITY, quiet_NaN: Number.NaN };
  return { kind: 'float', type, value: values[name] };
}

/** std::numeric_limits<T>::digits and digits10: bits of the significand, or of the value; decimal digits that survive (C++ [numeric.limits]). */
export function digitsOf(type: CppType, decimal: boolean): number | undefined {
  if (type.kind === 'int' && type.enumeration === undefined) {
    const bits = type.signed ? type.bits - 1 : type.bits;
    return decimal ? Math.floor(bits * Math.log10(2)) : bits;
  }
  if (type.kind !== 'float') return undefined;
  const bits = 1 - Math.log2(FLOAT_LIMITS[type.format].epsilon);
  return decimal ? Math.floor((bits - 1) * Math.log10(2)) : bits;
}

function ceilDivide(call: LibraryCall): Value {
  const b = call.value(1);
  return binary('/', binary('-', binary('+', call.value(0), b, call.line), intValue(1), call.line), b, call.line);
}

function tuple(values: readonly Value[]): Value {
  return { kind: 'list', container: 'tuple', cells: values.map((v) => cell(typeOfValue(v), copyValue(v))) };
}
