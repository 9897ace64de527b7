/** What interpreting a host function gives: a plan whose launches still carry C++ values and no mangled names. */
import type { FunctionItem } from './cpp/ast.ts';
import type { CppType } from './interpret/types.ts';
import type { TensorView, Value } from './interpret/values.ts';
import type { Dim3, PlanBuffer, PlanStep } from './types.ts';

/** A template argument of a kernel: a type, or a constant. */
export type TemplateValue =
  | { kind: 'type'; type: CppType }
  | { kind: 'value'; value: Value; type: CppType }
  /** What a parameter pack stands for. */
  | { kind: 'pack'; values: readonly TemplateValue[] };

/** One kernel with its template arguments: what has to be compiled. */
export interface KernelUse {
  item: FunctionItem;
  templateArguments: readonly TemplateValue[];
  /** As C++ spells it: `softmax_kernel<float, 256>`. */
  spelling: string;
  /** The line that first uses it. */
  line: number;
}

export interface TraceLaunch {
  kind: 'launch';
  kernel: KernelUse;
  grid: Dim3;
  block: Dim3;
  dynamicSharedBytes: number;
  /** The most dynamic shared memory that cudaFuncSetAttribute allowed this kernel before the launch. */
  allowedDynamicSharedBytes: number;
  cluster?: Dim3;
  cooperative?: true;
  /** Converted to the parameters' C++ types where those are known. */
  arguments: readonly Value[];
  line: number;
}

export type TraceStep = TraceLaunch | Exclude<PlanStep, { kind: 'launch' }>;

export interface HostTrace {
  buffers: readonly PlanBuffer[];
  steps: readonly TraceStep[];
  outputs: readonly TensorView[];
  /** Each kernel use once. */
  instantiations: readonly KernelUse[];
  /** The exported function that was interpreted. */
  entry: string;
}
