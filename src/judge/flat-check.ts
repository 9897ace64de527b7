/**
 * What a benchmark's usual check lets pass: `allclose` with one flat tolerance (1e-2, or 1e-4), on the task's own inputs, with the parameters as
 * the file initialises them. KernelBench and what descends from it check so. Not a check of the judge's; it is reported beside them, because
 * a task that lets a trivial answer pass there has been, or will be, won by one.
 */
import { drawAsFiled, evaluateGraph, type HostTensor, type Mutant, type Task, Variants } from '../task/index.ts';

/** Absolute and relative tolerance of the flat checks: KernelBench's first, still its one for 16-bit types, and its present one for fp32. */
export const FLAT_TOLERANCES = [1e-2, 1e-4] as const;

export interface FlatResult {
  mutant: Mutant;
  /** Largest |got - expected| over all trials. */
  worst: number;
  /** The tolerances of {@link FLAT_TOLERANCES} at which it passes. */
  passes: readonly number[];
}

export interface FlatReport {
  /** Draws that were checked. */
  trials: number;
  /** Largest and root mean square magnitude of the right answer. */
  largest: number;
  rms: number;
  /** Elements of the right answer that are NaN or infinite, and all. */
  notFinite: number;
  elements: number;
  /** The mutants that pass at some tolerance. */
  passing: readonly FlatResult[];
  /** Mutants checked. */
  tried: number;
}

const TRIALS = 2;

/** Puts the mutants to the flat checks. Trial weights are one draw, as a benchmark's are; inputs another a trial. */
export function flatReport(task: Task, mutants: readonly Mutant[], signal?: AbortSignal): FlatReport {
  const worst = new Map<Mutant, number>();
  const passing = new Map(mutants.map((mutant) => [mutant, new Set<number>(FLAT_TOLERANCES)]));
  let [largest, squares, elements, notFinite] = [0, 0, 0, 0];
  for (let trial = 0; trial < TRIALS; trial++) {
    signal?.throwIfAborted();
    const inputs = drawAsFiled(task, 100 + trial, 0);
    const variants = new Variants(task.graph, inputs);
    const right = variants.outputs();
    for (const { values } of right) {
      for (const x of values) {
        if (!Number.isFinite(x)) notFinite++;
        else {
          largest = Math.max(largest, Math.abs(x));
          squares += x * x;
        }
      }
      elements += values.length;
    }
    for (const [mutant, tolerances] of passing) {
      if (tolerances.size === 0) continue;
      const got = outputsOf(task, mutant, inputs, variants);
      for (const tolerance of tolerances) {
        if (got === undefined || !got.every((out, o) => allclose(out.values, right[o]!.values, tolerance)))
          tolerances.delete(tolerance);
      }
      if (got !== undefined && tolerances.size > 0)
        worst.set(
          mutant,
          Math.max(worst.get(mutant) ?? 0, ...got.map((out, o) => largestError(out.values, right[o]!.values))),
        );
    }
  }
  return {
    trials: TRIALS,
    largest,
    rms: Math.sqrt(squares / Math.max(1, elements - notFinite)),
    notFinite,
    elements,
    passing: [...passing]
      .filter(([, tolerances]) => tolerances.size > 0)
      .map(([mutant, tolerances]) => ({ mutant, worst: worst.get(mutant) ?? 0, passes: [...tolerances] })),
    tried: mutants.length,
  };
}

function outputsOf(
  { graph }: Task,
  mutant: Mutant,
  inputs: readonly HostTensor[],
  variants: Variants,
): HostTensor[] | undefined {
  try {
    if (mutant.arithmetic) return evaluateGraph(mutant.graph, inputs, mutant.arithmetic);
    if (mutant.frozen) return evaluateGraph(graph, [...mutant.frozen, ...inputs.slice(mutant.frozen.length)]);
    return variants.outputsOf(mutant.graph);
  } catch {
    return undefined;
  }
}

/** `torch.allclose(got, expected, atol=tolerance, rtol=tolerance)`. */
export function allclose(got: Float64Array, expected: Float64Array, tolerance: number): boolean {
  for (let i = 0; i < expected.length; i++) {
    const [g, e] = [got[i]!, expected[i]!];
    if (g === e) continue;
    // NaN is close to nothing, and an infinity only to itself.
    if (!Number.isFinite(e) || !(Math.abs(g - e) <= tolerance + tolerance * Math.abs(e))) return false;
  }
  return true;
}

function largestError(got: Float64Array, expected: Float64Array): number {
  let most = 0;
  for (let i = 0; i < expected.length; i++) most = Math.max(most, Math.abs(got[i]! - expected[i]!) || 0);
  return most;
}
