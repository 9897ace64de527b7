/**
 * Modelled against measured times: the honest kernels of the corpus at several sizes, each profiled on the virtual GPU and timed here. Writes a file that `npm run bench:model` fits the
 * model's constants to (src/vgpu/model/measurements.ts has its form); over the fake driver it is marked as simulated, and no reader takes it.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createCudaTimingDevice, createVirtualDevice, type TimedWindow } from '../../src/device/index.ts';
import { createOracle, limitsFor, sourceHash, timedOperands } from '../../src/judge/index.ts';
import { factsOf, prepareCandidate } from '../../src/kernel/index.ts';
import { AS_WRITTEN, drawArguments, encode, loadTask, type Task } from '../../src/task/index.ts';
import { defaultConstants, MEASUREMENTS_SCHEMA, type MeasuredRun, predict, score } from '../../src/vgpu/index.ts';
import { caseTaskFile } from '../corpus-cases.ts';
import { casesOf } from './corpora.ts';
import type { Place, Stage } from './place.ts';

/** Elements and multiply-adds of a task, at most: from what the launch alone takes to what the virtual GPU profiles in seconds. */
const SCALES: readonly number[] = [2e5, 3e6, 4e7];
const WANTED = 60;
const WINDOWS = 20;
const CALLS = 8;

async function measured(place: Place, source: string, task: Task): Promise<Omit<MeasuredRun, 'kernel'> | string> {
  const { target } = place;
  const options = { arch: target.arch, facts: factsOf(target), cacheDir: join(place.cache, 'builds'), task };
  const { plan, build } = await prepareCandidate(source, task.signature, options);
  const secret = randomBytes(32).toString('hex');
  const virtual = createVirtualDevice({ gpu: target.id });
  let launches: MeasuredRun['launches'] | undefined;
  try {
    const inputs = drawArguments(task, AS_WRITTEN, secret).map(encode);
    const result = await virtual.run({
      ...{ plan, build, limits: { ...limitsFor(task), milliseconds: 300_000 }, profile: { gpu: target.id } },
      calls: [{ inputs, poisonSeed: 1, resetGlobals: true, freshMemory: true }],
    });
    if (result.status !== 'completed' || !result.launches) return 'message' in result ? result.message : 'no profile';
    launches = result.launches;
  } finally {
    await virtual.close();
  }
  await place.device.rest();
  const device = await createCudaTimingDevice({
    ...{ gpu: place.gpu, fake: place.fake, candidate: { plan, build }, secret },
    operands: timedOperands(task, createOracle(task)),
    mostCalls: CALLS,
  });
  const process = await device.start(0);
  if ('status' in process) return process.message;
  try {
    const calls = Math.min(CALLS, device.facts.mostCalls);
    const windows: TimedWindow[] = [];
    for (let i = 0; i < (place.simulated ? 2 : WINDOWS); i++) {
      const window = await process.window({ subject: 'candidate', instance: 0, work: 'calls', calls });
      if (window.status === 'failed') return window.message;
      if (window.outputs !== 'right') return 'a timed call gave a wrong output';
      windows.push(window);
    }
    const times = windows.map(({ deviceMicroseconds }) => deviceMicroseconds / calls).sort((a, b) => a - b);
    const at = (part: number) => times[Math.min(times.length - 1, Math.floor(part * times.length))]!;
    return {
      gpu: target.id,
      launches,
      microseconds: at(0.5),
      spread: [at(0.05), at(0.95)],
      samples: times.length * calls,
    };
  } finally {
    await process.close();
  }
}

type CalibrationRun = MeasuredRun & { sourceHash: string; cache: 'cold' };

export const calibrationStage: Stage = {
  name: 'calibration',
  purpose: `modelled against measured times, of ${WANTED} kernels or more`,
  run: async (place) => {
    const cases = casesOf(place, ['honest']).filter(({ name, task }) => !name.endsWith('.py') && !task.backward);
    const scales = place.quick || place.simulated ? SCALES.slice(0, 1) : SCALES;
    const wanted = cases.flatMap((each) =>
      scales.map((scale) => ({ each, scale, kernel: `${each.name} at ${scale}` })),
    );
    const { made, left } = await place.each(
      'calibration',
      wanted,
      ({ kernel }) => kernel,
      async ({ each, scale, kernel }): Promise<{ run: CalibrationRun } | { kernel: string; message: string }> => {
        try {
          const { precision } = each.task;
          const options = { cacheDir: join(place.cache, 'traces'), scale, precision };
          const run = await measured(place, each.source, await loadTask(caseTaskFile(each.task), options));
          const said =
            typeof run === 'string' ? run : `${run.microseconds.toFixed(2)} us${place.simulated ? ' (simulated)' : ''}`;
          process.stdout.write(`${kernel}: ${said}\n`);
          if (typeof run === 'string') return { kernel, message: run };
          return { run: { kernel, sourceHash: `sha256:${sourceHash(each.source)}`, cache: 'cold', ...run } };
        } catch (error) {
          process.stdout.write(`${kernel}: ${(error as Error).message}\n`);
          return { kernel, message: (error as Error).message };
        }
      },
    );
    const runs = made.flatMap((one) => ('run' in one ? [one.run] : []));
    const failures = made.filter((one) => 'message' in one);
    const predicted = predict(runs, place.target, defaultConstants);
    const scored = score(predicted);
    const dots = predicted.map(({ measured: time, modelled, low, high }, i) => {
      const [from, to] = runs[i]!.spread ?? [time, time];
      return {
        kernel: runs[i]!.kernel,
        measured: { ratio: time, low: from, high: to },
        modelled: { ratio: modelled, low, high },
      };
    });
    const { identity, driverVersion } = place.device;
    place.write('measurements', {
      schema: MEASUREMENTS_SCHEMA,
      kind: place.simulated ? 'simulated' : 'measured',
      gpu: place.target.id,
      hardware: { name: identity.name, driver: driverVersion ?? 'unknown', cuda: identity.cuda, clocks: 'not locked' },
      runs,
    });
    const enough = place.simulated || runs.length >= WANTED;
    const words = `${runs.length} kernels, ${left} left, ${failures.length} without a time; Spearman ${scored.spearman.toFixed(3)}, pairs in order ${scored.pairwiseOrder.toFixed(3)}, in the interval ${scored.inInterval.toFixed(3)}`;
    const passed = (enough || left > 0) && runs.length > 0 && failures.length === 0;
    return { passed, left, content: { score: scored, dots, failures }, words };
  },
};
