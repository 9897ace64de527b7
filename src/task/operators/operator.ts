/**
 * What an operator is: a record of data and three functions. Knowledge about an operator lives in its record and nowhere else;
 * the families (one file each) hold the records, `table.ts` gathers them.
 */
import type { Attribute, DType, HostTensor, TensorSpec } from '../types.ts';
import type { Arithmetic } from './arithmetic.ts';
import { elementCount, isFloating, sameShape, specText } from './tensor.ts';

/** The family by how data flows, which is what cost, mutants and templates ask. */
export type OperatorKind =
  | 'pointwise'
  | 'reduction'
  | 'scan'
  | 'softmax'
  | 'normalisation'
  | 'contraction'
  | 'window'
  | 'loss'
  | 'layout'
  | 'indexing'
  | 'recurrent'
  | 'random';

/** Operations by the unit that could do them. `contraction` counts a multiply-add as two. */
export interface Operations {
  arithmetic: number;
  special: number;
  contraction: number;
}

export interface Operator {
  name: string;
  kind: OperatorKind;
  /** Specs of the outputs. Throws a sentence where operands and attributes do not fit: this is where a false graph is caught. */
  infer(inputs: readonly TensorSpec[], attributes: Attributes): TensorSpec[];
  /**
   * Values of the outputs, unrounded where the arithmetic does not round. Integers may leave as any float64; the caller wraps them.
   * Must not write to its inputs. May return an input's array itself where nothing changes.
   */
  evaluate(
    inputs: readonly HostTensor[],
    attributes: Attributes,
    arithmetic: Arithmetic,
    outputs: readonly TensorSpec[],
  ): Float64Array[];
  /** Operations that a straightforward algorithm does. */
  operations(inputs: readonly TensorSpec[], attributes: Attributes, outputs: readonly TensorSpec[]): Operations;
  /**
   * For the floor: how many elements of each operand must be read so that `demand[o]` elements of output o can be made; a lower bound
   * for any data and any algorithm. Default: as many as `demand[0]` divided by how often an element is reused, which holds for
   * operators where every output element depends on its own operand elements.
   */
  reads?(
    inputs: readonly TensorSpec[],
    attributes: Attributes,
    outputs: readonly TensorSpec[],
    demand: readonly number[],
  ): number[];
  /** True for pointwise operators that are affine in the tensor operand(s): these fold into each other and cost nothing in a floor. */
  affine?: boolean;
}

/** Reads a node's attributes with checks, so that a false graph ends in a sentence and not in NaN. */
export class Attributes {
  readonly #op: string;
  readonly #values: Readonly<Record<string, Attribute>>;

  constructor(op: string, values: Readonly<Record<string, Attribute>>) {
    this.#op = op;
    this.#values = values;
  }

