/**
 * A second opinion: the same task text in real PyTorch, in a process behind a wall, and in our tracer and reference; what they say of
 * names, shapes, dtypes, order and values must agree.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { behindWall, type ProcessLimits, runLimited } from '../../isolation/index.ts';
import type { Backward } from '../backward.ts';
import type { Settings } from '../configurations.ts';
import { AS_WRITTEN, drawArguments } from '../inputs/draw.ts';
import { evaluateGraph, isRandomDraw } from '../operators/evaluate.ts';
import { isFloating } from '../operators/tensor.ts';
import { outputSpecs } from '../output-specs.ts';
import type { DType, Graph, HostTensor, ModelMode, TensorSpec } from '../types.ts';
import type { Traced } from './trace.ts';

/** PyTorch from this version on has all that the tests name. */
const OLDEST = '2.4';

const PROBE = `
import json, sys
from importlib.metadata import PackageNotFoundError, version
try: found = [int(n) for n in version('torch').split('.')[:2]]
except PackageNotFoundError: found = [0, 0]
print(json.dumps(sorted({sys.prefix, sys.base_prefix, sys.exec_prefix, *filter(None, sys.path)})))
sys.exit(found < [int(n) for n in '${OLDEST}'.split('.')])
`;

const limits: ProcessLimits = {
  milliseconds: 300_000,
  cpuSeconds: 600,
  addressSpaceKiB: 16 * 2 ** 20,
  fileKiB: 2 ** 20,
  outputBytes: 1 << 20,
};

/** Where the Python lies that knows how a task file is scaled and called, for programs that run one in real PyTorch. */
export const taskPython = fileURLToPath(new URL('./python', import.meta.url));

/** A Python with real PyTorch. */
export interface TorchPython {
  python: string;
  /** What it must be able to read. */
  folders: readonly string[];
}

/** A Python with real PyTorch (ASSAY_PYTHON, else python3), or why there is none. */
export function pythonWithTorch(): TorchPython | { missing: string } {
  const python = process.env.ASSAY_PYTHON ?? 'python3';
  const probe = spawnSync(python, ['-c', PROBE], { encoding: 'utf8', timeout: 60_000 });
  if (probe.status === 0) return { python, folders: JSON.parse(probe.stdout) as string[] };
  return { missing: `${python} has no PyTorch ${OLDEST} or later; set ASSAY_PYTHON to a Python that has` };
}

export interface Case {
  source: string;
  graph: Graph;
  overrides?: Readonly<Record<string, number>>;
  settings?: Settings;
  functional?: Traced['functional'];
  /** All floating tensors are cast to it first. */
  dtype?: DType;
  /** `model.eval()` is called, where it is `eval`. */
  mode?: ModelMode;
  /** The graph's backward: asks for the gradients too, which must agree. */
  backward?: Backward;
}

interface Answer {
  error?: string;
  parameters: [string, number[], string][];
  outputs: Told[];
  gradients?: (Told | null)[] | null;
  /** Why PyTorch gives no gradients, where it was asked for some. */
  refused?: string | null;
}

interface Told {
  shape: number[];
  dtype: string;
  values: (number | string)[];
}

const SPELLED: Readonly<Record<string, number>> = { nan: NaN, inf: Infinity, '-inf': -Infinity };

