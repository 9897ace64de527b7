/**
 * What the kernel room hands to everyone above it: a plan, and the code the plan launches.
 * A plan is plain data: a device never needs anything else.
 */
import type { Attribute, Draw, DType } from '../task/index.ts';

/** A block of device memory for one call. Tensors are views of buffers. */
export interface PlanBuffer {
  id: number;
  bytes: number;
  /**
   * `argument`: filled by the judge; `workspace`: made by the host function, poisoned before the call; `symbol`: a __device__ or
   * __constant__ variable of the build, which lies where the module has it and starts with the module's content.
   */
  kind: 'argument' | 'workspace' | 'symbol';
  /** For `argument`: index into the signature's tensors. */
  argument?: number;
  /** For `symbol`: its name in the PTX. */
  symbol?: string;
  /** For messages: the candidate's variable, or the signature's name. */
  name: string;
}

/** A tensor the host function made or was given: a strided view of a buffer. Strides and offset in elements. */
export interface PlanTensor {
  buffer: number;
  dtype: DType;
  shape: readonly number[];
  strides: readonly number[];
  offset: number;
}

/** One argument of a launch, already encoded as the kernel's parameter wants it. */
export type LaunchArgument =
  | { kind: 'pointer'; buffer: number; byteOffset: number }
  /** Little-endian bytes, hex; as long as the parameter. `pointers`: addresses to be put in, 8 bytes each, at these offsets. */
  | { kind: 'bytes'; hex: string; pointers?: readonly EmbeddedPointer[] };

/** A device address inside a struct that is passed by value. */
export interface EmbeddedPointer {
  at: number;
  buffer: number;
  byteOffset: number;
}

export type Dim3 = readonly [x: number, y: number, z: number];

/** What the host function does, in order. Line numbers are the candidate's own. */
export type PlanStep =
  | {
      kind: 'launch';
      /** The mangled name in the PTX. */
      entry: string;
      /** As the candidate wrote it, e.g. `softmax_kernel<float, 256>`. */
      kernel: string;
      grid: Dim3;
      block: Dim3;
      dynamicSharedBytes: number;
      /** Blocks of a cluster, where the launch asks for them (cudaLaunchAttributeClusterDimension). */
      cluster?: Dim3;
      /** A cooperative launch: all blocks are resident at once, which was checked against the target. */
      cooperative?: true;
      arguments: readonly LaunchArgument[];
      line: number;
      /** Which of the build's modules has the kernel: 0, the build itself, when absent. */
      module?: number;
    }
  /** cudaMemsetAsync, zeros, full: `bytes` is the pattern (hex, 1 to 8 bytes), repeated over the tensor's elements. */
  | { kind: 'fill'; tensor: PlanTensor; bytes: string; line: number }
  /** contiguous(), copy_, to(dtype), clone: elementwise copy with conversion between dtypes, PyTorch's rules. */
  | { kind: 'copy'; from: PlanTensor; to: PlanTensor; line: number }
  /** Values that the host function knows itself, to device memory: `bytes` is hex, `pointers` are put into it (cudaMemcpyToSymbol). */
  | {
      kind: 'write';
      buffer: number;
      byteOffset: number;
      bytes: string;
      pointers?: readonly EmbeddedPointer[];
      line: number;
    }
  | OperatorStep
  /** Fixed values that a Python submission writes down (torch.tensor([...]), arange). */
  | { kind: 'constant'; tensor: PlanTensor; draw: Draw; line: number };

/** An operator of PyTorch's that a Python submission uses: no kernel of the candidate's. The device evaluates it with the float32 reference. */
export interface OperatorStep {
  kind: 'operator';
  op: string;
  attributes: Readonly<Record<string, Attribute>>;
  inputs: readonly PlanTensor[];
  outputs: readonly PlanTensor[];
  line: number;
}

/** What the host function does for given shapes. */
export interface Plan {
  buffers: readonly PlanBuffer[];
  steps: readonly PlanStep[];
  /** The tensors returned, in order. A returned tensor may be a view of an argument (in-place candidates). */
  outputs: readonly PlanTensor[];
}

/** What ptxas says of one entry on one architecture. Where there is no ptxas there are none of these, and nobody guesses. */
export interface EntryResources {
  entry: string;
  registers: number;
  staticSharedBytes: number;
  spillStoreBytes: number;
  spillLoadBytes: number;
  stackBytes: number;
}

/** Device code, compiled. Its line numbers (`-lineinfo`, messages) are the candidate's own: host code was blanked, not cut. */
export interface Build {
  /** SHA-256 over source, instantiations, flags, and the compiler's version; hex. */
  hash: string;
  ptx: string;
  /** Machine code for `arch`; base64. Empty where there is no ptxas. */
  cubin: string;
  arch: string;
  resources: readonly EntryResources[];
  compiler: string;
  /** The wall around the compiler when it worked on the source: `bubblewrap`, or `none`; absent where nothing was compiled, or it was not noted. */
  wall?: string;
  milliseconds: number;
  cached: boolean;
  /** Further modules, each compiled by itself: a Python submission may load several extensions. */
  others?: readonly Build[];
}

/** What a candidate is written in: CUDA C++, Python with extensions in strings, or PTX with a launch description. */
export type CandidateLanguage = 'cuda' | 'python' | 'ptx';

/** A candidate made ready to be judged: frozen source, plan for the task's shapes, compiled code. */
export interface PreparedCandidate {
  source: string;
  /** SHA-256 of the source, hex. Frozen before any seed is drawn. */
  sourceHash: string;
  plan: Plan;
  build: Build;
  /** What of the source has no effect here, or failed and was passed over: a sentence and the line. */
  remarks?: readonly Remark[];
}

export interface Remark {
  text: string;
  line: number;
}
