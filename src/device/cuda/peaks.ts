/**
 * Whether the table's peaks are those of the GPU at hand: a copy of ours, and a product of matrices by cuBLAS where it is there. A GPU that does more than its peak is not the entry that its
 * name says, and neither is one that reaches a small part of it: then there is no floor.
 */
import type { Build, Plan, PlanTensor } from '../../kernel/index.ts';
import type { GpuTarget } from '../../vgpu/index.ts';
import type { CudaProcessOptions } from './cuda-process.ts';
import type { Contraction } from './timing/cublas-work.ts';
import type { TimedPlan } from './timing/instance.ts';
import { medianCall } from './timing/median-call.ts';
import type { OperandSource } from './timing/operands.ts';
import { PlanWindows } from './timing/plan-windows.ts';

export interface MeasuredPeaks {
  /** Bytes read and written a second by a copy of much more than the L2. */
  readonly copyBytesPerSecond: number;
  /** Operations a second of a half-precision product; absent where cuBLAS is not there. */
  readonly fp16Flops?: number;
}

/** Part of the peak that any working GPU of that name reaches in a copy, or a large product. */
const LEAST_PART = 0.5;
/** More than the peak by this is no reading error. */
const MOST_PART = 1.03;

/** Why the measured rates are not those of the table's entry; undefined where they may be. A sentence. */
export function contradiction(target: GpuTarget, { copyBytesPerSecond, fp16Flops }: MeasuredPeaks): string | undefined {
  const pairs = [
    ['A copy moves', copyBytesPerSecond, target.memoryBandwidth, 'GB/s', 1e9],
    ['A half-precision product does', fp16Flops, target.flops.fp16, 'TFLOP/s', 1e12],
  ] as const;
  for (const [what, measured, peak, unit, scale] of pairs) {
    if (measured === undefined || (measured <= MOST_PART * peak && measured >= LEAST_PART * peak)) continue;
    const [found, known] = [measured, peak].map((rate) => `${Number((rate / scale).toPrecision(3))} ${unit}`);
    return `${what} ${found} here, and the table has ${known} for ${target.name}: its peaks are not this GPU's, and so no floor is known.`;
  }
  return undefined;
}

const CALLS = 4;
/** A square product whose work takes many times what moving it does. */
const SIDE = 4096;

/** Measures both. `copyBytes`: should be many times the L2. `libraries`: files of cuBLAS to try. @throws Error with a sentence where nothing can be measured */
export async function measurePeaks(
  on: CudaProcessOptions,
  { copyBytes, libraries, side = SIDE }: { copyBytes: number; libraries: readonly string[]; side?: number },
  signal?: AbortSignal,
): Promise<MeasuredPeaks> {
  const copied = await microseconds(on, copyOf(copyBytes), new Uint8Array(4), signal);
  if (typeof copied === 'string') throw new Error(copied);
  const product = await microseconds(on, productOf(side, libraries), halves(side), signal);
  return {
    copyBytesPerSecond: (2 * copyBytes) / (copied / 1e6),
    ...(typeof product === 'number' ? { fp16Flops: (2 * side ** 3) / (product / 1e6) } : {}),
  };
}

/** The median time of a call; or why there is none. */
async function microseconds(
  on: CudaProcessOptions,
  timed: TimedPlan,
  operand: Uint8Array,
  signal?: AbortSignal,
): Promise<number | string> {
  const operands: OperandSource = {
    base: () => timed.plan.buffers.filter(({ kind }) => kind === 'argument').map(() => operand),
    renew: () => [],
    // What is copied is poison, and what comes of it is nobody's answer.
    check: async () => true,
  };
  const secret = '00'.repeat(32);
  const windows = new PlanWindows({ ...on, id: 'measure of the peaks', timed, operands, secret, mostCalls: CALLS });
  return medianCall({ windows }, signal);
}

const build: Build = {
  ...{ hash: '', ptx: '', cubin: '', arch: '', resources: [], compiler: '', milliseconds: 0, cached: true },
};

const vector = (buffer: number, elements: number, dtype: PlanTensor['dtype']): PlanTensor => ({
  ...{ buffer, dtype, shape: [elements], strides: [1], offset: 0 },
});

function copyOf(bytes: number): TimedPlan {
  const elements = Math.floor(bytes / 4);
  const plan: Plan = {
    buffers: [
      { id: 0, bytes: 4, kind: 'argument', argument: 0, name: 'x' },
      { id: 1, bytes, kind: 'workspace', name: 'from' },
      { id: 2, bytes, kind: 'workspace', name: 'to' },
    ],
    steps: [{ kind: 'copy', from: vector(1, elements, 'float32'), to: vector(2, elements, 'float32'), line: 1 }],
    outputs: [vector(0, 1, 'float32')],
  };
  return { plan, build };
}

function productOf(side: number, libraries: readonly string[]): TimedPlan {
  const bytes = 2 * side * side;
  const plan: Plan = {
    buffers: [
      { id: 0, bytes, kind: 'argument', argument: 0, name: 'a' },
      { id: 1, bytes, kind: 'argument', argument: 1, name: 'b' },
      { id: 2, bytes, kind: 'workspace', name: 'out' },
    ],
    steps: [],
    outputs: [vector(2, side * side, 'float16')],
  };
  const one = { transposed: false, stride: 0 };
  const contraction: Contraction = {
    gemm: { m: side, n: side, k: side, batch: 1, dtype: 'float16', precision: 'fp16', a: one, b: one },
    ...{ a: 0, b: 1, libraries },
  };
  return { plan, build, contraction };
}

/** Halves between 1/64 and 1/32, all mantissas: numbers that cost what data costs, and whose products do not overflow. */
function halves(side: number): Uint8Array {
  const bits = Uint16Array.from({ length: side * side }, (_, i) => 0x2400 | ((i * 40_503) & 0x3ff));
  return new Uint8Array(bits.buffer);
}
