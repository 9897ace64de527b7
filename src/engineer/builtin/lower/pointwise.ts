/**
 * Pointwise operators as C++ expressions: one table, by the canonical names of the task room's operator table.
 *
 * Formulas are the accurate ones (erff, expm1f, log1pf; no fast intrinsics) and follow PyTorch at NaN, infinities and zero signs.
 */
import type { Attribute } from '../../../task/index.ts';
import { attributeNumber, type ComputeType, isFloating, literal, mathFunction } from './scalar.ts';

type Attributes = Readonly<Record<string, Attribute>>;

/** `x` are operands as variables or literals of type `type`; the result has that type too unless the operator gives bool. */
type Expression = (x: readonly string[], type: ComputeType, attributes: Attributes) => string;

interface Pointwise {
  expression: Expression;
  /** Names in {@link helperFunctions}. */
  helpers?: readonly string[];
  /** Integers are not accepted: the tracer casts before. */
  floating?: boolean;
}

/** A C math function of the same name and meaning. */
const math = (name: string): Pointwise => ({
  floating: true,
  expression: ([x], type) => `${mathFunction(name, type)}(${x})`,
});
const number = (attributes: Attributes, name: string, type: ComputeType) =>
  literal(attributeNumber(attributes[name]), type);
const of = (expression: Expression): Pointwise => ({ expression });
const floating = (expression: Expression): Pointwise => ({ expression, floating: true });
const f = (name: string, type: ComputeType) => mathFunction(name, type);
const comparison = (operator: string): Pointwise => of(([x, y]) => `${x} ${operator} ${y}`);
const logical = (operator: string): Pointwise => of(([x, y]) => `(${x} != 0) ${operator} (${y} != 0)`);

/** Integer arithmetic wraps as on the GPU and in PyTorch; signed overflow in C++ would be undefined. */
const arithmetic = (operator: string): Pointwise =>
  of(([x, y], type) => {
    if (type === 'int') return `static_cast<int>(static_cast<unsigned>(${x}) ${operator} static_cast<unsigned>(${y}))`;
    if (type === 'long long')
      return `static_cast<long long>(static_cast<unsigned long long>(${x}) ${operator} static_cast<unsigned long long>(${y}))`;
    if (type === 'bool') return operator === '*' ? `${x} && ${y}` : `${x} || ${y}`;
    return `${x} ${operator} ${y}`;
  });

/** Device functions for what C has no expression for. `T` is a template parameter. */
export const helperFunctions: Readonly<Record<string, string>> = {
  floor_divide: `// Python's floor division of floating-point numbers, as PyTorch does it: exact where x / y rounds up to an integer.
template <typename T>
__device__ __forceinline__ T floor_divide(T x, T y) {
  if (y == T(0)) return x / y;
  const T mod = fmod(x, y);
  T quotient = (x - mod) / y;
  if (mod != T(0) && (y < T(0)) != (mod < T(0))) quotient -= T(1);
  if (quotient == T(0)) return copysign(T(0), x / y);
  T floored = floor(quotient);
  if (quotient - floored > T(0.5)) floored += T(1);
  return floored;
}`,
  floor_divide_int: `// Python's floor division of integers.
template <typename T>
__device__ __forceinline__ T floor_divide_int(T x, T y) {
  const T quotient = x / y;
  return (x % y != 0 && (x < 0) != (y < 0)) ? quotient - 1 : quotient;
}`,
  remainder_of: `// Python's remainder of floating-point numbers: the divisor's sign.
template <typename T>
__device__ __forceinline__ T remainder_of(T x, T y) {
  const T mod = fmod(x, y);
  return (mod != T(0) && (y < T(0)) != (mod < T(0))) ? mod + y : mod;
}`,
  remainder_of_int: `// Python's remainder of integers: the divisor's sign.
template <typename T>
__device__ __forceinline__ T remainder_of_int(T x, T y) {
  const T mod = x % y;
  return (mod != 0 && (mod < 0) != (y < 0)) ? mod + y : mod;
}`,
  integer_power: `// Integer power by squaring; negative exponents as PyTorch: 1 / x^n truncated.
template <typename T>
__device__ __forceinline__ T integer_power(T x, T n) {
  if (n < 0) return x == 1 ? 1 : (x == -1 ? ((n & 1) ? -1 : 1) : 0);
  unsigned long long result = 1, base = static_cast<unsigned long long>(static_cast<long long>(x));
  for (; n > 0; n >>= 1) {
    if (n & 1) result *= base;
    base *= base;
  }
  return static_cast<T>(result);
}`,
};

