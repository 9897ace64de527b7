/** Methods of tensors: questions about shapes, views, and the copies that a plan can express. */
import type { DType } from '../../task/index.ts';
import { fails, invalid, refused, unsupported } from '../error.ts';
import { dtypeOf, library, qualified, spellType, ULONG } from '../interpret/types.ts';
import {
  boolValue,
  cell,
  intValue,
  longList,
  longValue,
  type TensorView,
  tensorValue,
  type Value,
} from '../interpret/values.ts';
import { contiguousStrides, count, expand, isContiguous } from '../interpret/world.ts';
import type { LibraryCall } from '../library/call.ts';
import { DTYPE_BYTES } from '../number-format.ts';
import { packedAccessorOf } from './accessor.ts';
import { isDense, optionsFrom, preservedStrides, stridesInOrder } from './factories.ts';
import { reshapeView, transposed } from './views.ts';

type Method = (t: TensorView, call: LibraryCall) => Value;

/** A dimension, negative ones counted from the end. */
function dimension(t: TensorView, d: number, line: number, extra = 0): number {
  // A tensor without dimensions is wrapped as if it had one.
  const rank = Math.max(1, t.shape.length + extra);
  const at = d < 0 ? d + rank : d;
  if (at < 0 || at >= rank) throw fails(`dimension ${d} of a tensor with ${t.shape.length} dimensions`, line);
  return at;
}

/** A dimension that is there: a tensor without dimensions has none to ask for, not even -1. */
function ownDimension(t: TensorView, d: number, line: number): number {
  if (t.shape.length === 0) throw fails(`dimension ${d} of a tensor without dimensions`, line);
  return dimension(t, d, line);
}

function sizeAt(t: TensorView, d: number, line: number): number {
  return t.shape[ownDimension(t, d, line)] ?? 1;
}

const dataPtr: Method = (t, call) => {
  const type = call.type();
  const offset = BigInt(t.offset * DTYPE_BYTES[t.dtype]);
  const target = { kind: 'device', buffer: t.buffer, offset } as const;
  if (!type) return { kind: 'pointer', to: { kind: 'void' }, target };
  if (dtypeOf(type) !== t.dtype) {
    throw fails(`.data_ptr<${spellType(type)}>() of ${t.name}, which holds ${t.dtype}`, call.line);
  }
  return { kind: 'pointer', to: type, target };
};

const contiguous: Method = (t, call) => {
  const format = call.count > 0 ? call.value(0) : undefined;
  if (format?.kind === 'format' && format.format === 'channels_last') {
    const spatial = t.shape.map((_, i) => i).slice(2);
    const strides = stridesInOrder(t.shape, [1, ...spatial.reverse(), 0]);
    const already = strides.every((s, i) => s === t.strides[i] || (t.shape[i] ?? 1) <= 1);
    return tensorValue(already ? t : call.m.world.materialise(t, t.dtype, call.line, strides));
  }
  return tensorValue(isContiguous(t) ? t : call.m.world.materialise(t, t.dtype, call.line));
};

const view: Method = (t, call) => {
  const only = call.count === 1 ? call.value(0) : undefined;
  if (only?.kind === 'dtype') {
    if (DTYPE_BYTES[only.dtype] !== DTYPE_BYTES[t.dtype])
      throw unsupported('view as a dtype of another size', call.line);
    return tensorValue({ ...t, dtype: only.dtype });
  }
  const made = reshapeView(t, targetShape(t, call), call.line);
  if (!made)
    throw fails(
      `view of ${t.name} [${t.shape.join(', ')}] with strides [${t.strides.join(', ')}]: use reshape or contiguous()`,
      call.line,
    );
  return tensorValue(made);
};

const reshape: Method = (t, call) => {
  const shape = targetShape(t, call);
  const made = reshapeView(t, shape, call.line);
  if (made) return tensorValue(made);
  const copied = call.m.world.materialise(t, t.dtype, call.line);
  return tensorValue({ ...copied, shape, strides: contiguousStrides(shape) });
};

