/**
 * The seam between the virtual GPU and what runs kernels: an executor turns a kernel of a loaded module into an
 * {@link Executable}; the GPU prepares memory and parameters and hands it a {@link LaunchContext}.
 */
import type { WorkerPool } from './compiler/workers/pool.ts';
import type { FindingSink } from './findings.ts';
import type { LoadedModule } from './loader.ts';
import type { DeviceMemory } from './memory.ts';
import type { PtxFunction } from './ptx/ir.ts';
import type { BoundTensorMap } from './tensor-maps.ts';
import type { BoundTexture } from './textures.ts';
import type { Dim3, LaunchProfile, LaunchReport } from './types.ts';

export interface LaunchContext {
  readonly memory: DeviceMemory;
  readonly module: LoadedModule;
  readonly kernel: PtxFunction;
  readonly grid: Dim3;
  readonly block: Dim3;
  /** Blocks of a cluster. */
  readonly cluster: Dim3;
  /** The launch or the kernel asks for clusters, though they may be of one block. */
  readonly explicitCluster: boolean;
  readonly dynamicSharedBytes: number;
  /** Offset in the WebAssembly memory of the parameter buffer, `kernel.paramBytes` long, filled and initialised. */
  readonly paramBase: number;
  /** Linear indices of the blocks to run, in the order to start them. */
  readonly blocks: readonly number[];
  /** Blocks that may be started when those only wait for others, in order. */
  readonly company?: Iterable<number>;
  readonly checked: boolean;
  readonly races: boolean;
  readonly profile: boolean;
  readonly stopAtFault: boolean;
  readonly instructionBudget: number;
  readonly schedule: number;
  /** Textures and surfaces of the GPU, by the low word of their handles. */
  readonly textures: readonly BoundTexture[];
  /** Tensor maps of the GPU, by the low word of their handles. */
  readonly tensorMaps: readonly BoundTensorMap[];
  readonly findings: FindingSink;
  /** Of compiled code: ends the run for the interpreter to decide from the start. Absent: compiled code has the last word. */
  doubt?(reason: string): never;
  /** Threads to share the blocks with, if there are any. */
  readonly pool?: WorkerPool;
  /** Takes what the kernel's printf prints. */
  print(text: string): void;
}

export interface RunResult {
  readonly completed: boolean;
  readonly threadInstructions: number;
  /** Blocks that were started, where some may come beside those asked for. */
  readonly ranBlocks?: number;
  /** Threads that ran blocks, where the launch could be shared. */
  readonly workers?: number;
  readonly profile?: LaunchProfile;
}

export interface Executable {
  readonly executor: LaunchReport['executor'];
  /** Does now what the first launch of this shape would do before it runs anything. Throws {@link CannotRun} as `run` does. */
  prepare(context: LaunchContext): void;
  run(context: LaunchContext): RunResult;
}

/** Makes the executable of one kernel; throws when this executor cannot run it (`auto` then takes the next). */
export type Executor = (module: LoadedModule, kernel: PtxFunction) => Executable;

/** This executor cannot run the kernel or this kind of launch; the message says why. */
export class CannotRun extends Error {
  override readonly name = 'CannotRun';
}

/** Compiled code of any kind has to leave this launch to the interpreter. Memory is as it was before. */
export class NeedsInterpreter extends CannotRun {}