/** Powers by a constant that need no `powf`. */
function constantPower(x: string, exponent: number, type: ComputeType): string | undefined {
  switch (exponent) {
    case 0:
      return literal(1, type);
    case 1:
      return x;
    case 2:
      return `${x} * ${x}`;
    case 3:
      return `${x} * ${x} * ${x}`;
    case -1:
      return `${literal(1, type)} / ${x}`;
    case -2:
      return `${literal(1, type)} / (${x} * ${x})`;
    case 0.5:
      return `${f('sqrt', type)}(${x})`;
    case -0.5:
      return `${literal(1, type)} / ${f('sqrt', type)}(${x})`;
    default:
      return undefined;
  }
}

const one = (type: ComputeType) => literal(1, type);
const zero = (type: ComputeType) => literal(0, type);
const half = (type: ComputeType) => literal(0.5, type);

/** Operators whose output has the operands' dtype or bool; operands come broadcast and, for scalars, as literals. */
export const pointwise: Readonly<Record<string, Pointwise>> = {
  neg: of(([x], type) => (isFloating(type) ? `-${x}` : type === 'bool' ? `${x}` : `0 - ${x}`)),
  abs: of(([x], type) => (isFloating(type) ? `${f('fabs', type)}(${x})` : `(${x} < 0 ? -${x} : ${x})`)),
  sign: of(([x], type) =>
    isFloating(type)
      ? `(${x} > 0 ? ${one(type)} : (${x} < 0 ? -${one(type)} : ${x} * ${zero(type)}))`
      : `((${x} > 0) - (${x} < 0))`,
  ),
  floor: math('floor'),
  ceil: math('ceil'),
  round: math('rint'),
  trunc: math('trunc'),
  frac: floating(([x], type) => `${x} - ${f('trunc', type)}(${x})`),
  exp: math('exp'),
  exp2: math('exp2'),
  expm1: math('expm1'),
  log: math('log'),
  log2: math('log2'),
  log10: math('log10'),
  log1p: math('log1p'),
  sqrt: math('sqrt'),
  rsqrt: math('rsqrt'),
  reciprocal: floating(([x], type) => `${one(type)} / ${x}`),
  sin: math('sin'),
  cos: math('cos'),
  tan: math('tan'),
  asin: math('asin'),
  acos: math('acos'),
  atan: math('atan'),
  sinh: math('sinh'),
  cosh: math('cosh'),
  asinh: math('asinh'),
  acosh: math('acosh'),
  atanh: math('atanh'),
  erf: math('erf'),
  erfc: math('erfc'),
  tanh: math('tanh'),
  sigmoid: floating(([x], type) => `${one(type)} / (${one(type)} + ${f('exp', type)}(-${x}))`),
  logsigmoid: floating(
    ([x], type) =>
      `(${x} < 0 ? ${x} : ${zero(type)}) - ${f('log1p', type)}(${f('exp', type)}(-${f('fabs', type)}(${x})))`,
  ),
  relu: of(([x], type) => `(${x} < 0 ? ${zero(type)} : ${x})`),
  silu: floating(([x], type) => `${x} / (${one(type)} + ${f('exp', type)}(-${x}))`),
  mish: floating(([x], type) => `${x} * ${f('tanh', type)}(${f('log1p', type)}(${f('exp', type)}(${x})))`),
  softsign: floating(([x], type) => `${x} / (${one(type)} + ${f('fabs', type)}(${x}))`),
  selu: floating(
    ([x], type) =>
      `${literal(1.0507009873554805, type)} * (${x} > 0 ? ${x} : ${literal(1.6732632423543772, type)} * ${f('expm1', type)}(${x}))`,
  ),
  hardsigmoid: floating(
    ([x], type) =>
      `(${x} < -3 ? ${zero(type)} : (${x} > 3 ? ${one(type)} : (${x} + ${literal(3, type)}) * ${literal(1 / 6, type)}))`,
  ),
  hardswish: floating(
    ([x], type) =>
      `${x} * (${x} < -3 ? ${zero(type)} : (${x} > 3 ? ${one(type)} : (${x} + ${literal(3, type)}) * ${literal(1 / 6, type)}))`,
  ),
  leaky_relu: floating(([x], type, a) => `(${x} > 0 ? ${x} : ${x} * ${number(a, 'negative_slope', type)})`),
  elu: floating(([x], type, a) => `(${x} > 0 ? ${x} : ${number(a, 'alpha', type)} * ${f('expm1', type)}(${x}))`),
  celu: floating(
    ([x], type, a) =>
      `(${x} > 0 ? ${x} : ${number(a, 'alpha', type)} * ${f('expm1', type)}(${x} / ${number(a, 'alpha', type)}))`,
  ),
  gelu: floating(([x], type, a) =>
    a.approximate === 'tanh'
      ? `${half(type)} * ${x} * (${one(type)} + ${f('tanh', type)}(${literal(Math.sqrt(2 / Math.PI), type)} * (${x} + ${literal(0.044715, type)} * ${x} * ${x} * ${x})))`
      : `${half(type)} * ${x} * (${one(type)} + ${f('erf', type)}(${x} * ${literal(Math.SQRT1_2, type)}))`,
  ),
  softplus: floating(
    ([x], type, a) =>
      `(${x} * ${number(a, 'beta', type)} > ${number(a, 'threshold', type)} ? ${x} : ${f('log1p', type)}(${f('exp', type)}(${x} * ${number(a, 'beta', type)})) / ${number(a, 'beta', type)})`,
  ),
  hardtanh: of(
    ([x], type, a) =>
      `(${x} < ${number(a, 'min_val', type)} ? ${number(a, 'min_val', type)} : (${x} > ${number(a, 'max_val', type)} ? ${number(a, 'max_val', type)} : ${x}))`,
  ),
  softshrink: floating(([x], type, a) => {
    const lambda = number(a, 'lambd', type);
    return `(${x} > ${lambda} ? ${x} - ${lambda} : (${x} < -(${lambda}) ? ${x} + ${lambda} : ${x} * ${zero(type)}))`;
  }),
  hardshrink: floating(([x], type, a) => {
    const lambda = number(a, 'lambd', type);
    return `((${x} >= -(${lambda}) && ${x} <= ${lambda}) ? ${zero(type)} : ${x})`;
  }),
  clamp: of(([x], type, a) => {
    const above = a.min === null ? x! : `(${x} < ${number(a, 'min', type)} ? ${number(a, 'min', type)} : ${x})`;
    return a.max === null ? above : `(${above} > ${number(a, 'max', type)} ? ${number(a, 'max', type)} : ${above})`;
  }),
  logical_not: of(([x]) => `${x} == 0`),
  isnan: of(([x]) => `${x} != ${x}`),
  isinf: of(([x], type) => (isFloating(type) ? `${f('fabs', type)}(${x}) == ${literal(Infinity, type)}` : 'false')),
  isfinite: of(([x], type) => (isFloating(type) ? `${f('fabs', type)}(${x}) < ${literal(Infinity, type)}` : 'true')),

  add: arithmetic('+'),
  sub: arithmetic('-'),
  mul: arithmetic('*'),
  atan2: floating(([x, y], type) => `${f('atan2', type)}(${x}, ${y})`),
  fmod: of(([x, y], type) => (isFloating(type) ? `${f('fmod', type)}(${x}, ${y})` : `${x} % ${y}`)),
  remainder: {
    expression: ([x, y], type) => `${isFloating(type) ? 'remainder_of' : 'remainder_of_int'}<${type}>(${x}, ${y})`,
    helpers: ['remainder_of', 'remainder_of_int'],
  },
  pow: {
    expression: ([x, y], type, a) => {
      const constant = typeof a.other === 'number' && a.reverse !== true ? constantPower(x!, a.other, type) : undefined;
      if (constant !== undefined && (isFloating(type) || Number(a.other) >= 0)) return constant;
      return isFloating(type) ? `${f('pow', type)}(${x}, ${y})` : `integer_power<${type}>(${x}, ${y})`;
    },
    helpers: ['integer_power'],
  },
  div: {
    expression: ([x, y], type, a) => {
      if (a.rounding === 'floor')
        return `${isFloating(type) ? 'floor_divide' : 'floor_divide_int'}<${type}>(${x}, ${y})`;
      if (a.rounding === 'trunc' && isFloating(type)) return `${f('trunc', type)}(${x} / ${y})`;
      return `${x} / ${y}`;
    },
    helpers: ['floor_divide', 'floor_divide_int'],
  },
  minimum: of(([x, y], type) =>
    isFloating(type) ? `((${x} < ${y} || ${x} != ${x}) ? ${x} : ${y})` : `(${x} < ${y} ? ${x} : ${y})`,
  ),
  maximum: of(([x, y], type) =>
    isFloating(type) ? `((${x} > ${y} || ${x} != ${x}) ? ${x} : ${y})` : `(${x} > ${y} ? ${x} : ${y})`,
  ),
  eq: comparison('=='),
  ne: comparison('!='),
  lt: comparison('<'),
  le: comparison('<='),
  gt: comparison('>'),
  ge: comparison('>='),
  logical_and: logical('&&'),
  logical_or: logical('||'),
  logical_xor: logical('!='),
  bitwise_and: of(([x, y]) => `${x} & ${y}`),
  bitwise_or: of(([x, y]) => `${x} | ${y}`),
  bitwise_xor: of(([x, y]) => `${x} ^ ${y}`),
  where: of(([condition, x, y]) => `(${condition} ? ${x} : ${y})`),
  masked_fill: of(([x, mask], type, a) => `(${mask} ? ${number(a, 'value', type)} : ${x})`),
};
