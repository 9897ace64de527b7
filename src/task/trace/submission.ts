/**
 * A submission in Python (a file with `ModelNew`), run in the sandbox beside the task file that says its inputs.
 *
 * It is not made a graph: kernels write memory, so what counts is what happens in which order. The child tells it piece by piece: with every
 * question (an extension is loaded, an extension's function is called) come the values made since the last one. What is told is text written beside
 * a stranger's program, and is checked here by structure and by whoever answers by meaning; it can only be a plan for itself.
 */
import * as z from 'zod';
import type { Settings } from '../configurations.ts';
import type { Draw, DType, GraphNode, ModelMode, SignatureTensor, TensorSpec } from '../types.ts';
import { draw, node, spec } from './graph-check.ts';
import { DEFAULT_LIMITS, Sandbox, type SandboxLimits } from './sandbox.ts';

const id = z.int().min(0);
const line = z.int().min(0);
const text = z.string().max(1000);
/** Of the value, where it is not laid out row-major. */
const strides = z.array(z.int().min(0)).max(16).optional();

/** A value of the submission, in the order in which they were made. */
const value = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('argument'), id, argument: z.int().min(0) }),
  z.strictObject({
    kind: z.literal('draw'),
    id,
    spec,
    draw: z.union([z.strictObject({ kind: z.literal('uninitialised') }), draw]),
    strides,
  }),
  z.strictObject({
    kind: z.literal('node'),
    id,
    op: node.op,
    inputs: node.inputs,
    attributes: node.attributes,
    outputs: z.array(spec).min(1).max(3),
    line,
    strides,
  }),
]);

const news = {
  values: z.array(value),
  /** Values below this id were made before forward was called. */
  lazyBelow: id,
  /** What a parameter was before forward, and the argument that it is. */
  initial: z.array(z.tuple([id, id])),
};

const argument: z.ZodType<ExtensionArgument> = z.union([
  z.strictObject({ tensor: id }),
  z.strictObject({ plain: z.union([z.boolean(), z.string().max(10_000), z.null()]) }),
  z.strictObject({ int: z.string().regex(/^-?\d{1,40}$/) }),
  z.strictObject({ float: z.string().max(40) }),
  z.strictObject({ list: z.lazy(() => z.array(argument).max(10_000)) }),
  z.strictObject({ dtype: text }),
]);

const sources = z.array(z.string().max(1 << 20)).max(100);
const question = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('load'),
    name: text,
    cpp: sources,
    cuda: sources,
    functions: z.array(text).max(1000).nullable(),
    flags: z.array(text).max(100),
    line,
  }),
  z.strictObject({
    kind: z.literal('call'),
    autocast: z.boolean(),
    module: id,
    function: text,
    arguments: z.array(argument).max(1000),
    keywords: z.record(text, argument),
    tensors: z.array(
      z.strictObject({
        id,
        shape: z.array(z.int().min(0)).max(16),
        strides: z.array(z.int().min(0)).max(16),
        dtype: text,
      }),
    ),
    line,
    ...news,
  }),
]);

const answer = z.union([
  z.strictObject({
    outputs: z.array(id).min(1).max(1000),
    remarks: z.array(z.tuple([z.string().max(4000), line])),
    ...news,
  }),
  z.strictObject({
    error: z.strictObject({
      kind: z.enum(['syntax', 'unsupported', 'refused', 'memory', 'invalid']),
      message: z.string().max(20_000),
      line,
      column: z.int().optional(),
      text: z.string().max(20_000).optional(),
    }),
  }),
]);

/** An argument of an extension's function, as Python gave it; `tensor` is an index into the question's tensors. */
export type ExtensionArgument =
  | { tensor: number }
  | { plain: boolean | string | null }
  | { int: string }
  | { float: string }
  | { list: ExtensionArgument[] }
  | { dtype: string };

export type SubmissionValue =
  | { kind: 'argument'; id: number; argument: number }
  | {
      kind: 'draw';
      id: number;
      spec: TensorSpec;
      draw: Draw | { kind: 'uninitialised' };
      strides?: readonly number[];
    }
  | ({
      kind: 'node';
      id: number;
      outputs: readonly TensorSpec[];
      /** Of the first output, where it is not laid out row-major. */
      strides?: readonly number[];
    } & Omit<GraphNode, 'outputs'>);

/** What was made since the last question. */
export interface SubmissionNews {
  values: readonly SubmissionValue[];
  lazyBelow: number;
  initial: readonly (readonly [value: number, argument: number])[];
}

