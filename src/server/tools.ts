/**
 * The tools of the MCP server: look at a task, build, judge and profile a kernel, ask the archive, and a run with a budget to submit kernels to. What they
 * answer is findings in words, as every engineer gets: never the judge's inputs, seeds or tolerances.
 */
import type { CallToolResult, McpServer, ServerContext } from '@modelcontextprotocol/server';
import * as z from 'zod';
import type { JudgedCandidate } from '../archive/index.ts';
import { asData, Prompts, profileInWords, type SearchRecord, taskBrief } from '../engineer/index.ts';
import { EventStream } from '../events/index.ts';
import { TaskError } from '../task/index.ts';
import { reportProgress } from './progress.ts';
import { budgetForm, candidateForm, judgementFields, profileFields, source, taskFields } from './schemas.ts';
import type { LoadedTask, OpenRun, Workshop } from './workshop.ts';

type Structured = Record<string, unknown>;

/** A result for machines, with the same in words. */
function answer(structured: Structured, words: string): CallToolResult {
  return { content: [{ type: 'text', text: words }], structuredContent: structured };
}

/** Errors are sentences: the agent reads them and goes on. Those about a task may hold its text, and are marked as data. */
async function answering(work: () => Promise<CallToolResult>): Promise<CallToolResult> {
  try {
    return await work();
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const text = error instanceof TaskError ? `The task cannot be taken.\n${asData('messages', said)}` : said;
    return { content: [{ type: 'text', text }], isError: true };
  }
}

/** Adds all tools to a server. */
export function registerTools(server: McpServer, workshop: Workshop): void {
  registerInspection(server, workshop);
  registerJudging(server, workshop);
  registerArchive(server, workshop);
  registerStart(server, workshop);
  registerSubmission(server, workshop);
  registerResults(server, workshop);
}

function registerInspection(server: McpServer, workshop: Workshop): void {
  server.registerTool(
    'inspect_task',
    {
      title: 'Look at a task',
      description:
        'The signature that a kernel must have, the graph, the arithmetic allowed, the floor on the GPU, and the rules of a candidate.',
      inputSchema: z.object(taskFields),
      outputSchema: z.object({
        name: z.string(),
        hash: z.string(),
        floorMicroseconds: z.number(),
        floorLimitedBy: z.string(),
        judgementsLeft: z.number(),
        brief: z.string(),
        rules: z.string(),
      }),
      annotations: { readOnlyHint: true },
    },
    (request) =>
      answering(async () => {
        const loaded = await workshop.load(request);
        const brief = taskBrief(settingOf(loaded));
        const rules = new Prompts().fill('system');
        const { name, hash } = loaded.task;
        const { microseconds, limitedBy } = loaded.floor;
        const floor = { floorMicroseconds: microseconds, floorLimitedBy: limitedBy };
        return answer({ name, hash, ...floor, judgementsLeft: workshop.left, brief, rules }, `${brief}\n\n${rules}`);
      }),
  );
}

function registerJudging(server: McpServer, workshop: Workshop): void {
  const inputSchema = z.object({ ...taskFields, source });
  const judged = async (request: z.infer<typeof inputSchema>, context: ServerContext) => {
    const loaded = await workshop.load(request);
    const events = new EventStream();
    const stop = reportProgress(events, context);
    try {
      const { evaluation } = await workshop.judge(loaded, request.source, events, context.mcpReq.signal);
      return { loaded, evaluation };
    } finally {
      stop();
    }
  };
  server.registerTool(
    'judge_kernel',
    {
      title: 'Judge a kernel',
      description:
        'Is this kernel right? All checks, on inputs drawn afterwards; what is wrong, in words. Counts as one judgement.',
      inputSchema,
      outputSchema: z.object({ ...judgementFields, judgementsLeft: z.number() }),
    },
    (request, context) =>
      answering(async () => {
        const { loaded, evaluation } = await judged(request, context);
        const structured = { ...judgementOf(evaluation, loaded), judgementsLeft: workshop.left };
        return answer(structured, inWords(structured));
      }),
  );
  server.registerTool(
    'profile_kernel',
    {
      title: 'Profile a kernel',
      description:
        'What limits a right kernel: resources, traffic, coalescing, bank conflicts, occupancy, registers, in words. Counts as one judgement.',
      inputSchema,
      outputSchema: z.object({ ...judgementFields, ...profileFields, judgementsLeft: z.number() }),
    },
    (request, context) =>
      answering(async () => {
        const { loaded, evaluation } = await judged(request, context);
        const structured = {
          ...judgementOf(evaluation, loaded),
          ...profileOf(evaluation),
          judgementsLeft: workshop.left,
        };
        return answer(
          structured,
          `${inWords(structured)}\n${asData('profile', profileInWords({ evaluation }, loaded.floor.microseconds))}`,
        );
      }),
  );
}