/** The sizes given, with -1 worked out. */
function targetShape(t: TensorView, call: LibraryCall): number[] {
  const first = call.value(0);
  const given =
    first.kind === 'tensor'
      ? [...(first.tensor?.shape ?? [])]
      : first.kind === 'list'
        ? call.indices(0)
        : call.values().map((_, i) => call.index(i));
  const total = count(t.shape);
  const open = given.indexOf(-1);
  if (open >= 0) {
    const rest = given.reduce((product, n, i) => (i === open ? product : product * n), 1);
    if (rest === 0)
      throw fails(`-1 in [${given.join(', ')}] could be any size: the other sizes hold no elements`, call.line);
    given[open] = total / rest;
  }
  if (count(given) !== total || given.some((n) => !Number.isInteger(n) || n < 0)) {
    throw fails(`a tensor [${t.shape.join(', ')}] cannot take the shape [${given.join(', ')}]`, call.line);
  }
  return given;
}

const permute: Method = (t, call) => {
  const first = call.value(0);
  const given = first.kind === 'list' ? call.indices(0) : call.values().map((_, i) => call.index(i));
  const order = given.map((d) => dimension(t, d, call.line));
  if (new Set(order).size !== t.shape.length)
    throw fails(`permute of ${t.shape.length} dimensions with [${given.join(', ')}]`, call.line);
  return tensorValue({ ...t, shape: order.map((d) => t.shape[d] ?? 1), strides: order.map((d) => t.strides[d] ?? 1) });
};

const squeeze: Method = (t, call) => {
  const keep = (_: number, i: number): boolean =>
    call.count > 0 ? i !== dimension(t, call.index(0), call.line) || t.shape[i] !== 1 : t.shape[i] !== 1;
  return tensorValue({ ...t, shape: t.shape.filter(keep), strides: t.strides.filter(keep) });
};

const unsqueeze: Method = (t, call) => {
  const d = dimension(t, call.index(0), call.line, 1);
  const shape = [...t.shape];
  const strides = [...t.strides];
  strides.splice(d, 0, d < t.shape.length ? (t.shape[d] ?? 1) * (t.strides[d] ?? 1) : 1);
  shape.splice(d, 0, 1);
  return tensorValue({ ...t, shape, strides });
};

const flatten: Method = (t, call) => {
  if (t.shape.length === 0) return tensorValue({ ...t, shape: [1], strides: [1] });
  const from = call.count > 0 ? dimension(t, call.index(0), call.line) : 0;
  const to = call.count > 1 ? dimension(t, call.index(1), call.line) : t.shape.length - 1;
  const shape = [...t.shape.slice(0, from), count(t.shape.slice(from, to + 1)), ...t.shape.slice(to + 1)];
  const made = reshapeView(t, shape, call.line);
  if (made) return tensorValue(made);
  const copied = call.m.world.materialise(t, t.dtype, call.line);
  return tensorValue({ ...copied, shape, strides: contiguousStrides(shape) });
};

/** narrow(dim, start, length): a view. */
function narrow(t: TensorView, d: number, start: number, length: number, step: number, line: number): TensorView {
  const size = t.shape[d] ?? 1;
  if (start < 0 || length < 0 || start + Math.max(0, length - 1) * step >= size + (length === 0 ? 1 : 0)) {
    throw fails(`elements ${start} to ${start + length * step} of a dimension of ${size}`, line);
  }
  const shape = t.shape.map((n, i) => (i === d ? length : n));
  const strides = t.strides.map((s, i) => (i === d ? s * step : s));
  return { ...t, shape, strides, offset: t.offset + start * (t.strides[d] ?? 1) };
}