export interface ExtensionSources {
  name: string;
  cpp: readonly string[];
  cuda: readonly string[];
  /** Asked for by name; null: the sources bind by themselves. */
  functions: readonly string[] | null;
  flags: readonly string[];
  /** Of the submission, where load_inline is called. */
  line: number;
}

export interface ExtensionCall extends SubmissionNews {
  module: number;
  /** PyTorch's operators that the function calls would be lowered. */
  autocast: boolean;
  function: string;
  arguments: readonly ExtensionArgument[];
  keywords: Readonly<Record<string, ExtensionArgument>>;
  tensors: readonly { id: number; shape: readonly number[]; strides: readonly number[]; dtype: string }[];
  line: number;
}

/** What an extension's function returns. `argument`: its memory is that of this tensor of the question; `whole`: it is that tensor itself. */
export type ExtensionResult =
  | null
  | { list: ExtensionResult[]; tuple: boolean }
  | { plain: number | boolean | string }
  | { shape: readonly number[]; strides: readonly number[]; dtype: DType; argument: number | null; whole: boolean };

/** Answers a submission's questions. `failed`: the program's own fault, raised in Python as RuntimeError; what is thrown ends the submission. */
export interface SubmissionHost {
  load(sources: ExtensionSources): Promise<{ module: number; names: readonly string[] } | { failed: string }>;
  call(call: ExtensionCall): Promise<{ result: ExtensionResult } | { failed: string }>;
}

export interface SubmissionRequest {
  /** The submission's text. */
  source: string;
  /** The task file's text. */
  task: string;
  /** The task's parameters and buffers, in order. */
  parameters: readonly SignatureTensor[];
  overrides: Readonly<Record<string, number>>;
  settings?: Settings;
  /** All floating tensors are cast to this first. */
  dtype?: DType;
  /** With `eval`, `model.eval()` is called on it, as on the task's model. */
  mode?: ModelMode;
  /** What torch.cuda.get_device_properties answers, by PyTorch's names. */
  gpu: Readonly<Record<string, string | number | boolean>>;
}

export interface SubmissionRun extends SubmissionNews {
  /** Ids of what forward returned. */
  outputs: readonly number[];
  /** Things without effect, and extensions that failed: a sentence and the submission's line. */
  remarks: readonly (readonly [text: string, line: number])[];
}

/** What is wrong with a submission: a sentence without its line, and the line (0: none). */
export class SubmissionError extends Error {
  constructor(
    readonly kind: 'syntax' | 'unsupported' | 'refused' | 'memory' | 'invalid',
    message: string,
    readonly line: number,
  ) {
    super(message);
    this.name = 'SubmissionError';
  }
}

/** Runs a submission. Throws SubmissionError, TaskError at a limit of the sandbox, and what the host throws. */
export async function runSubmission(
  request: SubmissionRequest,
  host: SubmissionHost,
  { cacheDir, limits = DEFAULT_LIMITS }: { cacheDir: string; limits?: SandboxLimits },
): Promise<SubmissionRun> {
  const { parameters, ...rest } = request;
  const plain = parameters.map(({ name, spec: { shape, dtype } }) => ({ name, shape, dtype }));
  const sandbox = await Sandbox.open(cacheDir, limits);
  try {
    const told = await sandbox.submit(JSON.stringify({ ...rest, parameters: plain }), async (asked) => {
      const read = parsed(question, asked);
      return JSON.stringify(read.kind === 'load' ? await host.load(read) : await host.call(read as ExtensionCall));
    });
    const run = parsed(answer, told);
    if (!('error' in run)) return run as SubmissionRun;
    const { kind, message, line: at, column, text: wrong } = run.error;
    const caret = wrong === undefined ? '' : `\n    ${wrong}\n    ${' '.repeat(Math.max(0, (column ?? 1) - 1))}^`;
    throw new SubmissionError(kind, `${kind === 'syntax' ? 'not valid Python: ' : ''}${message}${caret}`, at);
  } finally {
    sandbox.close();
  }
}

function parsed<T>(schema: z.ZodType<T>, told: string): T {
  let json: unknown;
  try {
    json = JSON.parse(told);
  } catch (error) {
    throw new SubmissionError('invalid', `what the sandbox tells is no JSON: ${(error as Error).message}`, 0);
  }
  const read = schema.safeParse(json);
  if (read.success) return read.data;
  throw new SubmissionError(
    'invalid',
    `what the sandbox tells of the submission is not well-formed: ${z.prettifyError(read.error).slice(0, 500)}`,
    0,
  );
}
