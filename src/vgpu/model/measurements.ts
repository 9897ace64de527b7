/**
 * Measured times, as files under `results/`: what the model is fitted to and scored against. A file is JSON:
 *
 *     { "schema": "assay-measurements/1", "kind": "measured", "gpu": "h100", "date": "2026-11-23",
 *       "hardware": { "name": "NVIDIA H100 80GB HBM3", "driver": "580.65", "cuda": "13.0", "clocks": "not locked" },
 *       "runs": [ { "kernel": "saxpy 16M", "sourceHash": "sha256:...", "cache": "cold", "samples": 100,
 *                   "microseconds": 61.2, "spread": [60.4, 63.0], "launches": [ ... ] } ] }
 *
 * `gpu` is an id of `targets.ts`; `microseconds` the median, `spread` its 5th and 95th percentiles, of `samples` runs; `launches`
 * what {@link ModelledLaunch} is: profile, demand and spills of each launch. `source` may stand in place of `sourceHash`.
 */
import { gpuTarget } from './targets.ts';
import type { ModelledLaunch } from './time.ts';

export const MEASUREMENTS_SCHEMA = 'assay-measurements/1';

export interface MeasuredRun {
  readonly kernel: string;
  readonly gpu: string;
  readonly launches: readonly ModelledLaunch[];
  readonly microseconds: number;
  readonly spread: readonly [low: number, high: number];
  readonly samples: number;
}

/** What a file of measurements must not be, or lacks; a sentence with the file's name. */
export class BadMeasurements extends Error {
  override readonly name = 'BadMeasurements';
}

/**
 * The runs of one file. Throws {@link BadMeasurements} for text that is no such file, lacks something, or holds a modelled time
 * anywhere: fitting a model to itself would prove nothing.
 */
export function parseMeasurements(text: string, file: string): MeasuredRun[] {
  const refuse = (reason: string): never => {
    throw new BadMeasurements(`${file} ${reason}`);
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return refuse(`is not JSON: ${(error as Error).message}.`);
  }
  if (holdsModelled(value))
    refuse(
      'holds a modelled time. The model is fitted to measurements alone: run the kernels on a GPU and record that.',
    );
  const root = record(value) ?? refuse('is not an object.');
  if (root.schema !== MEASUREMENTS_SCHEMA) refuse(`is not of the schema "${MEASUREMENTS_SCHEMA}".`);
  if (root.kind !== 'measured') refuse('does not say "kind": "measured".');
  const gpu = typeof root.gpu === 'string' ? root.gpu : refuse('does not name its GPU.');
  try {
    gpuTarget(gpu);
  } catch (error) {
    refuse(`names a GPU that is not known. ${(error as Error).message}`);
  }
  if (typeof root.date !== 'string' || Number.isNaN(Date.parse(root.date))) refuse('has no date.');
  const hardware = record(root.hardware);
  for (const key of ['name', 'driver', 'cuda'])
    if (typeof hardware?.[key] !== 'string') refuse(`does not say the hardware's ${key}.`);
  const runs = Array.isArray(root.runs) ? root.runs : refuse('has no list of runs.');
  return runs.map((one: unknown, index): MeasuredRun => {
    const lacks = (what: string): never => refuse(`lacks ${what} in run ${index + 1}.`);
    const run = record(one) ?? lacks('an object');
    const kernel = typeof run.kernel === 'string' ? run.kernel : lacks('the kernel');
    if (typeof run.source !== 'string' && typeof run.sourceHash !== 'string') lacks('the source or its hash');
    const microseconds = positive(run.microseconds) ?? lacks('positive microseconds');
    const samples = positive(run.samples) ?? lacks('the number of samples');
    const [low, high] = Array.isArray(run.spread) ? run.spread.map(positive) : [];
    if (low === undefined || high === undefined || low > microseconds || high < microseconds)
      return lacks('a spread around its microseconds');
    const launches = Array.isArray(run.launches) && run.launches.length > 0 ? run.launches : lacks('launches');
    for (const launch of launches) {
      const parts = record(launch);
      const profile = record(parts?.profile);
      if (profile === undefined || typeof profile.totalBlocks !== 'number' || !Array.isArray(profile.allocations))
        lacks("a launch's profile");
      if (typeof record(parts?.demand)?.threads !== 'number') lacks("a launch's threads, registers and shared memory");
      if (typeof parts?.spillBytes !== 'number') lacks("a launch's spillBytes");
    }
    return { kernel, gpu, launches: launches as ModelledLaunch[], microseconds, spread: [low, high], samples };
  });
}

function record(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

function positive(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : undefined;
}

function holdsModelled(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if ((value as { kind?: unknown }).kind === 'modelled' || 'modelled' in value) return true;
  return Object.values(value).some(holdsModelled);
}
