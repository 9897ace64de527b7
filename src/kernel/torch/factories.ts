/** Functions that make tensors: torch::empty, zeros, full, empty_like and their like. Nothing here computes. */
import type { DType } from '../../task/index.ts';
import { fails, invalid, refused, unsupported } from '../error.ts';
import { initialised, isNumber } from '../interpret/convert.ts';
import { ULONG } from '../interpret/types.ts';
import {
  describeValue,
  type FloatValue,
  type IntValue,
  intValue,
  longValue,
  type TensorOptions,
  type TensorView,
  tensorValue,
  type Value,
} from '../interpret/values.ts';
import { count, isContiguous } from '../interpret/world.ts';
import type { LibraryCall, LibraryFunction } from '../library/call.ts';
import { DTYPE_BYTES, elementBytes, intBytes } from '../number-format.ts';
import { TENSOR_METHODS } from './methods.ts';

/** Options from the arguments from `from` on: dtype, device, TensorOptions, memory format, in any order. */
export function optionsFrom(call: LibraryCall, from: number): TensorOptions {
  const options: TensorOptions = {};
  for (const given of call.values(from)) {
    const value = given.kind === 'optional' ? given.cell?.value : given;
    if (!value) continue;
    if (value.kind === 'options') Object.assign(options, withoutUndefined(value.options));
    else if (value.kind === 'dtype') options.dtype = value.dtype;
    else if (value.kind === 'device') options.device = value.device;
    else if (value.kind === 'format') options.channelsLast = value.format === 'channels_last';
    else if (value.kind !== 'int') throw invalid(`${call.name} does not take ${describeValue(value)} here`, call.line);
  }
  return options;
}

function withoutUndefined(options: TensorOptions): TensorOptions {
  return Object.fromEntries(Object.entries(options).filter(([, v]) => v !== undefined));
}

/** Names a new tensor for messages. */
function nameOf(call: LibraryCall): string {
  return `${call.name} at line ${call.line}`;
}

/** torch's defaults: float32 (torch.get_default_dtype), in CPU memory. */
function make(call: LibraryCall, shape: readonly number[], options: TensorOptions): TensorView {
  const strides = options.channelsLast ? channelsLast(shape, call) : undefined;
  return call.m.world.empty(
    shape,
    options.dtype ?? 'float32',
    options.device ?? 'cpu',
    nameOf(call),
    call.line,
    strides,
  );
}

function channelsLast(shape: readonly number[], call: LibraryCall): number[] {
  if (shape.length !== 4 && shape.length !== 5)
    throw fails(`channels_last needs 4 or 5 dimensions, not ${shape.length}`, call.line);
  const spatial = shape.map((_, i) => i).slice(2);
  return stridesInOrder(shape, [1, ...spatial.reverse(), 0]);
}

/** Dense strides where `order` lists dimensions from fastest to slowest. */
export function stridesInOrder(shape: readonly number[], order: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  let at = 1;
  for (const d of order) {
    strides[d] = at;
    at *= Math.max(1, shape[d] ?? 1);
  }
  return strides;
}

/** Whether elements fill a run of memory without gaps or overlaps, in some order of the dimensions. */
export function isDense(t: TensorView): boolean {
  if (isContiguous(t)) return true;
  const long = t.shape.map((_, i) => i).filter((i) => (t.shape[i] ?? 1) > 1);
  long.sort((a, b) => (t.strides[a] ?? 0) - (t.strides[b] ?? 0));
  let expected = 1;
  return long.every((d) => {
    const fits = t.strides[d] === expected;
    expected *= t.shape[d] ?? 1;
    return fits;
  });
}

/**
 * Strides of `empty_like`, `clone` and `to` under torch.preserve_format: a dense tensor's own; otherwise dense ones in the same
 * order of dimensions. The insertion sort is ATen's infer_dense_strides, ties included: strides of 0 compare with nothing.
 */
