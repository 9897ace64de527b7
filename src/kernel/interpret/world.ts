/**
 * The world a host function lives in: tensors that are shapes over buffers, and a list of what was asked of the GPU.
 * There is nothing else in it: no bytes, no clock, no files.
 */
import type { Attribute, Draw, DType } from '../../task/index.ts';
import { DEFAULT_SHARED_BYTES, type DeviceFacts, LARGEST_CLUSTER, PORTABLE_CLUSTER } from '../device-facts.ts';
import { fails, invalid, overLimit, unsupported } from '../error.ts';
import { DTYPE_BYTES, elementBytes } from '../number-format.ts';
import type { KernelUse, TraceLaunch, TraceStep } from '../trace.ts';
import type { PlanBuffer, PlanTensor } from '../types.ts';
import { type HostLimits, showBytes } from './limits.ts';
import type { TensorView, Value } from './values.ts';

/** Answers how many blocks of a kernel fit a multiprocessor; throws {@link ResourcesNeeded} before the kernel is compiled. */
export type OccupancyOracle = (kernel: KernelUse, threads: number, dynamicSharedBytes: number) => number;

export interface WorldOptions {
  facts: DeviceFacts;
  limits: HostLimits;
  occupancy: OccupancyOracle;
}

/**
 * Of a tensor in CPU memory: nothing yet, one value in every element, these bytes from first to last, or something that is not followed. A plan has no
 * such tensors; what is known goes with them when they are brought to the GPU.
 */
type CpuContents =
  | { kind: 'unwritten' }
  | { kind: 'each'; value: number }
  | { kind: 'bytes'; bytes: string }
  | { kind: 'unknown' };

export class World {
  readonly buffers: PlanBuffer[] = [];
  readonly steps: TraceStep[] = [];
  readonly uses = new Map<string, KernelUse>();
  readonly facts: DeviceFacts;
  readonly limits: HostLimits;
  readonly occupancy: OccupancyOracle;
  private readonly allowedShared = new Map<string, number>();
  private readonly largeClusters = new Set<string>();
  /** What is known of each buffer in CPU memory. */
  private readonly cpuBuffers = new Map<number, CpuContents>();
  private workspaceBytes = 0;
  private launches = 0;
  /** Whether what is evaluated now is taken back. */
  isTrial = false;

  constructor(options: WorldOptions) {
    this.facts = options.facts;
    this.limits = options.limits;
    this.occupancy = options.occupancy;
  }

  /** An argument of the call. */
  argument(index: number, name: string, shape: readonly number[], dtype: DType): TensorView {
    const bytes = count(shape) * DTYPE_BYTES[dtype];
    this.buffers.push({ id: this.buffers.length, bytes, kind: 'argument', argument: index, name });
    return {
      buffer: this.buffers.length - 1,
      dtype,
      shape,
      strides: contiguousStrides(shape),
      offset: 0,
      device: 'cuda',
      name,
    };
  }

  /** Memory that the host function asks for. Returns the buffer's id. */
  allocate(bytes: number, name: string, line: number): number {
    if (!Number.isSafeInteger(bytes) || bytes < 0) throw fails(`asks for ${bytes} bytes of memory`, line);
    this.workspaceBytes += bytes;
    if (this.workspaceBytes > this.limits.workspaceBytes) {
      throw overLimit(
        `asks for ${showBytes(this.workspaceBytes)} of workspace, limit is ${showBytes(this.limits.workspaceBytes)}`,
        line,
      );
    }
    if (this.buffers.length >= this.limits.buffers)
      throw overLimit(`makes more than ${this.limits.buffers} tensors`, line);
    this.buffers.push({ id: this.buffers.length, bytes, kind: 'workspace', name });
    return this.buffers.length - 1;
  }

  /** A new tensor with unknown contents. Strides default to contiguous ones. */
  empty(
    shape: readonly number[],
    dtype: DType,
    device: 'cuda' | 'cpu',
    name: string,
    line: number,
    strides: readonly number[] = contiguousStrides(shape),
  ): TensorView {
    if (shape.some((n) => n < 0))
      throw fails(`a tensor of shape [${shape.join(', ')}]: sizes cannot be negative`, line);
    const buffer = this.allocate(count(shape) * DTYPE_BYTES[dtype], name, line);
    if (device === 'cpu') this.cpuBuffers.set(buffer, { kind: 'unwritten' });
    return { buffer, dtype, shape, strides, offset: 0, device, name };
  }