const slice: Method = (t, call) => {
  const d = ownDimension(t, call.count > 0 ? call.index(0) : 0, call.line);
  const size = t.shape[d] ?? 1;
  const bound = (i: number, fallback: number): number => {
    if (call.count <= i) return fallback;
    const value = call.value(i);
    if (value.kind === 'optional' && !value.cell) return fallback;
    const given = call.index(i);
    return Math.min(Math.max(given < 0 ? given + size : given, 0), size);
  };
  const start = bound(1, 0);
  const end = Math.max(start, bound(2, size));
  const step = call.count > 3 ? call.index(3) : 1;
  if (step < 1) throw fails('slice with a step below 1', call.line);
  return tensorValue(narrow(t, d, start, Math.ceil((end - start) / step), step, call.line));
};

const select: Method = (t, call) => {
  const d = ownDimension(t, call.index(0), call.line);
  const given = call.index(1);
  return tensorValue(selected(t, d, given < 0 ? given + (t.shape[d] ?? 1) : given, call.line));
};

/** Views as the std::vector<Tensor> that chunk, split and unbind return. */
function pieces(views: readonly TensorView[]): Value {
  const element = library('Tensor');
  return { kind: 'list', container: 'vector', element, cells: views.map((v) => cell(element, tensorValue(v))) };
}

/** Consecutive views of the given lengths along a dimension. */
function cut(t: TensorView, d: number, lengths: readonly number[], line: number): Value {
  let start = 0;
  return pieces(
    lengths.map((length) => {
      start += length;
      return narrow(t, d, start - length, length, 1, line);
    }),
  );
}

/** Lengths of pieces of `most` elements, the last one with what is left; an empty dimension is one empty piece. */
function lengthsOf(size: number, most: number): number[] {
  const number = Math.max(1, Math.ceil(size / Math.max(1, most)));
  return Array.from({ length: number }, (_, i) => Math.min(most, size - i * most));
}

/** chunk(n, dim): at most n pieces of equal length; fewer where that leaves nothing for the last ones. */
const chunk: Method = (t, call) => {
  const d = ownDimension(t, call.count > 1 ? call.index(1) : 0, call.line);
  const size = t.shape[d] ?? 1;
  const chunks = call.index(0);
  if (chunks < 1) throw fails(`chunk into ${chunks} pieces`, call.line);
  const lengths = size === 0 ? new Array<number>(chunks).fill(0) : lengthsOf(size, Math.ceil(size / chunks));
  return cut(t, d, lengths, call.line);
};

/** split(length, dim) or split({lengths}, dim). */
const split: Method = (t, call) => {
  const d = ownDimension(t, call.count > 1 ? call.index(1) : 0, call.line);
  const size = t.shape[d] ?? 1;
  if (call.value(0).kind === 'list') {
    const lengths = call.indices(0);
    const sum = lengths.reduce((total, n) => total + n, 0);
    if (sum !== size || lengths.some((n) => n < 0))
      throw fails(`split of a dimension of ${size} into pieces of [${lengths.join(', ')}]`, call.line);
    return cut(t, d, lengths, call.line);
  }
  const most = call.index(0);
  if (most < 0 || (most === 0 && size > 0)) throw fails(`split into pieces of ${most} elements`, call.line);
  return cut(t, d, lengthsOf(size, most), call.line);
};

/** The view at one place of a dimension, without that dimension. */
function selected(t: TensorView, d: number, at: number, line: number): TensorView {
  const row = narrow(t, d, at, 1, 1, line);
  const keep = (_: number, i: number): boolean => i !== d;
  return { ...row, shape: row.shape.filter(keep), strides: row.strides.filter(keep) };
}

const unbind: Method = (t, call) => {
  const d = ownDimension(t, call.count > 0 ? call.index(0) : 0, call.line);
  return pieces(Array.from({ length: t.shape[d] ?? 1 }, (_, i) => selected(t, d, i, call.line)));
};