export function preservedStrides(t: TensorView): readonly number[] {
  if (isDense(t)) return t.strides;
  const order = t.shape.map((_, i) => i).reverse();
  const compare = (a: number, b: number): number => {
    const x = t.strides[a] ?? 0;
    const y = t.strides[b] ?? 0;
    if (x === 0 || y === 0) return 0;
    if (x !== y) return x - y;
    return (t.shape[a] ?? 1) > (t.shape[b] ?? 1) ? 1 : 0;
  };
  for (let i = 1; i < order.length; i++) {
    let at = i;
    for (let j = i - 1; j >= 0; j--) {
      const comparison = compare(order[j] as number, order[at] as number);
      if (comparison < 0) break;
      if (comparison > 0) {
        [order[j], order[at]] = [order[at] as number, order[j] as number];
        at = j;
      }
    }
  }
  return stridesInOrder(t.shape, order);
}

function like(call: LibraryCall, source: TensorView, from: number): TensorView {
  const options = optionsFrom(call, from);
  const given = { ...options, dtype: options.dtype ?? source.dtype, device: options.device ?? source.device };
  if (options.channelsLast !== undefined) return make(call, source.shape, given);
  return call.m.world.empty(source.shape, given.dtype, given.device, nameOf(call), call.line, preservedStrides(source));
}

function filled(
  value: (call: LibraryCall) => number,
  optionsAt: number,
  dtype?: (call: LibraryCall) => DType | undefined,
): LibraryFunction {
  return (call) => {
    const options = optionsFrom(call, optionsAt);
    const made = make(call, call.indices(0), { ...options, dtype: options.dtype ?? dtype?.(call) });
    call.m.world.fill(made, value(call), call.line);
    return tensorValue(made);
  };
}

function filledLike(value: (call: LibraryCall) => number, optionsAt: number): LibraryFunction {
  return (call) => {
    const made = like(call, call.tensor(0), optionsAt);
    call.m.world.fill(made, value(call), call.line);
    return tensorValue(made);
  };
}

/** torch::tensor(values, options): the numbers that stand there, into a new tensor. */
function fromValues(call: LibraryCall): Value {
  const given = call.value(0);
  const numbers = (given.kind === 'list' ? given.cells.map((c) => initialised(c, call.line)) : [given]).map((value) => {
    if (!isNumber(value)) throw unsupported(`${call.name} of ${describeValue(value)}`, call.line);
    return value;
  });
  const options = optionsFrom(call, 1);
  const dtype = options.dtype ?? dtypeOfNumbers(numbers);
  const made = make(call, given.kind === 'list' ? [numbers.length] : [], { ...options, dtype });
  const whole = (value: IntValue | FloatValue): bigint =>
    value.kind === 'int' ? value.value : BigInt(Math.trunc(value.value));
  const bytes = numbers.map((value) =>
    /^u?int/.test(dtype)
      ? intBytes(BigInt.asUintN(8 * DTYPE_BYTES[dtype], whole(value)), DTYPE_BYTES[dtype])
      : elementBytes(Number(value.value), dtype),
  );
  call.m.world.writeElements(made, bytes.join(''), call.line);
  return tensorValue(made);
}

/** As torch::tensor infers it: bool, int64, or float32 where there is a floating number. */
function dtypeOfNumbers(numbers: readonly (IntValue | FloatValue)[]): DType {
  if (numbers.some((n) => n.kind === 'float')) return 'float32';
  return numbers.every((n) => n.kind === 'int' && n.type.bits === 1) && numbers.length > 0 ? 'bool' : 'int64';
}

/** at::maybe_wrap_dim(dim, rank): a dimension, negative ones counted from the end; a scalar has one. */
function wrapDimension(call: LibraryCall): Value {
  const [d, given] = [call.index(0), call.value(1)];
  const rank = given.kind === 'tensor' ? (given.tensor?.shape.length ?? 0) : call.index(1);
  const size = Math.max(rank, 1);
  if (d < -size || d >= size) throw fails(`dimension ${d} of a tensor with ${rank} dimensions`, call.line);
  return longValue(d < 0 ? d + size : d);
}

