/**
 * What the task room hands to everyone above it: the graph of a task, its tensors, its signature.
 * Plain data throughout, so that a task can be hashed, stored and sent to another process.
 */

import type { Settings } from './configurations.ts';

/** Element types a task may use; PyTorch's names without `torch.`. */
export type DType =
  | 'float64'
  | 'float32'
  | 'float16'
  | 'bfloat16'
  | 'int64'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint8'
  | 'bool';

/** Shape (row-major, contiguous unless said otherwise) and element type. A scalar tensor has shape []. */
export interface TensorSpec {
  shape: readonly number[];
  dtype: DType;
}

/**
 * A tensor on the host. `values` holds one float64 an element in row-major order, already rounded to `dtype`
 * (so a float32 tensor holds only float32 values, a bool tensor 0 and 1). Integers beyond 2^53 are not representable
 * and are refused where they would arise.
 */
export interface HostTensor {
  spec: TensorSpec;
  values: Float64Array;
}

/** A number that survives JSON: infinities and NaN are spelled out. */
export type JsonNumber = number | 'inf' | '-inf' | 'nan';

/**
 * How the task file itself drew a tensor: a hint to what values are legal (class indices, masks), not what the judge draws.
 * `integer` is uniform on low .. high-1; `range` is start + step*i in row-major order; `permutation` is one of 0 .. n-1;
 * `computed` is a small graph over other draws (`torch.tril(torch.rand(n, n))`, `torch.randn(n, c).softmax(-1)`): no inputs or parameters,
 * its constants are the draws, its one output the tensor.
 */
export type Draw =
  | { kind: 'uniform'; low: number; high: number }
  | { kind: 'normal'; mean: number; std: number }
  | { kind: 'integer'; low: number; high: number }
  | { kind: 'constant'; value: JsonNumber }
  | { kind: 'values'; values: JsonNumber[] }
  | { kind: 'range'; start: number; step: number }
  | { kind: 'permutation' }
  | { kind: 'computed'; graph: Graph };

/** An attribute of a node: JSON, with infinities and NaN spelled 'inf', '-inf', 'nan'. */
export type Attribute = number | string | boolean | null | readonly Attribute[];

/** A value in the graph: an input, a parameter, a constant, or a node's output. Ids are dense and unique in the graph. */
export interface GraphValue {
  id: number;
  spec: TensorSpec;
}

export interface GraphInput extends GraphValue {
  /** The parameter's name in `forward`. */
  name: string;
  draw: Draw;
}

/** A parameter or a buffer of the model, in registration order. */
export interface GraphParameter extends GraphValue {
  /** Dotted name as PyTorch gives it, e.g. `linear.weight`. */
  name: string;
  kind: 'parameter' | 'buffer';
  draw: Draw;
}

/** A tensor made inside `forward` or `__init__` that is neither input nor parameter. */
export interface GraphConstant extends GraphValue {
  draw: Draw;
}

/** One operator applied. `op` is a canonical name of the operator table: operators.md, operators/. */
export interface GraphNode {
  op: string;
  /** Ids of the tensor operands, in the operator's documented order. */
  inputs: readonly number[];
  attributes: Readonly<Record<string, Attribute>>;
  outputs: readonly GraphValue[];
  /** Line of the task file that made this node, for messages. */
  line: number;
}

/** A task as operators in execution order. */
export interface Graph {
  inputs: readonly GraphInput[];
  parameters: readonly GraphParameter[];
  constants: readonly GraphConstant[];
  nodes: readonly GraphNode[];
  /** Ids of the returned tensors. */
  outputs: readonly number[];
}

/** A scalar argument of `__init__`, passed to a candidate by name. */
export interface InitScalar {
  name: string;
  value: number | boolean | string | readonly number[] | null;
}

/** An argument of a candidate's `forward`, in order: inputs, then parameters and buffers; scalars follow by name. */
export interface SignatureTensor {
  name: string;
  role: 'input' | 'parameter' | 'buffer';
  spec: TensorSpec;
}

/** What a candidate is called with and what it must return. `assay task inspect` prints it. */
export interface Signature {
  tensors: readonly SignatureTensor[];
  scalars: readonly InitScalar[];
  /** How a candidate's parameters that are no tensors find their scalars: by name (absent), or in order (the functional form). */
  scalarsBy?: 'name' | 'position';
  outputs: readonly TensorSpec[];
  /** The name of the candidate's host function; absent: `forward`. */
  entry?: 'forward' | 'backward';
  /** Of a backward task: what each output is the gradient of, by the names of `tensors`. */
  gradientsOf?: readonly string[];
}

/**
 * What arithmetic a candidate may use: IEEE float32; tensor cores that read operands as tf32; inputs, parameters and results in half
 * precision with sums in float32.
 */
export type PrecisionPolicy = 'fp32' | 'tf32' | 'fp16' | 'bf16';

/** `eval`: as PyTorch's `model.eval()` leaves a model. Dropout passes everything on, batch norm takes its running statistics. */
export type ModelMode = 'eval';

/** A traced task. */
export interface Task {
  /** File name without directory and extension; with `-eval` in evaluation mode, with `-backward` for the gradients. */
  name: string;
  /** The file's text as read. */
  source: string;
  /** SHA-256 of the source, the scale, the configuration, the precision, the mode and the direction, hex. */
  hash: string;
  graph: Graph;
  signature: Signature;
  precision: PrecisionPolicy;
  /** How the model was asked; absent: in the mode that its file leaves it in. */
  mode?: ModelMode;
  /** Constants of the file that `--scale` changed: name, from, to. Empty at the file's own shapes. */
  scaled: readonly { name: string; from: number; to: number }[];
  /** The elements and operations that `--scale` allowed, where it was given. */
  scale?: number;
  /** The configuration of a task that has several. */
  configuration?: Settings;
}
