/**
 * The reference of any few rows of a task whose outputs are too large to compute: the same program traced for a few rows (src/task/row-task.ts),
 * given those rows of the inputs. It stands only if no row depends on another, nor on its place; that is tried in float64, with two rows
 * exchanged and the one between them replaced.
 */
import {
  elementCount,
  type HostTensor,
  sameShape,
  type Task,
  type TiledTensor,
  tiledElements,
  workOf,
} from '../task/index.ts';
import type { Oracle } from './oracle.ts';
import { createOracle } from './task-oracle.ts';
import type { OutputTolerance } from './tolerance.ts';

/** Work of the evaluations of the reference together, in the units of workOf; honest runs come on top. */
const MOST_WORK = 2e7;
/** Sets of rows that are compared at most. */
const MOST_SETS = 4;
/** Relative difference up to which two float64 evaluations of one row are the same. */
const SAME = 1e-9;

export class RowReference {
  /** Rows of one evaluation. */
  readonly rows: number;
  /** Rows to compare in all. */
  readonly most: number;
  /** Of each output: elements of a row, or why its rows cannot be compared. */
  readonly outputs: readonly (number | string)[];
  readonly #oracle: Oracle;
  readonly #tiled: readonly TiledTensor[];
  readonly #shapes: readonly (readonly number[])[];

  private constructor(full: Task, small: Task, tiled: readonly TiledTensor[], sets: number) {
    this.#tiled = tiled;
    this.#shapes = small.signature.tensors.map(({ spec }) => spec.shape);
    this.#oracle = createOracle(small);
    this.rows = this.#shapes.find((shape, i) => !sameShape(shape, tiled[i]!.spec.shape))![0]!;
    this.most = sets * this.rows;
    const total = tiled.find(({ spec }, i) => !sameShape(this.#shapes[i]!, spec.shape))!.spec.shape[0]!;
    const independent = this.#independentOutputs(small, total);
    this.outputs = full.signature.outputs.map(({ shape }, o) => {
      const now = small.signature.outputs[o]!.shape;
      const shortened = shape[0] === total && now[0] === this.rows && sameShape(shape.slice(1), now.slice(1));
      if (!shortened) return 'its first axis is not that of the inputs';
      return independent[o] ? elementCount(shape.slice(1)) : 'its rows depend on each other or on their place';
    });
  }

  /** The reference, or why there is none. `small`: the same program for a few rows; `tiled`: the arguments of the whole. */
  static of(full: Task, small: Task, tiled: readonly TiledTensor[]): RowReference | string {
    const sets = Math.min(MOST_SETS, Math.floor(MOST_WORK / workOf(small.graph)));
    if (sets < 1) return 'the reference of a few of its rows takes too long';
    return new RowReference(full, small, tiled, sets);
  }

  /** What is right for these rows of the whole; as many as {@link rows}. */
  expect(indices: readonly number[]): readonly OutputTolerance[] {
    return this.#oracle.expect(this.#inputs(indices)).outputs;
  }

  #inputs(indices: readonly number[]): HostTensor[] {
    return this.#tiled.map((tensor, i) => {
      const shape = this.#shapes[i]!;
      const spec = { shape, dtype: tensor.spec.dtype };
      if (sameShape(shape, tensor.spec.shape)) return { spec, values: tiledElements(tensor, 0, elementCount(shape)) };
      const size = elementCount(shape.slice(1));
      const values = new Float64Array(indices.length * size);
      for (const [at, row] of indices.entries()) values.set(tiledElements(tensor, row * size, size), at * size);
      return { spec, values };
    });
  }

  /** For each output, whether rows 0 and 2 keep their results when they change places beside another row. */
  #independentOutputs({ graph, signature }: Task, total: number): boolean[] {
    const middle = Math.floor(total / 2);
    const [first, last] = [0, this.rows - 1];
    const between = (from: number) => Array.from({ length: this.rows - 2 }, (_, i) => from + i);
    const [one, other] = [
      [1, ...between(middle), total - 1],
      [total - 1, ...between(2), 1],
    ].map((indices) => this.#oracle.evaluate(graph, this.#inputs(indices)));
    return signature.outputs.map((_, o) => {
      const [a, b] = [one![o]!.values, other![o]!.values];
      const size = a.length / this.rows;
      const same = (from: number, to: number) => {
        let most = 0;
        let difference = 0;
        for (let e = 0; e < size; e++) {
          const [x, y] = [a[from * size + e]!, b[to * size + e]!];
          if (Object.is(x, y)) continue;
          if (!Number.isFinite(x) || !Number.isFinite(y)) return false;
          most = Math.max(most, Math.abs(x));
          difference = Math.max(difference, Math.abs(x - y));
        }
        return difference <= SAME * most;
      };
      return same(first, last) && same(last, first);
    });
  }
}