function registerArchive(server: McpServer, workshop: Workshop): void {
  const kernelForm = candidateForm.extend({ run: z.string(), task: z.string() });
  server.registerTool(
    'query_archive',
    {
      title: 'Ask the archive',
      description: 'Verified kernels from all runs: the best of this task, or of tasks that are related to it.',
      inputSchema: z.object({
        ...taskFields,
        related: z.boolean().default(false).describe('kernels of related tasks instead of this one'),
        most: z.number().int().min(1).max(10).default(3),
      }),
      outputSchema: z.object({ kernels: z.array(kernelForm) }),
      annotations: { readOnlyHint: true },
    },
    (request) =>
      answering(async () => {
        const { task, target } = await workshop.load(request);
        const found = request.related
          ? (await workshop.archive.related(task, target.id, request.most)).map((one) => ({
              of: one.task.name,
              ...one,
            }))
          : (await workshop.archive.best(task.hash, 'modelled', target.id, request.most)).map((candidate) => ({
              of: task.name,
              candidate,
            }));
        const kernels = found.map(({ of, candidate }) => ({ ...storedCandidate(candidate, target.id), task: of }));
        const words = kernels.map(
          (one) => `${one.id}:\n${asData('about', `of ${one.task}: ${one.summary}`)}\n${asData('kernel', one.source)}`,
        );
        return answer({ kernels }, words.join('\n\n') || 'The archive has none.');
      }),
  );
}

const frontierFields = { frontier: z.array(candidateForm), left: budgetForm };

function registerStart(server: McpServer, workshop: Workshop): void {
  server.registerTool(
    'start_run',
    {
      title: 'Begin a run',
      description:
        'Begins an optimisation of a task with a budget. The built-in direct translation is judged first, as what is to be beaten.',
      inputSchema: z.object({
        ...taskFields,
        judgements: z.number().int().min(1).max(500).default(30),
        seconds: z.number().min(1).max(86_400).default(3600),
      }),
      outputSchema: z.object({ run: z.string(), ...frontierFields }),
    },
    (request, context) =>
      answering(async () => {
        const loaded = await workshop.load(request);
        const { judgements, seconds } = request;
        const { signal } = context.mcpReq;
        const open = await workshop.start(
          loaded,
          { judgements, seconds },
          (events) => reportProgress(events, context),
          signal,
        );
        const structured = { run: open.run.id, ...frontierOf(open, 5, true) };
        return answer(structured, `The run ${open.run.id} has begun.\n${frontierInWords(structured)}`);
      }),
  );
}

function registerSubmission(server: McpServer, workshop: Workshop): void {
  server.registerTool(
    'submit_candidate',
    {
      title: 'Submit a kernel to a run',
      description:
        'Judges a kernel within the run and its budget, and keeps it with its parents. One change at a time shows what each is worth.',
      inputSchema: z.object({
        run: z.string(),
        source,
        summary: z.string().max(200).describe('one line: what is different'),
        parents: z.array(z.string()).max(4).default([]).describe('ids of the candidates that it was made from'),
      }),
      outputSchema: z.object({
        id: z.string(),
        ...judgementFields,
        ...profileFields,
        best: z.boolean(),
        left: budgetForm,
      }),
    },
    (request, context) =>
      answering(async () => {
        const open = await workshop.run(request.run, context.mcpReq.signal);
        const stop = reportProgress(open.events, context);
        try {
          const { id, evaluation } = await open.run.submit(request, context.mcpReq.signal);
          const structured = {
            ...{ id, ...judgementOf(evaluation!, open.loaded), ...profileOf(evaluation!) },
            ...{ best: open.run.frontier(1)[0]?.id === id, left: open.run.left },
          };
          const profile = asData('profile', profileInWords({ evaluation }, open.loaded.floor.microseconds));
          const words = `${id}: ${inWords(structured)}\n${profile}`;
          return answer(structured, words);
        } finally {
          stop();
        }
      }),
  );
}

