/**
 * A plan's steps as work in the stream, so that they can be captured in a graph and timed: launches as they are, the host function's fills, copies and writes
 * as the driver's own and as a kernel of ours where there are strides. What needs the host in between cannot be timed, and is refused by its line.
 */
import type { Plan, PlanStep, PlanTensor } from '../../../kernel/index.ts';
import { elementBytes } from '../../../task/index.ts';
import { encodeArgument } from '../../plan/arguments.ts';
import { elementCount, isContiguous } from '../../plan/strided.ts';
import type { CudaGpu } from '../gpu.ts';
import { layoutOf, type OwnKernels } from '../kernels/own-kernels.ts';
import type { CudaModule } from '../module.ts';

/** Why the plan cannot be timed on its own; undefined where it can. */
export function notTimeable(plan: Plan): string | undefined {
  for (const step of plan.steps) {
    if (step.kind === 'operator')
      return `Line ${step.line} uses PyTorch's ${step.op}: the driver runs kernels of the candidate alone, so this candidate cannot be timed. Write that step as a kernel.`;
    if (step.kind === 'constant')
      return `Line ${step.line} makes a tensor of constants on the host in every call, which cannot be timed. Make it in a kernel.`;
    if (step.kind === 'copy' && step.from.dtype !== step.to.dtype)
      return `Line ${step.line} converts ${step.from.dtype} to ${step.to.dtype} outside the candidate's kernels, which cannot be timed yet. Convert in a kernel.`;
  }
  return undefined;
}

/** What the steps need on the device besides the plan's buffers, made once and used by every call. */
export class StreamSteps {
  readonly #gpu: CudaGpu;
  readonly #own: OwnKernels;
  readonly #plan: Plan;
  /** Device memory by step: layouts of strided views, patterns of fills. */
  readonly #aids = new Map<PlanStep, bigint>();

  constructor(gpu: CudaGpu, own: OwnKernels, plan: Plan) {
    this.#gpu = gpu;
    this.#own = own;
    this.#plan = plan;
    for (const step of plan.steps) this.#prepare(step);
  }

  #prepare(step: PlanStep): void {
    if (step.kind === 'fill') {
      if (directFill(step) !== undefined) return;
      const size = elementBytes[step.tensor.dtype];
      const strides = step.tensor.strides.map((stride) => stride * size);
      const layout = layoutOf(
        step.tensor.shape,
        step.tensor.shape.map(() => 0),
        strides,
      );
      // The pattern first, so that it is aligned; the layout behind it.
      this.#aid(step, Buffer.concat([Buffer.from(step.bytes, 'hex').subarray(0, size)], 8), layout);
    }
    if (step.kind === 'copy' && !(isContiguous(step.from) && isContiguous(step.to))) {
      const size = elementBytes[step.to.dtype];
      const [from, to] = [step.from, step.to].map(({ strides }) => strides.map((stride) => stride * size));
      this.#aid(step, new Uint8Array(8), layoutOf(step.to.shape, from!, to!));
    }
  }

  #aid(step: PlanStep, head: Uint8Array, layout: Uint8Array): void {
    const address = this.#gpu.allocate(8 + layout.length);
    this.#gpu.upload(address, head);
    this.#gpu.upload(address + 8n, layout);
    this.#aids.set(step, address);
  }

  /**
   * Puts all steps of one call into the stream, over buffers at `addresses`. Gives host memory that must stay until the work is done (or its graph
   * is gone): the caller unpins it.
   */
  enqueue(addresses: readonly bigint[], modules: readonly CudaModule[]): bigint[] {
    return this.#plan.steps.flatMap((step) => this.#step(step, addresses, modules) ?? []);
  }

  /** The pinned memory that the step reads, if any. */
  #step(step: PlanStep, addresses: readonly bigint[], modules: readonly CudaModule[]): bigint | undefined {
    const gpu = this.#gpu;
    const at = ({ buffer, offset, dtype }: PlanTensor) => addresses[buffer]! + BigInt(offset * elementBytes[dtype]);
    switch (step.kind) {
      case 'launch': {
        const kernel = modules[step.module ?? 0]!.kernel(step.entry, step);
        gpu.launch(
          kernel,
          step,
          step.arguments.map((argument) => encodeArgument(argument, addresses)),
        );
        return undefined;
      }
      case 'fill': {
        const direct = directFill(step);
        if (direct) gpu.set(at(step.tensor), direct.value, direct.width, direct.count);
        else {
          const aid = this.#aids.get(step)!;
          this.#own.copy(aid, at(step.tensor), step.tensor.shape, elementBytes[step.tensor.dtype], aid + 8n);
        }
        return undefined;
      }
      case 'copy': {
        const size = elementBytes[step.to.dtype];
        const aid = this.#aids.get(step);
        if (aid === undefined) gpu.copy(at(step.to), at(step.from), elementCount(step.to) * size);
        else this.#own.copy(at(step.from), at(step.to), step.to.shape, size, aid + 8n);
        return undefined;
      }
      case 'write': {
        const { bytes: hex, pointers, buffer, byteOffset } = step;
        const bytes = encodeArgument({ kind: 'bytes', hex, pointers }, addresses);
        // Each call has its own bytes, as they may hold the addresses of its buffers.
        const pinned = gpu.pin(bytes);
        gpu.copyFromPinned(addresses[buffer]! + BigInt(byteOffset), pinned, bytes.length);
        return pinned;
      }
      default:
        throw new Error(`a ${step.kind} is not work for the stream; notTimeable refuses it`);
    }
  }
}

/** A fill that the driver can do by itself. */
function directFill({
  tensor,
  bytes,
}: Extract<PlanStep, { kind: 'fill' }>): { value: number; width: 1 | 2 | 4; count: number } | undefined {
  if (!isContiguous(tensor)) return undefined;
  const size = elementBytes[tensor.dtype];
  const pattern = Buffer.from(bytes, 'hex').subarray(0, size);
  const count = elementCount(tensor);
  if (size === 1) return { value: pattern.readUInt8(), width: 1, count };
  if (size === 2) return { value: pattern.readUInt16LE(), width: 2, count };
  if (size === 4) return { value: pattern.readUInt32LE(), width: 4, count };
  const [low, high] = [pattern.readUInt32LE(0), pattern.readUInt32LE(4)];
  return low === high ? { value: low, width: 4, count: 2 * count } : undefined;
}
