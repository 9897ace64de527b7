/** What the parent asks its child process for, and what comes back: plain data, its bytes by {@link Packed}. */
import type { RunRequest } from '../types.ts';
import type { GpuIdentity } from './gpu.ts';
import type { CudaRun } from './run-plan.ts';
import type { Prepared, PrepareRequest, TimedAnswer, TimedRequest } from './timing/session.ts';

/** Given to the child when it starts. */
export interface ChildSettings {
  /** Number of the GPU among those that CUDA sees. */
  readonly ordinal: number;
  readonly cudaLibrary: string;
  readonly nvmlLibrary: string;
  /** Folder for exchanges; `printed` in it is the child's standard output. */
  readonly folder: string;
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
}

/** An answer, or why there is none: a sentence. `usable`: the child can be asked again. */
export type Answer<Name extends keyof Requests> =
  | { readonly ok: true; readonly value: Requests[Name]['out'] }
  | { readonly ok: false; readonly message: string; readonly usable: boolean };
