/** For tests: the same task text in real PyTorch, and in our tracer and reference; what they say of names, shapes and values must agree. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { AS_WRITTEN, drawArguments } from '../inputs/draw.ts';
import { evaluateGraph, isRandomDraw } from '../operators/evaluate.ts';
import { outputSpecs } from '../task.ts';
import type { Graph, HostTensor, TensorSpec } from '../types.ts';

/** PyTorch from this version on has all that the tests name. */
const OLDEST = '2.4';

const PROBE = `
import sys
from importlib.metadata import PackageNotFoundError, version
try: found = [int(n) for n in version('torch').split('.')[:2]]
except PackageNotFoundError: found = [0, 0]
sys.exit(found < [int(n) for n in '${OLDEST}'.split('.')])
`;

/** A Python with real PyTorch (ASSAY_PYTHON, else python3), or why there is none. */
export function pythonWithTorch(): { python: string } | { missing: string } {
  const python = process.env.ASSAY_PYTHON ?? 'python3';
  const probe = spawnSync(python, ['-c', PROBE], { encoding: 'utf8', timeout: 60_000 });
  if (probe.status === 0) return { python };
  return { missing: `${python} has no PyTorch ${OLDEST} or later; set ASSAY_PYTHON to a Python that has` };
}

export interface Case {
  source: string;
  graph: Graph;
  overrides?: Record<string, number>;
}

interface Answer {
  error?: string;
  parameters: [string, number[], string][];
  outputs: { shape: number[]; dtype: string; values: (number | string)[] }[];
}

/** Largest difference relative to the largest value, infinities and NaN equal to themselves. */
function relativeError(ours: Float64Array, theirs: readonly (number | string)[]): number {
  let largest = 1e-3;
  let worst = 0;
  theirs.forEach((spelling, i) => {
    const a = ours[i]!;
    const b =
      typeof spelling === 'number' ? spelling : spelling === 'nan' ? NaN : spelling === 'inf' ? Infinity : -Infinity;
    if (Object.is(a, b) || a === b) return;
    if (!Number.isFinite(a) || !Number.isFinite(b)) worst = Infinity;
    largest = Math.max(largest, Math.abs(b));
    worst = Math.max(worst, Math.abs(a - b));
  });
  return worst / largest;
}

/** Whether values can be compared and not shapes alone: nothing is drawn inside the model. */
export function evaluable(graph: Graph): boolean {
  return !graph.constants.some((c) => isRandomDraw(c.draw)) && !graph.nodes.some((node) => node.op === 'dropout');
}

const SEED = '5eed'.repeat(16);

/**
 * Runs the cases in real PyTorch, in one process. The answer has one entry a case: undefined where names, shapes, dtypes, order and (where nothing is random) values agree, else a sentence.
 */
export function disagreements(python: string, cases: readonly Case[], tolerance: number): (string | undefined)[] {
  const given = cases.map(({ graph }) => (evaluable(graph) ? drawArguments({ graph }, AS_WRITTEN, SEED) : null));
  const request = cases.map(({ source, overrides, graph }, i) => ({
    source,
    overrides,
    inputs: given[i]?.slice(0, graph.inputs.length).map((t) => [...t.values]) ?? null,
    parameters: given[i]?.slice(graph.inputs.length).map((t) => [...t.values]) ?? null,
  }));
  const run = spawnSync(python, [fileURLToPath(new URL('./torch-oracle.py', import.meta.url))], {
    input: JSON.stringify(request),
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
    timeout: 300_000,
  });
  if (run.status !== 0) throw new Error(`The PyTorch oracle failed: ${run.stderr}`);
  const answers = JSON.parse(run.stdout) as Answer[];
  return cases.map(({ graph }, i) => disagreement(graph, given[i] ?? null, answers[i]!, tolerance));
}

function firstDifference(ours: readonly TensorSpec[], theirs: Answer['outputs']): string {
  const k = ours.findIndex(
    (o, i) => JSON.stringify([o.shape, o.dtype]) !== JSON.stringify([theirs[i]?.shape, theirs[i]?.dtype]),
  );
  return k < 0
    ? `${ours.length} outputs, in PyTorch ${theirs.length}`
    : `output ${k} is ${ours[k]!.dtype}[${ours[k]!.shape}], in PyTorch ${theirs[k]?.dtype}[${theirs[k]?.shape}]`;
}

function disagreement(graph: Graph, given: HostTensor[] | null, answer: Answer, tolerance: number): string | undefined {
  if (answer.error) return `PyTorch refuses it: ${answer.error}`;
  const parameters = JSON.stringify(graph.parameters.map((p) => [p.name, p.spec.shape, p.spec.dtype]));
  if (parameters !== JSON.stringify(answer.parameters))
    return `parameters ${parameters}, in PyTorch ${JSON.stringify(answer.parameters)}`;
  const ours = JSON.stringify(outputSpecs(graph).map((s) => [s.shape, s.dtype]));
  const theirs = JSON.stringify(answer.outputs.map((o) => [o.shape, o.dtype]));
  if (ours !== theirs) return firstDifference(outputSpecs(graph), answer.outputs);
  if (!given) return undefined;
  const outputs = evaluateGraph(graph, given);
  const errors = outputs.map((o, k) => relativeError(o.values, answer.outputs[k]!.values));
  const wrong = errors.flatMap((e, k) => (e <= tolerance ? [] : [`output ${k} by ${e.toExponential(2)}`]));
  return wrong.length ? `values differ, relative to the largest: ${wrong.join(', ')}` : undefined;
}