/** Largest difference relative to the largest value, infinities and NaN equal to themselves. */
function relativeError(ours: Float64Array, theirs: readonly (number | string)[]): number {
  let largest = 1e-3;
  let worst = 0;
  theirs.forEach((spelling, i) => {
    const a = ours[i]!;
    const b = typeof spelling === 'number' ? spelling : SPELLED[spelling]!;
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

/** How a disagreement begins that is none in values: PyTorch has no gradient to compare with. */
export const REFUSED = 'PyTorch refuses to differentiate it';

const SEED = '5eed'.repeat(16);

/** The script's answer to a request, from a process of its own. Throws an Error with what it printed. */
async function ask({ python, folders }: TorchPython, request: unknown): Promise<Answer[]> {
  const script = fileURLToPath(new URL('./torch-oracle.py', import.meta.url));
  const directory = mkdtempSync(join(tmpdir(), 'assay-torch-'));
  try {
    const [asked, answered] = [join(directory, 'request.json'), join(directory, 'answer.json')];
    writeFileSync(asked, JSON.stringify(request));
    const command = await behindWall([python, script, asked, answered], directory, [...folders, dirname(script)]);
    const result = await runLimited(command, directory, process.env.PATH ?? '/usr/bin:/bin', limits);
    if (result.ended !== 'ok' || result.status !== 0) {
      const why = result.ended === 'ok' ? result.output.trim().split('\n').slice(-5).join('\n') : result.ended;
      throw new Error(`PyTorch could not run the task: ${why}`);
    }
    return JSON.parse(readFileSync(answered, 'utf8')) as Answer[];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const spelled = ({ values }: HostTensor) =>
  Array.from(values, (v) => (Number.isFinite(v) ? v : String(v).toLowerCase()));

/** What real PyTorch says of a task. */
export interface TorchOpinion {
  /** Why the two cannot be compared by values, or differ in names, shapes, dtypes or order. */
  differs?: string;
  /** Largest difference of each output (and gradient), relative to its largest value; absent where something is random, or `differs`. */
  errors?: { of: string; error: number }[];
  /** Why PyTorch gives no gradients, where they were asked for. */
  refused?: string;
}

/**
 * Runs the cases in real PyTorch, in one process. The answer has one entry a case: undefined where names, shapes, dtypes, order and (where nothing is random)
 * values agree to `tolerance` of the largest, else a sentence.
 */
export async function disagreements(
  python: TorchPython,
  cases: readonly Case[],
  tolerance: number,
): Promise<(string | undefined)[]> {
  return (await torchOpinions(python, cases)).map(({ differs, errors = [], refused }) => {
    if (differs !== undefined) return differs;
    const wrong = errors.flatMap(({ of, error }) => (error <= tolerance ? [] : [`${of} by ${error.toExponential(2)}`]));
    if (wrong.length) return `values differ, relative to the largest: ${wrong.join(', ')}`;
    return refused === undefined ? undefined : `${REFUSED}: ${refused}`;
  });
}

/** Runs the cases in real PyTorch, in one process, on values drawn as the files draw them. Throws an Error where it could not be run at all. */
export async function torchOpinions(python: TorchPython, cases: readonly Case[]): Promise<TorchOpinion[]> {
  const given = cases.map(({ graph }) => (evaluable(graph) ? drawArguments({ graph }, AS_WRITTEN, SEED) : null));
  const request = cases.map(({ source, overrides, settings, dtype, mode, graph, backward }, i) => ({
    ...{ source, overrides, settings, dtype, mode },
    ...(backward && given[i] && gradientRequest(graph, backward)),
    inputs: given[i]?.slice(0, graph.inputs.length).map(spelled) ?? null,
    parameters: Object.fromEntries(
      given[i]?.slice(graph.inputs.length).map((tensor, p) => [graph.parameters[p]!.name, spelled(tensor)]) ?? [],
    ),
  }));
  const answers = await ask(python, request);
  return cases.map((one, i) => opinion(one, given[i] ?? null, answers[i]!));
}

/** Gradients of a backward's outputs, drawn. */
const drawnGradients = ({ graph, given }: Backward): HostTensor[] =>
  drawArguments({ graph }, AS_WRITTEN, SEED).slice(0, given);

/** What gradients are asked of: floating inputs by number, parameters by name. */
function leavesOf({ inputs, parameters }: Graph): { key: number | string; name: string }[] {
  return [
    ...inputs.flatMap(({ name, spec }, key) => (isFloating(spec.dtype) ? [{ key, name }] : [])),
    ...parameters.flatMap(({ name, kind, spec }) =>
      kind === 'parameter' && isFloating(spec.dtype) ? [{ key: name, name }] : [],
    ),
  ];
}

function gradientRequest(graph: Graph, backward: Backward) {
  const drawn = drawnGradients(backward).map(spelled);
  const grads = graph.outputs.map((_, o) =>
    backward.outputs.includes(o) ? drawn[backward.outputs.indexOf(o)]! : null,
  );
  return { grads, of: leavesOf(graph).map(({ key }) => key) };
}

/** How far our gradients and PyTorch's are apart; none and zeros are the same. */
function gradientErrors(
  graph: Graph,
  backward: Backward,
  given: readonly HostTensor[],
  answer: Answer,
): { of: string; error: number }[] {
  const ours = evaluateGraph(backward.graph, [...drawnGradients(backward), ...given]);
  return leavesOf(graph).map(({ name }, k) => {
    const own = ours[backward.of.indexOf(name)];
    const theirs = answer.gradients?.[k];
    const count = own?.values.length ?? theirs?.values.length ?? 0;
    const zeros = new Float64Array(count);
    const error = relativeError(own?.values ?? zeros, theirs?.values ?? [...zeros]);
    return { of: `the gradient of ${name}`, error };
  });
}

function firstDifference(ours: readonly TensorSpec[], theirs: Answer['outputs']): string {
  const k = ours.findIndex(
    (o, i) => JSON.stringify([o.shape, o.dtype]) !== JSON.stringify([theirs[i]?.shape, theirs[i]?.dtype]),
  );
  return k < 0
    ? `${ours.length} outputs, in PyTorch ${theirs.length}`
    : `output ${k} is ${ours[k]!.dtype}[${ours[k]!.shape}], in PyTorch ${theirs[k]?.dtype}[${theirs[k]?.shape}]`;
}

function opinion({ graph, functional, backward }: Case, given: HostTensor[] | null, answer: Answer): TorchOpinion {
  if (answer.error) return { differs: `PyTorch refuses it: ${answer.error}` };
  const parameters = graph.parameters.map((p) => JSON.stringify([p.name, p.spec.shape, p.spec.dtype]));
  const theirParameters = answer.parameters.map((p) => JSON.stringify(p));
  // In the functional form the graph has those that `fn` is given, in its order.
  const agree = functional
    ? parameters.every((p) => theirParameters.includes(p))
    : parameters.join() === theirParameters.join();
  if (!agree) return { differs: `parameters ${parameters}, in PyTorch ${theirParameters}` };
  const ours = JSON.stringify(outputSpecs(graph).map((s) => [s.shape, s.dtype]));
  const theirs = JSON.stringify(answer.outputs.map((o) => [o.shape, o.dtype]));
  if (ours !== theirs) return { differs: firstDifference(outputSpecs(graph), answer.outputs) };
  if (!given) return {};
  const outputs = evaluateGraph(graph, given);
  const errors = outputs.map((o, k) => ({
    of: `output ${k}`,
    error: relativeError(o.values, answer.outputs[k]!.values),
  }));
  if (!backward) return { errors };
  if (answer.refused) return { errors, refused: answer.refused };
  return { errors: [...errors, ...gradientErrors(graph, backward, given, answer)] };
}
