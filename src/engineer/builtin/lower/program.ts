/**
 * The lowered form between a task's graph and CUDA: a list of maps and reductions over contiguous tensors.
 *
 * Two kinds of step say nearly everything: a *map* computes each element of its shape from elements reached by affine accesses
 * (or, for gathers and padding, by accesses whose index the expression itself finishes), and a *reduction* folds some
 * dimensions of its domain. A softmax is four steps; a convolution is a virtual map over (outputs x window) and a sum.
 * What depends on the order of elements or of time has kinds of its own: *scan*, *sort*, *recurrent*.
 */
import type { DType } from '../../../task/index.ts';
import type { FoldName, ScanName } from './folds.ts';
import type { ComputeType } from './scalar.ts';
import type { Affine } from './strides.ts';

/** A contiguous, row-major tensor: an argument of `forward`, a constant, or what a step computes. */
export interface ProgramValue {
  id: number;
  shape: readonly number[];
  dtype: DType;
  /** A C identifier, unique in the program. */
  name: string;
  origin: { kind: 'argument'; index: number } | { kind: 'table'; values: readonly number[] } | { kind: 'step' };
}

/** A strided view of a value: what a node of the graph calls its operand. */
export interface View extends Affine {
  value: number;
  shape: readonly number[];
}

/** What a map reads, over the map's own shape. */
export type Operand =
  /** One element of a value. `lazy`: the expression adds to the index, or guards the read, itself; never fused. */
  | (Affine & { kind: 'load'; value: number; lazy?: boolean })
  /** The affine function of the coordinates itself, an int. */
  | (Affine & { kind: 'index' });

/** An operand inside an expression. */
export interface Argument {
  /** A variable's name. For a lazy load: the read at the affine index. */
  text: string;
  /** For a lazy load: the read at the affine index plus this. */
  at(extra: string): string;
}

export interface MapStep {
  kind: 'map';
  /** Index of the graph's node this came from, for the direct translation and for messages. */
  node: number;
  out: number;
  shape: readonly number[];
  operands: readonly Operand[];
  /** C++ expression of the value's compute type. Arguments are variables, so that they may be used more than once. */
  expression: (args: readonly Argument[], type: ComputeType) => string;
  /** What the expression is, for recognising patterns; e.g. `exp`, `sub`. */
  label: string;
  /** Never stored: exists only inside the reduction that follows (a product over M x N x K). */
  virtual?: boolean;
  /** Device helper functions that the expression calls; names in {@link helperFunctions}. */
  helpers?: readonly string[];
}

/**
 * How an operand of a product is reached that is no strided matrix: a convolution's windows, the columns of `im2col` that nobody stores. Depth and
 * column each stand for several coordinates, the last the fastest.
 */
export interface Gather {
  k: { sizes: readonly number[]; strides: readonly number[] };
  n: { sizes: readonly number[]; strides: readonly number[] };
  /** Beyond these the operand is zero: 0 <= n[ofN] * stepN + k[ofK] * stepK + offset < size. */
  inside: readonly { ofN: number; stepN: number; ofK: number; stepK: number; offset: number; size: number }[];
}

/** A matrix product recognised as such: domain [batch..., m, n, k], summed over k. */
export interface Contraction {
  batch: readonly number[];
  m: number;
  n: number;
  k: number;
  /** Over [batch..., m, k] and [batch..., k, n]. */
  a: Affine & { value: number };
  b: Affine & { value: number; gather?: Gather };
}

/**
 * How the windows of a pool lie, by windowed dimension: output o's window begins at o * stride - padding, and its elements are `dilation` apart; those outside
 * 0 to size - 1 do not count. The step's domain is [batch, channels, outputs..., window...].
 */
export type Window = readonly { size: number; stride: number; dilation: number; padding: number }[];

export interface ReduceStep {
  kind: 'reduce';
  node: number;
  /** Values of the results, over the domain without `axes`, in its order. More than one for a joint fold. */
  outs: readonly number[];
  domain: readonly number[];
  axes: readonly number[];
  input: Affine & { value: number };
  fold: FoldName;
  contraction?: Contraction;
  /** The input is squares of deviations from a mean: the value of the sum that the mean is of. */
  about?: number;
  /** The input is what lies under a sliding window, read by a virtual map. */
  window?: Window;
}