/** torch::full infers the dtype from the value: bool, int64 or float32. */
function inferred(call: LibraryCall): DType | undefined {
  const value = call.value(1);
  if (!isNumber(value)) throw invalid(`torch::full needs a number, not ${describeValue(value)}`, call.line);
  if (value.kind === 'float') return 'float32';
  return value.type.bits === 1 ? 'bool' : 'int64';
}

/** torch::relu(x) and x.relu() are one; views such as torch::transpose(x, 0, 1) are methods too. */
function asMethod(name: string): LibraryFunction {
  return (call) => {
    const method = TENSOR_METHODS[name];
    if (!method) throw unsupported(call.name, call.line);
    return method(call.tensor(0), call.with(`.${name}`, call.expressions.slice(1)));
  };
}

const optionsOf =
  (pick: (call: LibraryCall) => TensorOptions): LibraryFunction =>
  (call): Value => ({ kind: 'options', options: pick(call) });

export const FACTORIES: Readonly<Record<string, LibraryFunction>> = {
  'torch::empty': (call) => tensorValue(make(call, call.indices(0), optionsFrom(call, 1))),
  'torch::zeros': filled(() => 0, 1),
  'torch::ones': filled(() => 1, 1),
  'torch::full': filled((call) => call.number(1), 2, inferred),
  'torch::empty_like': (call) => tensorValue(like(call, call.tensor(0), 1)),
  'torch::zeros_like': filledLike(() => 0, 1),
  'torch::ones_like': filledLike(() => 1, 1),
  'torch::full_like': filledLike((call) => call.number(1), 2),
  'torch::empty_strided': (call) => {
    const options = optionsFrom(call, 2);
    const shape = call.indices(0);
    const strides = call.indices(1);
    const extent = shape.some((n) => n === 0) ? 0 : shape.reduce((sum, n, i) => sum + (n - 1) * (strides[i] ?? 0), 1);
    const dtype = options.dtype ?? 'float32';
    if (extent !== count(shape)) throw unsupported('torch::empty_strided with gaps or overlaps', call.line);
    return tensorValue(call.m.world.empty(shape, dtype, options.device ?? 'cpu', nameOf(call), call.line, strides));
  },
  'torch::dtype': optionsOf((call) => optionsFrom(call, 0)),
  'torch::device': optionsOf((call) => optionsFrom(call, 0)),
  'torch::layout': optionsOf(() => ({})),
  'torch::requires_grad': optionsOf(() => ({})),
  'torch::elementSize': (call) => {
    const value = call.value(0);
    if (value.kind !== 'dtype') throw invalid('torch::elementSize needs a dtype', call.line);
    return intValue(DTYPE_BYTES[value.dtype], ULONG);
  },
  'torch::device_of': (call) => ({ kind: 'device', device: call.tensor(0).device }),
  // Found without its namespace, by argument-dependent lookup: `OptionalCUDAGuard guard(device_of(x))`.
  device_of: (call) => ({ kind: 'device', device: call.tensor(0).device }),
  'torch::toString': (call) => {
    const value = call.value(0);
    return { kind: 'string', value: value.kind === 'dtype' ? value.dtype : describeValue(value) };
  },
  'torch::reshape': asMethod('reshape'),
  'torch::transpose': asMethod('transpose'),
  'torch::permute': asMethod('permute'),
  'torch::flatten': asMethod('flatten'),
  'torch::unsqueeze': asMethod('unsqueeze'),
  'torch::squeeze': asMethod('squeeze'),
  'torch::t': asMethod('t'),
  'torch::narrow': asMethod('narrow'),
  'torch::chunk': asMethod('chunk'),
  'torch::split': asMethod('split'),
  'torch::split_with_sizes': asMethod('split'),
  'torch::unbind': asMethod('unbind'),
  'torch::clone': asMethod('clone'),
  'torch::numel': asMethod('numel'),
  'torch::from_blob': (call) => {
    throw refused('torch::from_blob wraps memory that PyTorch does not own; make tensors with torch::empty', call.line);
  },
  'torch::tensor': fromValues,
  'torch::scalar_tensor': fromValues,
  'torch::maybe_wrap_dim': wrapDimension,
};