  /** The buffer that is a device variable of the candidate's. */
  symbol(path: readonly string[], bytes: number, line: number): number {
    const name = path.filter((part) => part !== '').join('::');
    const known = this.buffers.find((b) => b.kind === 'symbol' && b.symbol === path.join('::'));
    if (known) return known.id;
    if (this.buffers.length >= this.limits.buffers)
      throw overLimit(`uses more than ${this.limits.buffers} tensors and device variables`, line);
    this.buffers.push({ id: this.buffers.length, bytes, kind: 'symbol', symbol: path.join('::'), name });
    return this.buffers.length - 1;
  }

  /** Bytes that the host function knows, to device memory. */
  write(step: Omit<Extract<TraceStep, { kind: 'write' }>, 'kind'>): void {
    if (step.bytes.length > 0) this.push({ kind: 'write', ...step });
  }

  fill(tensor: TensorView, value: number, line: number): void {
    if (count(tensor.shape) === 0) return;
    if (tensor.device === 'cpu') {
      this.cpuBuffers.set(tensor.buffer, this.isWhole(tensor) ? { kind: 'each', value } : { kind: 'unknown' });
      return;
    }
    this.push({ kind: 'fill', tensor: planTensor(tensor), bytes: elementBytes(value, tensor.dtype), line });
  }

  /** Elements that the host function knows, from first to last; `bytes` is hex. The tensor is new and contiguous. */
  writeElements(tensor: TensorView, bytes: string, line: number): void {
    if (tensor.device === 'cpu') this.cpuBuffers.set(tensor.buffer, { kind: 'bytes', bytes });
    else this.write({ buffer: tensor.buffer, byteOffset: 0, bytes, line });
  }

  /** A tensor in CPU memory, brought to the GPU with what is known of it. */
  upload(tensor: TensorView, dtype: DType, line: number, strides: readonly number[]): TensorView {
    const contents = this.cpuBuffers.get(tensor.buffer) ?? { kind: 'unknown' };
    const made = this.empty(tensor.shape, dtype, 'cuda', tensor.name, line, strides);
    if (contents.kind === 'each') this.fill(made, contents.value, line);
    if (contents.kind === 'bytes' && this.isWhole(tensor) && isContiguous(tensor) && dtype === tensor.dtype)
      this.writeElements(made, contents.bytes, line);
    else if (contents.kind === 'bytes' || contents.kind === 'unknown')
      throw unsupported(`bringing ${tensor.name} from CPU memory to the GPU: make it there`, line);
    return made;
  }

  /** Whether a view has every byte of its buffer. */
  private isWhole(tensor: TensorView): boolean {
    return count(tensor.shape) * DTYPE_BYTES[tensor.dtype] === this.buffers[tensor.buffer]?.bytes;
  }

  /** Copies elementwise; `from` is broadcast to the shape of `to`. */
  copy(from: TensorView, to: TensorView, line: number): void {
    if (from.device === 'cpu' || to.device === 'cpu') {
      throw unsupported(
        'a copy from or to a tensor in CPU memory: the contents of CPU tensors are not known here',
        line,
      );
    }
    const source = expand(from, to.shape, line);
    if (count(to.shape) > 0) this.push({ kind: 'copy', from: planTensor(source), to: planTensor(to), line });
  }

  /** An operator of PyTorch's, which the device evaluates itself. */
  operator(
    op: string,
    attributes: Readonly<Record<string, Attribute>>,
    inputs: readonly TensorView[],
    outputs: readonly TensorView[],
    line: number,
  ): void {
    for (const { device, name } of inputs) {
      if (device === 'cpu') throw invalid(`${name} lies in CPU memory; make it with .device(torch::kCUDA)`, line);
    }
    this.push({
      kind: 'operator',
      op,
      attributes,
      inputs: inputs.map(planTensor),
      outputs: outputs.map(planTensor),
      line,
    });
  }

  /** Whether a buffer is the host's. */
  isOnCpu(buffer: number): boolean {
    return this.cpuBuffers.has(buffer);
  }

  /** A tensor of fixed values that are not all the same. */
  constant(tensor: TensorView, draw: Draw, line: number): void {
    this.push({ kind: 'constant', tensor: planTensor(tensor), draw, line });
  }

  /** A contiguous copy with this dtype. */
  materialise(tensor: TensorView, dtype: DType, line: number, strides?: readonly number[]): TensorView {
    const made = this.empty(tensor.shape, dtype, tensor.device, tensor.name, line, strides);
    this.copy(tensor, made, line);
    return made;
  }

