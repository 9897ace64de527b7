/** What executes a plan. `virtual` (the virtual GPU) or `cuda` (a real one): same interface, different kind of time. */
import type { Build, Plan } from '../kernel/index.ts';
import type { Finding, LaunchProfile, ModelledLaunch, ModelledTime } from '../vgpu/index.ts';
import type { SampledProfileRequest, SampledProfileResult } from './sampled-profile.ts';
import type { SampledRunRequest, SampledRunResult } from './sampled-run.ts';

/** A time read from clocks on a real GPU. Never made from a {@link ModelledTime}: the two types do not convert. */
export interface MeasuredTime {
  readonly kind: 'measured';
  readonly device: string;
  /** One per timed call, microseconds, in the order taken. */
  readonly samples: readonly number[];
  readonly medianMicroseconds: number;
}

/** One execution of the plan, with its own inputs. */
export interface Call {
  /** Bytes of each argument buffer, in the order of the signature's tensors. */
  inputs: readonly Uint8Array[];
  /** Seed of the pattern that outputs and workspaces are filled with first. */
  poisonSeed: number;
  /** Put device globals (`__device__` variables) back to their initial values before this call. */
  resetGlobals: boolean;
  /** Give this call other addresses than the call before it; false reuses the same buffers with new contents. */
  freshMemory: boolean;
  /**
   * Put device variables into the state that so many calls before this one would leave, as far as it follows from the last two: counters are moved
   * on; where variables change in another way, calls are made and thrown away, as many as a second allows. `virtual` only; a real GPU makes calls enough.
   */
  callsSkipped?: number;
}

export interface RunLimits {
  /** Wall clock for the whole run, milliseconds. */
  milliseconds: number;
  /** Thread-instructions for one call. */
  instructions: number;
  /** Device memory, bytes, over all buffers of a call. */
  memoryBytes: number;
  /** Bytes that the kernels' printf may print. */
  printBytes: number;
}

export interface RunRequest {
  plan: Plan;
  build: Build;
  calls: readonly Call[];
  limits: RunLimits;
  /** Virtual device: also make the first call once more with the threads' clocks, in search of races. */
  races?: boolean;
  /** Virtual device: also profile the launches of the first call, on sampled blocks. */
  profile?: { gpu: string };
  /** Virtual device: which executor to use. `auto` compiles; `interpreter` is the slow oracle. */
  executor?: 'auto' | 'interpreter';
}

/** An output as it stood when the call ended. */
export interface SealedOutput {
  /** Contiguous, row-major elements of the plan's output tensor. */
  bytes: Uint8Array;
  /** One byte an element: 1 where every byte of it was written by the call, 0 where poison shows. */
  written?: Uint8Array;
}

export interface CallResult {
  outputs: readonly SealedOutput[];
  /** Argument buffers whose contents differ from what was given, by signature index, with the first changed byte. */
  changedInputs: readonly { argument: number; firstByte: number }[];
  /** 0 on a real GPU, which does not count them. */
  threadInstructions: number;
  milliseconds: number;
}

/** How a run ended. Every way it can end is data: a device does not throw for what a candidate does. */
export type RunResult =
  | {
      status: 'completed';
      calls: readonly CallResult[];
      findings: readonly Finding[];
      printed: string;
      profile?: readonly LaunchProfile[];
      modelled?: ModelledTime;
      /** What the modelled time was made of; calibration sets it against measured ones. */
      launches?: readonly ModelledLaunch[];
      measured?: MeasuredTime;
    }
  /** A finding that ends a launch (out of bounds, trap, deadlock), or a limit that was reached. */
  | { status: 'faulted'; findings: readonly Finding[]; message: string; printed: string; callsCompleted: number }
  | { status: 'exceeded'; limit: 'time' | 'instructions' | 'memory' | 'output'; message: string }
  /** PTX that the device cannot run: names the construct and its line. */
  | { status: 'unsupported'; message: string }
  /** The child process died: not the candidate's verdict to give; the judge runs it again once, then reports it. */
  | { status: 'crashed'; message: string };

export interface Device {
  readonly kind: 'virtual' | 'cuda';
  /** For people: `virtual GPU (modelling H100 SXM)` or the GPU's own name. */
  readonly name: string;
  /** The wall around its child process, as the isolation room names it; absent before one was started, or where there is none to start. */
  readonly wall?: string;
  /** Starts the child process, which else the first run does, so that it loads while the caller still has other things to do. */
  start?(): void;
  run(request: RunRequest, signal?: AbortSignal): Promise<RunResult>;
  /** Runs a few blocks of each launch, at sizes that cannot be run whole. Absent: this device cannot. */
  sample?(request: SampledRunRequest, signal?: AbortSignal): Promise<SampledRunResult>;
  /** Models the time of a plan from a few blocks of each launch, at any size. Absent: this device cannot. */
  profile?(request: SampledProfileRequest, signal?: AbortSignal): Promise<SampledProfileResult>;
  /** Ends the child process. The device cannot be used afterwards. */
  close(): Promise<void>;
}
