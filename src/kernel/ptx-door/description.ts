/** The launch description of a PTX candidate, version 1: what README.md documents, as a schema. */
import * as z from 'zod';
import { invalid } from '../error.ts';

const name = z.string().min(1).max(200);
const size = z
  .int()
  .min(0)
  .max(2 ** 40);
const dimension = z
  .int()
  .min(1)
  .max(2 ** 31 - 1);
const shape = z.array(size).max(16);
const dtype = z.enum(['float64', 'float32', 'float16', 'bfloat16', 'int64', 'int32', 'int16', 'int8', 'uint8', 'bool']);

const argument = z.union([
  /** The start of a tensor. */
  name,
  /** Encoded as the parameter's type says. */
  z.number(),
  z.null(),
  z.strictObject({ tensor: name, byteOffset: z.int().min(0) }),
  z.strictObject({ f32: z.number() }),
  z.strictObject({ f64: z.number() }),
  z.strictObject({ int: z.union([z.int(), z.string().regex(/^-?\d{1,20}$/)]) }),
  z.strictObject({ hex: z.string().regex(/^([0-9a-f]{2})+$/) }),
]);

const step = z.union([
  z.strictObject({
    launch: name,
    grid: z.array(dimension).min(1).max(3),
    block: z.array(dimension).min(1).max(3),
    dynamicSharedBytes: z.int().min(0).default(0),
    arguments: z.array(argument).max(1000),
  }),
  z.strictObject({ fill: name, value: z.number() }),
  z.strictObject({ copy: name, to: name }),
]);

const description = z.strictObject({
  format: z.literal('assay.ptx-candidate/1'),
  /** The PTX itself; on disk its file's name, which `assay` replaces by the text. */
  ptx: z.string().min(1),
  /** Shapes that the description was written for, by the task's names: a task at other shapes is refused. */
  shapes: z.record(name, shape).default({}),
  workspaces: z.array(z.strictObject({ name, dtype, shape })).max(1000).default([]),
  steps: z.array(step).min(1).max(10_000),
  /** Names of the tensors that are the result, in order. */
  outputs: z.array(name).min(1).max(1000),
});

export type Description = z.infer<typeof description>;
export type DescribedArgument = z.infer<typeof argument>;
export type DescribedLaunch = Extract<Description['steps'][number], { launch: string }>;

/** @throws CandidateError with the place in the JSON that is wrong. */
export function readDescription(source: string): Description {
  let json: unknown;
  try {
    json = JSON.parse(source);
  } catch (error) {
    throw invalid(`the launch description is not JSON: ${(error as Error).message}`, 0);
  }
  const read = description.safeParse(json);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const place = (issue?.path ?? [])
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('');
  const what = issue?.code === 'invalid_union' ? 'is none of the forms that it may have' : issue?.message;
  throw invalid(`the launch description is wrong at \`${place.replace(/^\./, '') || 'its top'}\`: ${what}`, 0);
}
