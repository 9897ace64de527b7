/** One judgement outside of a run: the same bench and checks as in a search, on seeds of the candidate's own; nothing is kept in the archive. */
import type { EventStream } from '../../events/index.ts';
import type { Evidence } from '../../judge/index.ts';
import type { FullTask, Task } from '../../task/index.ts';
import type { Evaluation } from '../ports.ts';
import { JudgementBench } from './bench.ts';
import { toEvaluation } from './records.ts';

export interface JudgeOnceOptions {
  task: Task;
  /** The task at its file's own shapes, where it was scaled. */
  full?: FullTask;
  /** Target GPU's id. */
  gpu: string;
  /** Cache of compiled device code. */
  cacheDir: string;
  source: string;
  events?: EventStream;
  signal?: AbortSignal;
}

/** What became of it, in words too, and the evidence where it could be prepared. */
export async function judgeOnce(options: JudgeOnceOptions): Promise<{ evaluation: Evaluation; evidence?: Evidence }> {
  const { task, full, gpu, cacheDir, source, events, signal } = options;
  const bench = new JudgementBench({ task, full, gpu, cacheDir, events, devices: 1 });
  try {
    const judgement = await bench.judge(source, 'candidate', true, signal);
    const evaluation = toEvaluation(judgement, { kind: 'modelled', device: gpu }, undefined);
    return { evaluation, ...(judgement.evidence && { evidence: judgement.evidence }) };
  } finally {
    await bench.close();
  }
}