  launch(
    kernel: KernelUse,
    shape: Pick<TraceLaunch, 'grid' | 'block' | 'dynamicSharedBytes' | 'cluster' | 'cooperative'>,
    args: readonly Value[],
    line: number,
  ): void {
    if (++this.launches > this.limits.launches)
      throw overLimit(`launches more than ${this.limits.launches} kernels`, line);
    for (const value of args) {
      if (value.kind === 'pointer' && value.target.kind === 'device' && this.cpuBuffers.has(value.target.buffer)) {
        const name = this.buffers[value.target.buffer]?.name ?? 'a tensor';
        throw invalid(
          `${name} lies in CPU memory; make it with .device(torch::kCUDA) or another tensor's options()`,
          line,
        );
      }
    }
    const use = this.use(kernel);
    this.push({
      kind: 'launch',
      kernel: use,
      ...shape,
      allowedDynamicSharedBytes: this.allowedShared.get(use.spelling) ?? DEFAULT_SHARED_BYTES,
      arguments: args,
      line,
    });
  }

  /** Remembers that a kernel must be compiled. */
  use(kernel: KernelUse): KernelUse {
    const known = this.uses.get(kernel.spelling);
    if (known && known.item === kernel.item) return known;
    const key = known ? `${kernel.spelling} at ${kernel.item.line}` : kernel.spelling;
    const again = this.uses.get(key);
    if (again) return again;
    this.uses.set(key, kernel);
    return kernel;
  }

  allowLargeClusters(kernel: KernelUse): void {
    this.largeClusters.add(this.use(kernel).spelling);
  }

  /** The most blocks that a cluster of this kernel may have. */
  clusterLimit(kernel: KernelUse): number {
    return this.largeClusters.has(this.use(kernel).spelling) ? LARGEST_CLUSTER : PORTABLE_CLUSTER;
  }

  allowShared(kernel: KernelUse, bytes: number): void {
    this.allowedShared.set(this.use(kernel).spelling, Math.max(bytes, DEFAULT_SHARED_BYTES));
  }

  /** Runs `body` and takes back what it asked of the GPU: for the type of an expression that is not evaluated. */
  undone<T>(body: () => T): T {
    const { workspaceBytes, launches, isTrial } = this;
    this.isTrial = true;
    const [buffers, steps] = [this.buffers.length, this.steps.length];
    const uses = [...this.uses.keys()];
    try {
      return body();
    } finally {
      this.isTrial = isTrial;
      this.buffers.length = buffers;
      this.steps.length = steps;
      this.workspaceBytes = workspaceBytes;
      this.launches = launches;
      for (const key of this.uses.keys()) if (!uses.includes(key)) this.uses.delete(key);
    }
  }

  private push(step: TraceStep): void {
    if (this.steps.length >= this.limits.launches * 4) throw overLimit('asks for too many steps of the GPU', step.line);
    this.steps.push(step);
  }
}

export function count(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

/** Row-major strides, in elements; a size of 0 or 1 strides as PyTorch's do. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = (strides[i + 1] ?? 1) * Math.max(1, shape[i + 1] ?? 1);
  return strides;
}

/** Dimensions of size 1 may have any stride (torch.Tensor.is_contiguous). */
export function isContiguous(t: Pick<TensorView, 'shape' | 'strides'>): boolean {
  let expected = 1;
  for (let i = t.shape.length - 1; i >= 0; i--) {
    const size = t.shape[i] ?? 1;
    if (size === 0) return true;
    if (size !== 1 && t.strides[i] !== expected) return false;
    expected *= size;
  }
  return true;
}

/** A broadcast view: strides of expanded dimensions are 0. */
export function expand(t: TensorView, shape: readonly number[], line: number): TensorView {
  const lead = shape.length - t.shape.length;
  const bad = (): Error => fails(`a tensor [${t.shape.join(', ')}] cannot be expanded to [${shape.join(', ')}]`, line);
  if (lead < 0) throw bad();
  const strides = shape.map((size, i) => {
    const own = t.shape[i - lead];
    if (i < lead) return 0;
    if (own === size) return t.strides[i - lead] ?? 0;
    if (own === 1) return 0;
    throw bad();
  });
  return { ...t, shape: [...shape], strides };
}

export function planTensor(t: TensorView): PlanTensor {
  return { buffer: t.buffer, dtype: t.dtype, shape: t.shape, strides: t.strides, offset: t.offset };
}
