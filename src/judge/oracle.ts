/**
 * The answer to one task, as the judge needs it: inputs, the float64 reference, the tolerance. task-oracle.ts makes it from a task.
 * Nothing here ever sees a candidate.
 */
import type { Graph, HostTensor, Mutant } from '../task/index.ts';
import type { OutputTolerance } from './tolerance.ts';

/** What is right for one set of inputs. */
export interface Expectation {
  /** One an output of the task. */
  outputs: readonly OutputTolerance[];
}

export interface Oracle {
  /** Names of the ways inputs can be drawn for this task; the task file's own way first. */
  readonly families: readonly string[];
  /** `light` for tasks that are costly to evaluate: fewer families and honest runs. Follows from the task alone. */
  readonly effort: 'full' | 'light';
  /** Families that every candidate meets besides the usual ones, because {@link reveal} found them to show what those do not. */
  readonly revealing: readonly string[];
  /** Looks, once a task, for families that show mutants (by id) which the usual families of light effort do not; {@link revealing} has them. */
  reveal(mutants: readonly string[]): void;
  /** Inputs, then parameters and buffers, in the order of the signature. The seed is 64 hex digits. */
  draw(family: string, seed: string): readonly HostTensor[];
  /** The reference and its tolerance for inputs that {@link draw} made. */
  expect(inputs: readonly HostTensor[]): Expectation;
  /** Outputs of another graph with the same signature, in float64. */
  evaluate(graph: Graph, inputs: readonly HostTensor[]): readonly HostTensor[];
  /** Outputs of a wrong variant of the task. */
  answer(mutant: Mutant, inputs: readonly HostTensor[]): readonly HostTensor[];
  /** Wrong variants of the task. */
  readonly mutants: readonly Mutant[];
  /** Names of the honest arithmetics that the tolerance rests on. */
  readonly arithmetics: readonly string[];
}