/** A running fold along one axis: element j of the result is the fold of elements 0 to j (from the end when `reverse`). */
export interface ScanStep {
  kind: 'scan';
  node: number;
  /** The result, over the domain. */
  outs: readonly number[];
  domain: readonly number[];
  axis: number;
  reverse: boolean;
  /** What the fold's elements are lifted from, over the domain: one value for most folds. */
  inputs: readonly (Affine & { value: number })[];
  fold: ScanName;
}

/** Each line along one axis in order, with the places its elements came from. Equals keep their order; NaN is greatest. */
export interface SortStep {
  kind: 'sort';
  node: number;
  /** Values, and their positions along the axis (int64), over the domain. */
  outs: readonly [number, number];
  domain: readonly number[];
  axis: number;
  descending: boolean;
  input: Affine & { value: number };
}

/**
 * One direction of one recurrent layer: h[t] from h[t-1] by the cell's gates, for every sequence of the batch on its own.
 * What comes from the inputs is a product that was made before, for all times at once.
 */
export interface RecurrentStep {
  kind: 'recurrent';
  node: number;
  cell: 'lstm' | 'gru' | 'tanh' | 'relu';
  steps: number;
  batch: number;
  hidden: number;
  /** From the last step to the first. */
  reverse: boolean;
  /** h after every step [steps, batch, hidden], h at the end [batch, hidden] and, of an LSTM, c at the end. */
  outs: readonly number[];
  /** x W_ih^T + b_ih over [steps, batch, gates * hidden]. */
  fromInput: Affine & { value: number };
  /** Over [gates * hidden, hidden]. */
  weight: Affine & { value: number };
  /** Over [gates * hidden]. */
  bias?: Affine & { value: number };
  /** h before the first step, and c of an LSTM, over [batch, hidden]. */
  initial: readonly (Affine & { value: number })[];
}

/** Steps that stand in a kernel of their own. */
export type OwnStep = SortStep | RecurrentStep;

/** Steps of which map and row kernels are made. */
export type WalkStep = MapStep | ReduceStep;

export type Step = WalkStep | ScanStep | OwnStep;

export interface Program {
  /** Arguments of `forward`, in the signature's order. */
  arguments: readonly number[];
  values: readonly ProgramValue[];
  steps: readonly Step[];
  /** Values returned, each made by a step, no two the same. */
  outputs: readonly { value: number; shape: readonly number[] }[];
  /** Operator names of the graph's nodes, by node index. */
  nodes: readonly { op: string; line: number }[];
}

/** Why a graph has no lowering: names the operator and its line in the task file. A sentence for people, as `kind` says. */
export class LoweringError extends Error {
  readonly kind = 'unsupported';

  constructor(
    readonly op: string,
    readonly line: number,
    reason: string,
  ) {
    super(`cannot lower ${op} (line ${line}): ${reason}`);
    this.name = 'LoweringError';
  }
}

/** Results of a step. */
export function stepOutputs(step: Step): readonly number[] {
  return step.kind === 'map' ? [step.out] : step.outs;
}

/** Values that a step reads. */
export function stepInputs(step: Step): number[] {
  switch (step.kind) {
    case 'map':
      return step.operands.flatMap((operand) => (operand.kind === 'load' ? [operand.value] : []));
    case 'reduce':
    case 'sort':
      return [step.input.value];
    case 'scan':
      return step.inputs.map(({ value }) => value);
    case 'recurrent':
      return [step.fromInput, step.weight, ...(step.bias ? [step.bias] : []), ...step.initial].map(
        ({ value }) => value,
      );
  }
}

export function isWalkStep(step: Step): step is WalkStep {
  return step.kind === 'map' || step.kind === 'reduce';
}

/** Whether a step stands in a kernel of its own. */
export function standsAlone(step: Step): step is OwnStep {
  return step.kind === 'sort' || step.kind === 'recurrent';
}