/** index({i, j}): the view at these places of the first dimensions. Slices and tensors of indices are not taken. */
const index: Method = (t, call) => {
  const at = call.indices(0);
  if (at.length > t.shape.length)
    throw invalid(`${at.length} indices of a tensor with ${t.shape.length} dimensions`, call.line);
  const place = at.reduce((view, given, d) => {
    const size = t.shape[d] ?? 1;
    return narrow(view, d, given < 0 ? given + size : given, 1, 1, call.line);
  }, t);
  return tensorValue({ ...place, shape: t.shape.slice(at.length), strides: t.strides.slice(at.length) });
};

const to: Method = (t, call) => {
  const other = call.value(0);
  if (other.kind === 'tensor' && other.tensor) return convertTo(t, call, other.tensor.dtype, other.tensor.device);
  const options = optionsFrom(call, 0);
  return convertTo(t, call, options.dtype ?? t.dtype, options.device ?? t.device);
};

function convertTo(t: TensorView, call: LibraryCall, dtype: DType, device: 'cuda' | 'cpu'): Value {
  if (device !== t.device) {
    if (device === 'cpu') throw refused('.to(kCPU) brings a tensor to the host, where a plan has no data', call.line);
    return tensorValue(call.m.world.upload(t, dtype, call.line, preservedStrides(t)));
  }
  if (dtype === t.dtype) return tensorValue(t);
  return tensorValue(call.m.world.materialise(t, dtype, call.line, preservedStrides(t)));
}

const castTo =
  (dtype: DType): Method =>
  (t, call) =>
    convertTo(t, call, dtype, t.device);

/** t.new_empty(sizes, options): dtype and device default to the tensor's own. */
function newTensor(t: TensorView, call: LibraryCall, optionsAt: number, fill?: number): Value {
  const options = optionsFrom(call, optionsAt);
  const name = `${call.name} at line ${call.line}`;
  const made = call.m.world.empty(
    call.indices(0),
    options.dtype ?? t.dtype,
    options.device ?? t.device,
    name,
    call.line,
  );
  if (fill !== undefined) call.m.world.fill(made, fill, call.line);
  return tensorValue(made);
}

const same: Method = (t) => tensorValue(t);