  #fail(name: string, wanted: string): never {
    throw new Error(
      `The attribute \`${name}\` of ${this.#op} must be ${wanted}, not ${JSON.stringify(this.#values[name])}.`,
    );
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#values, name);
  }

  /** A number; 'inf', '-inf' and 'nan' are read as such. */
  number(name: string): number {
    return attributeNumber(this.#values[name]) ?? this.#fail(name, 'a number');
  }

  numberOrNull(name: string): number | null {
    return this.#values[name] === null ? null : this.number(name);
  }

  integer(name: string, least = 0): number {
    const value = this.#values[name];
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least)
      this.#fail(name, `an integer of at least ${least}`);
    return value;
  }

  boolean(name: string): boolean {
    const value = this.#values[name];
    if (typeof value !== 'boolean') this.#fail(name, 'true or false');
    return value;
  }

  /** One of the given words. */
  choice<T extends string | null>(name: string, choices: readonly T[]): T {
    const value = this.#values[name];
    if (!choices.includes(value as T)) this.#fail(name, `one of ${choices.map((c) => JSON.stringify(c)).join(', ')}`);
    return value as T;
  }

  string(name: string): string {
    const value = this.#values[name];
    if (typeof value !== 'string') this.#fail(name, 'a string');
    return value;
  }

  /** A list of integers of at least `least`, of the given length if one is given. */
  integers(name: string, least = 0, length?: number): number[] {
    const value = this.#values[name];
    if (!Array.isArray(value) || (length !== undefined && value.length !== length)) {
      this.#fail(name, `a list of ${length === undefined ? '' : `${length} `}integers`);
    }
    return value.map((x: Attribute) => {
      if (typeof x !== 'number' || !Number.isSafeInteger(x) || x < least)
        this.#fail(name, `a list of integers of at least ${least}`);
      return x;
    });
  }

  numbersOrNull(name: string, length: number): (number | null)[] {
    const value = this.#values[name];
    if (!Array.isArray(value) || value.length !== length) this.#fail(name, `a list of ${length} numbers or nulls`);
    return value.map((x: Attribute) =>
      x === null ? null : (attributeNumber(x) ?? this.#fail(name, 'a list of numbers or nulls')),
    );
  }

  /** An integer naming a dimension of a tensor of this rank. */
  dimension(name: string, rank: number): number {
    const value = this.integer(name);
    if (value >= rank) this.#fail(name, `a dimension below ${rank}`);
    return value;
  }

  /** A sorted list of unique dimensions of a tensor of this rank. */
  dimensions(name: string, rank: number): number[] {
    const value = this.integers(name);
    for (let i = 0; i < value.length; i++) {
      if (value[i]! >= rank || (i > 0 && value[i]! <= value[i - 1]!))
        this.#fail(name, `a sorted list of unique dimensions below ${rank}`);
    }
    return value;
  }
}

/** A number from JSON with its spelled-out infinities; undefined if it is none. */
export function attributeNumber(value: Attribute | undefined): number | undefined {
  if (typeof value === 'number') return value;
  if (value === 'inf') return Infinity;
  if (value === '-inf') return -Infinity;
  if (value === 'nan') return Number.NaN;
  return undefined;
}

/** Throws unless the number of operands is right. */
export function expectOperands(inputs: readonly TensorSpec[], count: number): void {
  if (inputs.length !== count)
    throw new Error(`It takes ${count} tensor operand${count === 1 ? '' : 's'} here, not ${inputs.length}.`);
}

/** Throws unless the operand is of a floating-point type. */
export function expectFloating(spec: TensorSpec): void {
  if (!isFloating(spec.dtype)) throw new Error(`It takes floating-point operands, not ${specText(spec)}.`);
}

/** Throws unless all operands have the first one's element type. */
export function expectSameDtype(inputs: readonly TensorSpec[]): void {
  for (const spec of inputs) {
    if (spec.dtype !== inputs[0]!.dtype) {
      throw new Error(`Its operands must have one element type, not ${inputs.map(specText).join(' and ')}.`);
    }
  }
}

/** Throws unless the operand has this shape. */
export function expectShape(spec: TensorSpec | undefined, shape: readonly number[], what: string): void {
  if (!spec || !sameShape(spec.shape, shape)) {
    throw new Error(`Its ${what} must have shape [${shape.join(', ')}], not ${spec ? specText(spec) : 'nothing'}.`);
  }
}

/** Throws unless the operand has this element type. */
export function expectDtype(spec: TensorSpec | undefined, dtype: DType, what: string): void {
  if (spec?.dtype !== dtype) throw new Error(`Its ${what} must be ${dtype}, not ${spec ? specText(spec) : 'nothing'}.`);
}

/** Throws unless the operand has at least this rank. */
export function expectRank(spec: TensorSpec, least: number, what = 'operand'): void {
  if (spec.shape.length < least)
    throw new Error(`Its ${what} must have at least ${least} dimensions, not ${specText(spec)}.`);
}

/** `count` results of `arithmetic` operations each, nothing else. */
export function perElement(count: number, arithmetic: number, special = 0): Operations {
  return { arithmetic: count * arithmetic, special: count * special, contraction: 0 };
}

/** Operators that only move data. */
export const noOperations = (): Operations => ({ arithmetic: 0, special: 0, contraction: 0 });

/** Elements of the first output. */
export function outputCount(outputs: readonly TensorSpec[]): number {
  return elementCount(outputs[0]!.shape);
}
