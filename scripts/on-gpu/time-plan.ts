/** A plan's time by the windows that judgements take, by itself. */
import { createCudaTimingDevice, type OperandSource } from '../../src/device/index.ts';
import { deriveSeed } from '../../src/judge/index.ts';
import type { Build, Plan } from '../../src/kernel/index.ts';
import type { Place } from './place.ts';

const CALLS = 100;
const WINDOWS = 20;

/** Operands of a plan of ours, whose outputs are no answer to anything. */
export function anyOperands(plan: Plan): OperandSource {
  const bytes = plan.buffers.filter(({ kind }) => kind === 'argument').map((buffer) => buffer.bytes);
  const drawn = (seed: string, count: number) =>
    Uint8Array.from({ length: count }, (_, i) => Number.parseInt(seed.slice((2 * i) % 62, ((2 * i) % 62) + 2), 16));
  return {
    base: (seed) => bytes.map((count) => drawn(seed, count)),
    renew: (_, seed) =>
      bytes.slice(0, 1).map((count, argument) => ({ argument, byteOffset: 0, bytes: drawn(seed, Math.min(4, count)) })),
    check: async () => true,
  };
}

/** Microseconds of a call: the median over windows, and all of them. */
export async function timePlan(
  place: Place,
  plan: Plan,
  build: Build,
  calls = place.simulated ? 2 : CALLS,
): Promise<{ median: number; samples: number[] }> {
  await place.device.rest();
  const device = await createCudaTimingDevice({
    ...{ gpu: place.gpu, fake: place.fake, candidate: { plan, build }, mostCalls: calls },
    ...{ operands: anyOperands(plan), secret: deriveSeed({ secret: '00'.repeat(32) }, 'on-gpu') },
  });
  const process = await device.start(0);
  if ('status' in process) throw new Error(process.message);
  const samples: number[] = [];
  try {
    for (let i = 0; i <= (place.simulated ? 2 : WINDOWS); i++) {
      const window = await process.window({ subject: 'candidate', instance: 0, work: 'calls', calls });
      if (window.status === 'failed') throw new Error(window.message);
      // The first settles the process.
      if (i > 0) samples.push(window.deviceMicroseconds / calls);
    }
  } finally {
    await process.close();
  }
  const sorted = [...samples].sort((a, b) => a - b);
  return { median: sorted[Math.floor(sorted.length / 2)]!, samples };
}