export const TENSOR_METHODS: Readonly<Record<string, Method>> = {
  size: (t, call) => longValue(sizeAt(t, call.index(0), call.line)),
  sizes: (t) => longList(t.shape),
  sym_sizes: (t) => longList(t.shape),
  stride: (t, call) => longValue(t.strides[ownDimension(t, call.index(0), call.line)] ?? 1),
  strides: (t) => longList(t.strides),
  numel: (t) => longValue(count(t.shape)),
  nbytes: (t) => intValue(count(t.shape) * DTYPE_BYTES[t.dtype], ULONG),
  dim: (t) => longValue(t.shape.length),
  ndimension: (t) => longValue(t.shape.length),
  storage_offset: (t) => longValue(t.offset),
  element_size: (t) => longValue(DTYPE_BYTES[t.dtype]),
  itemsize: (t) => intValue(DTYPE_BYTES[t.dtype], ULONG),
  defined: () => boolValue(true),
  is_contiguous: (t) => boolValue(isContiguous(t)),
  is_non_overlapping_and_dense: (t) => boolValue(isDense(t)),
  is_cuda: (t) => boolValue(t.device === 'cuda'),
  is_cpu: (t) => boolValue(t.device === 'cpu'),
  is_sparse: () => boolValue(false),
  is_floating_point: (t) => boolValue(/float/.test(t.dtype)),
  requires_grad: () => boolValue(false),
  is_same_size: (t, call) => boolValue(t.shape.join() === call.tensor(0).shape.join()),
  device: (t) => ({ kind: 'device', device: t.device }),
  get_device: (t) => longValue(t.device === 'cuda' ? 0 : -1),
  scalar_type: (t) => ({ kind: 'dtype', dtype: t.dtype }),
  dtype: (t) => ({ kind: 'dtype', dtype: t.dtype }),
  type: (t) => ({ kind: 'dtype', dtype: t.dtype }),
  layout: () => ({ kind: 'options', options: {} }),
  options: (t) => ({ kind: 'options', options: { dtype: t.dtype, device: t.device } }),
  suggest_memory_format: () => ({ kind: 'format', format: 'contiguous' }),
  data_ptr: dataPtr,
  mutable_data_ptr: dataPtr,
  const_data_ptr: (t, call) => {
    const pointer = dataPtr(t, call);
    return pointer.kind === 'pointer' ? { ...pointer, to: qualified(pointer.to, 'const') } : pointer;
  },
  data: (t, call) => (call.templateArguments.length > 0 ? dataPtr(t, call) : tensorValue(t)),
  contiguous,
  detach: same,
  requires_grad_: same,
  alias: same,
  set_requires_grad: same,
  expect_contiguous: contiguous,
  view,
  view_as: view,
  reshape,
  reshape_as: reshape,
  permute,
  transpose: (t, call) =>
    tensorValue(transposed(t, dimension(t, call.index(0), call.line), dimension(t, call.index(1), call.line))),
  swapaxes: (t, call) =>
    tensorValue(transposed(t, dimension(t, call.index(0), call.line), dimension(t, call.index(1), call.line))),
  t: (t, call) => {
    if (t.shape.length > 2) throw fails(`.t() of ${t.shape.length} dimensions`, call.line);
    return tensorValue(t.shape.length < 2 ? t : transposed(t, 0, 1));
  },
  mT: (t) => tensorValue(transposed(t, t.shape.length - 2, t.shape.length - 1)),
  flatten,
  unsqueeze,
  squeeze,
  expand: (t, call) => {
    const shape = call.value(0).kind === 'list' ? call.indices(0) : call.values().map((_, i) => call.index(i));
    const lead = shape.length - t.shape.length;
    return tensorValue(
      expand(
        t,
        shape.map((n, i) => (n === -1 ? (t.shape[i - lead] ?? 1) : n)),
        call.line,
      ),
    );
  },
  expand_as: (t, call) => tensorValue(expand(t, call.tensor(0).shape, call.line)),
  narrow: (t, call) => {
    const d = ownDimension(t, call.index(0), call.line);
    return tensorValue(narrow(t, d, call.index(1), call.index(2), 1, call.line));
  },
  slice,
  select,
  chunk,
  split,
  split_with_sizes: split,
  unbind,
  index,
  clone: (t, call) => tensorValue(call.m.world.materialise(t, t.dtype, call.line, preservedStrides(t))),
  to,
  to_type: to,
  toType: to,
  cuda: (t, call) => convertTo(t, call, t.dtype, 'cuda'),
  float: castTo('float32'),
  half: castTo('float16'),
  bfloat16: castTo('bfloat16'),
  double: castTo('float64'),
  int: castTo('int32'),
  long: castTo('int64'),
  bool: castTo('bool'),
  new_empty: (t, call) => newTensor(t, call, 1),
  new_zeros: (t, call) => newTensor(t, call, 1, 0),
  new_ones: (t, call) => newTensor(t, call, 1, 1),
  new_full: (t, call) => newTensor(t, call, 2, call.number(1)),
  zero_: (t, call) => {
    call.m.world.fill(t, 0, call.line);
    return tensorValue(t);
  },
  fill_: (t, call) => {
    call.m.world.fill(t, call.number(0), call.line);
    return tensorValue(t);
  },
  copy_: (t, call) => {
    call.m.world.copy(call.tensor(0), t, call.line);
    return tensorValue(t);
  },
  packed_accessor: (t, call) => packedAccessorOf(t, call, 64),
  packed_accessor32: (t, call) => packedAccessorOf(t, call, 32),
  packed_accessor64: (t, call) => packedAccessorOf(t, call, 64),
  resize_: (_, call) => {
    throw unsupported('.resize_(); make a new tensor', call.line);
  },
};
