/** Forms of what MCP tools take and give. */
import * as z from 'zod';
import { gpuTargets } from '../vgpu/index.ts';

const gpuIds = gpuTargets.map(({ id }) => id) as [string, ...string[]];

/** How a task is meant: the same in every tool that takes one. */
export const taskFields = {
  task: z
    .string()
    .describe("path of the task, a PyTorch file in KernelBench's form, within the folder that the server works in"),
  gpu: z.enum(gpuIds).default('h100').describe('target GPU that times are modelled for'),
  precision: z.enum(['fp32', 'tf32', 'fp16', 'bf16']).default('fp32').describe('arithmetic that a kernel may use'),
  eval: z
    .boolean()
    .default(false)
    .describe('as `model.eval()` leaves the model: no dropout, batch norm by its running statistics'),
  backward: z.boolean().default(false).describe("the task's gradients instead of its outputs"),
  scale: z
    .number()
    .int()
    .positive()
    .optional()
    .describe('shrink the shapes until the task needs at most this many operations'),
};

/** How a task is meant. */
export const taskRequest = z.object(taskFields);

export const source = z.string().max(400_000).describe('the whole CUDA C++ file, in the form of a PyTorch extension');

/** A judgement in words: what is wrong, or what the time is made of. */
export const judgementFields = {
  outcome: z.enum(['correct', 'faster', 'rejected', 'unjudgeable', 'passed over']),
  check: z.string().optional().describe('the check that decided, when it is not correct'),
  twin: z
    .string()
    .optional()
    .describe('the candidate of the run that compiles to the same code: its verdict holds, and no judgement was taken'),
  findings: z.array(z.string()).describe('what is wrong'),
  modelledMicroseconds: z
    .number()
    .optional()
    .describe('modelled on the target GPU, never measured; of correct kernels only'),
  percentOfFloor: z.number().optional().describe('100 is the speed of light'),
  floorMicroseconds: z.number(),
};

/** What a kernel's time is made of. */
export const profileFields = {
  limitedBy: z.string().optional(),
  resources: z.array(z.object({ name: z.string(), microseconds: z.number() })),
  launches: z.array(z.string()).describe('each launch in the words of the profiler'),
  build: z.array(z.string()).describe('registers, spills and shared memory of each kernel'),
};

export const candidateForm = z.object({
  id: z.string(),
  engineer: z.string(),
  summary: z.string(),
  parents: z.array(z.string()),
  modelledMicroseconds: z.number().optional(),
  source: z.string().optional(),
});

export const budgetForm = z.object({ judgements: z.number(), seconds: z.number() });
