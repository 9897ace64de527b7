/**
 * Operators of PyTorch's that a host function applies to tensors: pointwise ones and reductions, such as the `/ n` or the `.mean()` after a kernel.
 * They are no kernels of the candidate's. Each becomes a step `operator` of the plan, which the device evaluates with the judge's own reference, and
 * the verdict says which they were and what share of the work they did. The operators that a task is written for (products, convolutions,
 * softmax, normalisation) stay refused: see interpret/refusals.ts.
 */
import { type Attribute, inferNode, type TensorSpec } from '../../task/index.ts';
import { unsupported } from '../error.ts';
import { isNumber } from '../interpret/convert.ts';
import type { Machine } from '../interpret/machine.ts';
import { describeValue, type TensorView, tensorValue, type Value } from '../interpret/values.ts';
import type { LibraryCall } from '../library/call.ts';

type Attributes = Readonly<Record<string, Attribute>>;

/** Operators of one tensor and no arguments, by PyTorch's names. */
// biome-ignore format: a table
const UNARY: Readonly<Record<string, readonly [op: string, attributes?: Attributes]>> = {
  neg: ['neg'], negative: ['neg'], abs: ['abs'], sign: ['sign'], exp: ['exp'], log: ['log'], sqrt: ['sqrt'], rsqrt: ['rsqrt'], reciprocal: ['reciprocal'],
  tanh: ['tanh'], sigmoid: ['sigmoid'], relu: ['relu'], square: ['pow', { other: 2, reverse: false }],
};
/** Operators of a tensor and a tensor or a number. `alpha` of add and sub is not among their arguments here. */
// biome-ignore format: a table
const BINARY: Readonly<Record<string, string>> = {
  add: 'add', sub: 'sub', subtract: 'sub', mul: 'mul', multiply: 'mul', div: 'div', divide: 'div', minimum: 'minimum', maximum: 'maximum', pow: 'pow',
};
const SYMBOLS: Readonly<Record<string, string>> = { '+': 'add', '-': 'sub', '*': 'mul', '/': 'div' };
const COMMUTES = new Set(['add', 'mul', 'minimum', 'maximum']);
const REDUCTIONS = new Set(['sum', 'mean', 'amax', 'amin', 'var']);

/** Whether `torch::name(x, ...)` and `x.name(...)`, or `x.name_(...)` in place, are such operators. */
export function isOperator(name: string): boolean {
  const plain = name.replace(/_$/, '');
  return plain in UNARY || plain in BINARY || (REDUCTIONS.has(name) && !name.endsWith('_'));
}

/** The operator as a method: `call`'s arguments are those after the tensor. */
export function applyOperator(t: TensorView, name: string, call: LibraryCall): Value {
  const plain = name.replace(/_$/, '');
  const made = compute(t, plain, call);
  if (plain === name) return tensorValue(made);
  call.m.world.copy(made, t, call.line);
  return tensorValue(t);
}

function compute(t: TensorView, name: string, call: LibraryCall): TensorView {
  const { m, line } = call;
  requireFloating(t, call.name, line);
  const unary = UNARY[name];
  if (unary) {
    if (call.count > 0) throw unsupported(`${call.name} with arguments`, line);
    return step(m, unary[0], unary[1] ?? {}, [t], line);
  }
  const binary = BINARY[name];
  if (binary) {
    if (call.count !== 1) throw unsupported(`${call.name} with ${call.count} arguments besides its tensor`, line);
    return combine(m, binary, tensorValue(t), call.value(0), line);
  }
  return reduce(t, name, call);
}

/** `a op b` of which at least one is a tensor; undefined where the operator is not one of + - * /. */
export function tensorArithmetic(m: Machine, symbol: string, a: Value, b: Value, line: number): Value | undefined {
  const op = SYMBOLS[symbol];
  return op === undefined ? undefined : tensorValue(combine(m, op, a, b, line));
}

