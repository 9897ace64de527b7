/** Takes the windows of one set of fresh processes, in the order that the plan draws. */
import type { FailedWindow, TimedWindow, TimeSource, TimingDevice, TimingProcess } from '../../device/index.ts';
import type { Random } from '../../task/index.ts';
import { median } from './median.ts';
import { blockOrder } from './order.ts';
import type { Pilot, TimingPlan } from './plan.ts';
import type { Block, ProcessRecord, Sample } from './records.ts';

/** A device that could not take a time; carried out of the loops that take many. */
export class WindowFailed extends Error {
  override name = 'WindowFailed';
  readonly subject: string;

  constructor(subject: string, message: string) {
    super(message);
    this.subject = subject;
  }
}

/** Windows of one call that the pilot takes of each subject and of its null plan. */
const PILOT_WINDOWS = 5;

/**
 * Starts fresh processes, lets `use` take windows in them, and ends them in every case.
 * @throws WindowFailed when they do not start or `use` meets a window that gives no time.
 */
export async function inFreshProcesses<T>(
  device: TimingDevice<TimeSource>,
  process: number,
  use: (process: TimingProcess) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const started: TimingProcess | FailedWindow = await device.start(process, signal);
  if ('status' in started) throw new WindowFailed('the device', started.message);
  try {
    return await use(started);
  } finally {
    await started.close();
  }
}

/** How long single calls take: sizes only follow from it. Its windows are looked at for wrong outputs like all others. */
export async function pilot(
  device: TimingDevice<TimeSource>,
  process: TimingProcess,
  random: Random,
  signal?: AbortSignal,
): Promise<{ pilots: Pilot[]; samples: Sample[] }> {
  const samples: Sample[] = [];
  for (let round = 0; round < PILOT_WINDOWS; round++) {
    for (const arm of blockOrder(device.subjects, 1, random)) {
      const request = { ...arm, calls: 1 };
      samples.push({ request, window: await take(process, request, signal) });
    }
  }
  const pilots = device.subjects.map(({ id }): Pilot => {
    const of = (work: 'calls' | 'null', clock: 'deviceMicroseconds' | 'hostMicroseconds') =>
      median(
        samples
          .filter(({ request }) => request.subject === id && request.work === work)
          .map(({ window }) => window[clock]),
      );
    return {
      deviceMicroseconds: of('calls', 'deviceMicroseconds'),
      hostMicroseconds: of('calls', 'hostMicroseconds'),
      nullHostMicroseconds: of('null', 'hostMicroseconds'),
    };
  });
  return { pilots, samples };
}

/** The settling block and the blocks that count. */
export async function collect(
  device: TimingDevice<TimeSource>,
  process: TimingProcess,
  number: number,
  plan: Pick<TimingPlan, 'blocks' | 'rounds'>,
  calls: number,
  random: Random,
  signal?: AbortSignal,
): Promise<ProcessRecord> {
  const blocks: Block[] = [];
  for (let b = 0; b <= plan.blocks; b++) {
    const block: Sample[] = [];
    for (const arm of blockOrder(device.subjects, plan.rounds, random)) {
      const { subject, instance, work } = arm;
      const request = { subject, instance, work, calls };
      block.push({ request, window: await take(process, request, signal) });
    }
    blocks.push(block);
  }
  return { process: number, settling: blocks[0]!, blocks: blocks.slice(1) };
}

async function take(process: TimingProcess, request: Sample['request'], signal?: AbortSignal): Promise<TimedWindow> {
  signal?.throwIfAborted();
  const result = await process.window(request, signal);
  if (result.status === 'failed') throw new WindowFailed(request.subject, result.message);
  return result;
}
