/** What the parent asks its child process for, and what comes back: plain data, its bytes apart (exchange.ts). */
import { FIRST_GIVEN } from '../../isolation/index.ts';
import type { DeviceCondition } from '../measure.ts';
import type { RunRequest } from '../types.ts';
import type { GpuIdentity } from './gpu.ts';
import type { CudaRun } from './run-plan.ts';
import type { Prepared, PrepareRequest, TimedAnswer, TimedRequest } from './timing/session.ts';

/** The child's descriptors: its standard output, which takes what kernels print and is read again, and the files of bytes. */
export const descriptors = { printed: 1, request: FIRST_GIVEN, answer: FIRST_GIVEN + 1 } as const;

/** Given to the child when it starts. */
export interface ChildSettings {
  /** Number of the GPU among those that CUDA sees. */
  readonly ordinal: number;
  readonly cudaLibrary: string;
  readonly nvmlLibrary: string;
}

export interface Opened {
  readonly identity: GpuIdentity;
  /** The driver is the fake library: nothing is a measurement. */
  readonly simulated: boolean;
  /** Version of the kernel module, as nvidia-smi writes it. */
  readonly driverVersion?: string;
}

/** Each request by its name: what goes in, what comes out. */
export interface Requests {
  open: { in: null; out: Opened };
  run: { in: RunRequest; out: CudaRun };
  prepare: { in: PrepareRequest; out: Prepared };
  window: { in: TimedRequest; out: TimedAnswer };
  /** What the GPU says of itself now: no reading, where there is no NVML. `ownProcesses`: those of the measurement that have a context on the GPU. */
  condition: { in: { readonly ownProcesses: number }; out: { readonly conditions: readonly DeviceCondition[] } };
}

/** One request as it travels; `packed` is its input without bytes. */
export interface Envelope {
  readonly name: keyof Requests;
  readonly packed: unknown;
}

/** An answer, or why there is none: a sentence. `usable`: the child can be asked again. */
export type Answer<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly message: string; readonly usable: boolean };