function combine(m: Machine, op: string, a: Value, b: Value, line: number): TensorView {
  const rounding: Attributes = op === 'div' ? { rounding: null } : {};
  const left = a.kind === 'tensor' ? a.tensor : undefined;
  const right = b.kind === 'tensor' ? b.tensor : undefined;
  for (const t of [left, right]) if (t) requireFloating(t, `this ${op}`, line);
  if (left && right) {
    if (left.dtype !== right.dtype) throw unsupported(`${op} of a ${left.dtype} and a ${right.dtype} tensor`, line);
    return step(m, op, rounding, [left, right], line);
  }
  const number = left ? b : a;
  const tensor = left ?? right;
  if (!tensor || !isNumber(number)) throw unsupported(`${op} of ${describeValue(a)} and ${describeValue(b)}`, line);
  const reverse = right !== undefined && !COMMUTES.has(op);
  return step(m, op, { other: spelled(Number(number.value)), reverse, ...rounding }, [tensor], line);
}

/** Infinities and NaN as the graph spells them. */
function spelled(value: number): Attribute {
  if (Number.isNaN(value)) return 'nan';
  return Number.isFinite(value) ? value : value > 0 ? 'inf' : '-inf';
}

/** var(), var(unbiased), var(dims, unbiased = true, keepdim = false). */
function variance(t: TensorView, call: LibraryCall): TensorView {
  const first = call.count > 0 ? call.value(0) : undefined;
  const isFlag = first?.kind === 'int' && first.type.bits === 1;
  if (call.count > (isFlag ? 1 : 3) || (first && first.kind !== 'int' && first.kind !== 'list'))
    throw unsupported(`${call.name} with these arguments`, call.line);
  const unbiased = isFlag ? call.flag(0) : call.count < 2 || call.flag(1);
  const keepdim = call.count > 2 && call.flag(2);
  const dims = dimensions(t, first && !isFlag ? call.indices(0) : []);
  return step(call.m, 'var', { dims, keepdim, correction: unbiased ? 1 : 0 }, [t], call.line);
}

/** Sorted, negative ones counted from the end; none means all. */
function dimensions(t: TensorView, given: readonly number[]): number[] {
  const rank = t.shape.length;
  const counted = given.map((d) => (d < 0 ? d + rank : d));
  return counted.length > 0 ? [...new Set(counted)].sort((a, b) => a - b) : t.shape.map((_, i) => i);
}

/** sum(), sum(dims, keepdim = false), and mean likewise; amax and amin. */
function reduce(t: TensorView, name: string, call: LibraryCall): TensorView {
  if (name === 'var') return variance(t, call);
  const { line } = call;
  const [first, second] = [call.count > 0 ? call.value(0) : undefined, call.count > 1 ? call.value(1) : undefined];
  if (call.count > 2 || (first && first.kind !== 'int' && first.kind !== 'list') || (second && second.kind !== 'int')) {
    throw unsupported(`${call.name} with these arguments`, line);
  }
  const dims = dimensions(t, first ? call.indices(0) : []);
  const op = { amax: 'max', amin: 'min' }[name] ?? name;
  const ties: Attributes = op === 'max' || op === 'min' ? { ties: 'share' } : {};
  return step(call.m, op, { dims, keepdim: second ? call.flag(1) : false, ...ties }, [t], line);
}

/** PyTorch would convert integers first; what it makes of them is not written down here. */
function requireFloating(t: TensorView, what: string, line: number): void {
  if (!/float/.test(t.dtype)) throw unsupported(`${what} of a ${t.dtype} tensor`, line);
}

function step(m: Machine, op: string, attributes: Attributes, inputs: readonly TensorView[], line: number): TensorView {
  const node = { op, inputs: inputs.map((_, i) => i), attributes, outputs: [], line };
  let spec: TensorSpec | undefined;
  try {
    [spec] = inferNode(node, inputs);
  } catch (error) {
    throw unsupported((error as Error).message.replace(/^Line \d+: /, ''), line);
  }
  if (!spec) throw unsupported(`${op} without a result`, line);
  const made = m.world.empty(spec.shape, spec.dtype, 'cuda', `result of ${op} at line ${line}`, line);
  m.world.operator(op, attributes, inputs, [made], line);
  return made;
}
