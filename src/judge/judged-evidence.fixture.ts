/** For tests of what is made of evidence: a candidate judged by the real compiler on the virtual GPU, and its evidence as a file would give it. */
import { createVirtualDevice } from '../device/index.ts';
import type { Task } from '../task/index.ts';
import { evidenceOf, parseEvidence } from './evidence.ts';
import type { Evidence } from './evidence-schema.ts';
import { judge } from './judge.ts';
import { limitsFor } from './limits.ts';
import { createOracle } from './task-oracle.ts';

/** Judges in a device of its own; builds are kept in `folder`, and nothing else is. */
export async function judgedEvidence(task: Task, candidateSource: string, folder: string): Promise<Evidence> {
  const device = createVirtualDevice({ gpu: 'h100' });
  try {
    const oracle = createOracle(task);
    const limits = limitsFor(task);
    const verdict = await judge({ task, candidateSource, device, gpu: 'h100', limits, cacheDir: folder, oracle });
    const { arithmetics } = oracle;
    const evidence = evidenceOf({ verdict, task, candidateSource, device, gpu: 'h100', limits, arithmetics });
    return parseEvidence(JSON.stringify(evidence));
  } finally {
    await device.close();
  }
}