function registerResults(server: McpServer, workshop: Workshop): void {
  server.registerTool(
    'frontier',
    {
      title: 'See the frontier of a run',
      description:
        'The best verified kernels of a run, with their sources, and what is left of its budget. A run that another process left is taken up.',
      inputSchema: z.object({
        run: z.string(),
        most: z.number().int().min(1).max(10).default(3),
        sources: z.boolean().default(true),
      }),
      outputSchema: z.object(frontierFields),
      // Not read-only: what a run that is taken up had not decided on is judged.
      annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true },
    },
    (request) =>
      answering(async () => {
        const structured = frontierOf(await workshop.run(request.run), request.most, request.sources);
        return answer(structured, frontierInWords(structured));
      }),
  );
  server.registerTool(
    'finish_run',
    {
      title: 'End a run',
      description: 'Judges the best kernel of a run once more, alone, on new seeds, and writes it with its evidence.',
      inputSchema: z.object({ run: z.string() }),
      outputSchema: z.object({
        best: candidateForm.optional(),
        files: z.object({ kernel: z.string(), evidence: z.string(), page: z.string() }).optional(),
        remark: z.string(),
      }),
    },
    (request, context) =>
      answering(async () => {
        const open = await workshop.run(request.run, context.mcpReq.signal);
        const stop = reportProgress(open.events, context);
        try {
          const done = await workshop.finish(request.run, context.mcpReq.signal);
          const remark =
            'The time is modelled on a virtual GPU: nothing was measured, and no speedup over PyTorch is claimed.';
          if (!done) return answer({ remark }, 'No kernel of the run stood up.');
          const best = candidateOf(done.record, false);
          return answer(
            { best, files: done.kept, remark },
            `${best.id}: ${done.kept.kernel}, evidence ${done.kept.page}. ${remark}\n${asData('about', best.summary)}`,
          );
        } finally {
          stop();
        }
      }),
  );
}

function settingOf({ task, full, target, floor }: LoadedTask) {
  return { task, target, floor, ...(full && { full: full.task }) };
}

function judgementOf(evaluation: NonNullable<SearchRecord['evaluation']>, { floor }: LoadedTask) {
  const { outcome, check, twin, microseconds, feedback } = evaluation;
  return {
    outcome,
    ...(check !== undefined && { check }),
    ...(twin !== undefined && { twin }),
    findings: [...(feedback?.findings ?? [])],
    ...(microseconds !== undefined && {
      modelledMicroseconds: microseconds,
      percentOfFloor: (100 * floor.microseconds) / microseconds,
    }),
    floorMicroseconds: floor.microseconds,
  };
}

function profileOf({ feedback }: NonNullable<SearchRecord['evaluation']>) {
  const { limitedBy, resources = [], profile = [], build = [] } = feedback ?? {};
  return { ...(limitedBy !== undefined && { limitedBy }), resources, launches: profile, build };
}

function inWords({ outcome, check, twin, findings }: ReturnType<typeof judgementOf>): string {
  const said = findings.length > 0 ? `\n${asData('findings', findings.join('\n'))}` : '';
  const same = twin === undefined ? '' : `; it compiles to the same code as ${twin}, and took no judgement`;
  return `${outcome}${check === undefined ? '' : ` (${check})`}${same}${said}`;
}

function candidateOf(record: SearchRecord, withSource: boolean): z.infer<typeof candidateForm> {
  const { id, engineer, summary, parents, evaluation, source: text } = record;
  const time = evaluation?.microseconds;
  return {
    ...{ id, engineer, summary, parents: [...parents] },
    ...(time !== undefined && { modelledMicroseconds: time }),
    ...(withSource && { source: text }),
  };
}

function storedCandidate(candidate: JudgedCandidate, gpu: string) {
  const { id, run, engineer, summary, parents, source: text, verdict } = candidate;
  const time = verdict?.times.find(({ kind, device }) => kind === 'modelled' && device === gpu)?.microseconds;
  return {
    ...{ id, run, engineer, summary, parents: [...parents], source: text },
    ...(time !== undefined && { modelledMicroseconds: time }),
  };
}

function frontierOf({ run }: OpenRun, most: number, sources: boolean) {
  return { frontier: run.frontier(most).map((record) => candidateOf(record, sources)), left: run.left };
}

function frontierInWords({ frontier, left }: ReturnType<typeof frontierOf>): string {
  const lines = frontier.map(
    ({ id, summary, modelledMicroseconds, source: text }) =>
      `${id}: ${modelledMicroseconds} us modelled\n${asData('about', summary)}${text === undefined ? '' : `\n${asData('kernel', text)}`}`,
  );
  return [...lines, `Left: ${left.judgements} judgements, ${Math.round(left.seconds)} s.`].join('\n');
}
