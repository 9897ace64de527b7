/** One judgement of a kernel file, as `judge` and `audit` make it: task and kernel in, verdict and evidence out, the evidence on disk. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createVirtualDevice } from '../device/index.ts';
import {
  createOracle,
  type Evidence,
  evidenceOf,
  judge,
  limitsFor,
  type StageTiming,
  type Verdict,
} from '../judge/index.ts';
import { type FullTask, floor, type Task } from '../task/index.ts';
import { gpuTarget } from '../vgpu/index.ts';
import { readCandidate } from './candidate-file.ts';
import type { Devices } from './devices.ts';
import type { Places } from './places.ts';
import { type TaskOptions, taskFrom } from './task-options.ts';

export interface Judgement {
  task: Task;
  /** The task at its file's own shapes, where it was scaled. */
  full?: FullTask;
  verdict: Verdict;
  evidence: Evidence;
  timings: readonly StageTiming[];
}

/** Judges the kernel in a file. */
export async function judgement(
  taskFile: string,
  kernelFile: string,
  options: TaskOptions & { devices: Devices },
  places: Places,
  signal: AbortSignal,
): Promise<Judgement> {
  // Since the process began.
  const loaded = performance.now();
  const { gpu, hardware } = options.devices;
  const candidateSource = readCandidate(kernelFile);
  const device = createVirtualDevice({ gpu });
  device.start?.();
  try {
    const before = performance.now();
    const { task, full } = await taskFrom(taskFile, options, places);
    const traced = performance.now();
    const oracle = createOracle(task, places.builds);
    const ready = performance.now();
    const limits = limitsFor(task);
    const verdict = await judge({
      ...{ task, full, candidateSource, device, oracle, signal, gpu, limits, hardware },
      ...{ cacheDir: places.builds, tracesDir: places.traces },
    });
    const judged = performance.now();
    const evidence = evidenceOf({
      ...{ verdict, task, candidateSource, device, gpu, limits },
      ...{ floor: floor(task, gpuTarget(gpu)), arithmetics: oracle.arithmetics },
    });
    const timings = [
      { stage: 'load', milliseconds: loaded },
      { stage: 'trace', milliseconds: traced - before },
      { stage: 'ways to draw inputs', milliseconds: ready - traced },
      ...verdict.timings,
      { stage: 'evidence', milliseconds: performance.now() - judged },
    ];
    return { task, full, verdict, evidence, timings };
  } finally {
    await device.close();
  }
}

/** Writes the evidence as JSON and its page; gives the folder. */
export function keep({ task, verdict, evidence }: Judgement, page: string, places: Places): string {
  const folder = join(places.judgements, `${task.name}-${verdict.sourceHash.slice(0, 12)}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'evidence.json'), `${JSON.stringify(evidence, null, 2)}\n`);
  writeFileSync(join(folder, 'evidence.html'), page);
  return folder;
}
