/**
 * The steps of a plan that are no launch, done by plain code over the device's memory: the host function's own fills, copies and writes,
 * and PyTorch's operators (the float32 reference). Also how an output is read through its strides. Devices share it; they differ in where bytes lie.
 */
import type { PlanStep, PlanTensor } from '../../kernel/index.ts';
import { decode, elementBytes, encode, type TensorSpec } from '../../task/index.ts';
import type { SealedOutput } from '../types.ts';
import { encodeArgument, type Launch } from './arguments.ts';
import { constantBytes, evaluateOperator } from './operators.ts';
import { elementCount, forEachElement, isContiguous } from './strided.ts';

export type HostStep = Exclude<PlanStep, Launch>;

/** The memory of a plan's buffers, by their ids. */
export interface BufferMemory {
  /** Addresses of the buffers. */
  readonly addresses: readonly bigint[];
  /** All bytes of a buffer. */
  read(buffer: number): Uint8Array;
  /** One byte for each byte of a buffer: 1 where the call has written it. */
  written(buffer: number): Uint8Array;
  write(buffer: number, byteOffset: number, bytes: Uint8Array): void;
}

/** An operator could not be evaluated with these values (an index out of range, say); a sentence. */
export class OperatorFailed extends Error {
  override readonly name = 'OperatorFailed';
}

/** Does the step. @throws OperatorFailed */
export function performHostStep(step: HostStep, memory: BufferMemory): void {
  switch (step.kind) {
    case 'operator': {
      const inputs = step.inputs.map((tensor) => readTensor(tensor, memory));
      let results: Required<SealedOutput>[];
      try {
        results = evaluateOperator(step, inputs);
      } catch (error) {
        throw new OperatorFailed(`PyTorch's ${step.op} could not be evaluated: ${(error as Error).message}`);
      }
      results.forEach(({ bytes, written }, i) => {
        scatter(step.outputs[i]!, bytes, memory, written);
      });
      return;
    }
    case 'constant':
      scatter(step.tensor, constantBytes(step), memory);
      return;
    case 'write': {
      const { bytes: hex, pointers } = step;
      memory.write(step.buffer, step.byteOffset, encodeArgument({ kind: 'bytes', hex, pointers }, memory.addresses));
      return;
    }
    case 'fill': {
      const size = elementBytes[step.tensor.dtype];
      const pattern = Buffer.from(step.bytes, 'hex').subarray(0, size);
      scatter(step.tensor, Buffer.alloc(elementCount(step.tensor) * size, pattern), memory);
      return;
    }
    case 'copy': {
      const { bytes, written } = readTensor(step.from, memory);
      const [from, to] = [step.from, step.to].map(({ shape, dtype }) => ({ shape, dtype })) as [TensorSpec, TensorSpec];
      const elements = from.dtype === to.dtype ? bytes : encode({ spec: to, values: decode(bytes, from).values });
      scatter(step.to, elements, memory, written);
    }
  }
}

/** The elements of a view, contiguous, and which of them were written whole. */
export function readTensor(tensor: PlanTensor, memory: BufferMemory): Required<SealedOutput> {
  const size = elementBytes[tensor.dtype];
  const bytes = memory.read(tensor.buffer);
  const writtenBytes = memory.written(tensor.buffer);
  const written = new Uint8Array(elementCount(tensor));
  forEachElement(tensor, (offset, index) => {
    let all = 1;
    for (let byte = offset * size; byte < (offset + 1) * size; byte++) all &= writtenBytes[byte]!;
    written[index] = all;
  });
  return { bytes: gather(bytes, tensor, size), written };
}

/** Writes contiguous `elements` into the view; where `present` is given, only those marked in it. */
function scatter(tensor: PlanTensor, elements: Uint8Array, memory: BufferMemory, present?: Uint8Array): void {
  const size = elementBytes[tensor.dtype];
  if (isContiguous(tensor) && !present?.includes(0)) {
    memory.write(tensor.buffer, tensor.offset * size, elements);
    return;
  }
  forEachElement(tensor, (offset, index) => {
    if (present?.[index] === 0) return;
    memory.write(tensor.buffer, offset * size, elements.subarray(index * size, (index + 1) * size));
  });
}

function gather(bytes: Uint8Array, tensor: PlanTensor, size: number): Uint8Array {
  const count = elementCount(tensor);
  if (isContiguous(tensor)) return bytes.slice(tensor.offset * size, (tensor.offset + count) * size);
  const out = new Uint8Array(count * size);
  forEachElement(tensor, (offset, index) => {
    out.set(bytes.subarray(offset * size, (offset + 1) * size), index * size);
  });
  return out;
}
