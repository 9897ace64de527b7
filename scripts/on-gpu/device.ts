/** The driver room on this GPU: a plan runs, a fault and a hang end the child and nothing else, and it is back in under two seconds. */

import { build, call, launch, plan, ramp, toFloats } from '../../src/device/cuda/kernels.fixture.ts';
import type { RunLimits, RunResult } from '../../src/device/index.ts';
import type { Stage } from './place.ts';

const RESTART_MILLISECONDS = 2000;
const RESTARTS = 5;
const limits: RunLimits = { milliseconds: 20_000, instructions: 1e9, memoryBytes: 1e9, printBytes: 1e5 };

export const deviceStage: Stage = {
  name: 'device',
  purpose: 'plans run, faults and hangs end the child process and nothing else',
  run: async ({ device, simulated, unknown }) => {
    const run = (entry: string, milliseconds = limits.milliseconds): Promise<RunResult> =>
      device.run({ plan: plan([launch(entry)]), build, calls: [call(ramp(1))], limits: { ...limits, milliseconds } });
    const right = async (): Promise<boolean> => {
      const result = await run('twice');
      return result.status === 'completed' && toFloats(result.calls[0]!.outputs[0]!.bytes)[2] === 6;
    };
    const checks: { what: string; passed: boolean; detail?: string; milliseconds: number }[] = [];
    const check = async (what: string, test: () => Promise<{ passed: boolean; detail?: string }>) => {
      const started = performance.now();
      const found = await test();
      const milliseconds = performance.now() - started;
      checks.push({ what, ...found, milliseconds });
    };
    await check('a plan runs', async () => ({ passed: await right() }));
    for (const entry of ['far_away', 'misaligned', 'traps', 'one_past_the_end']) {
      await check(`${entry} is reported`, async () => {
        const result = await run(entry);
        return { passed: result.status === 'faulted', detail: 'message' in result ? result.message : result.status };
      });
      await check(`a plan runs after ${entry}`, async () => ({ passed: await right() }));
    }
    await check('a kernel that never ends is stopped', async () => {
      const result = await run('forever', 3000);
      return { passed: result.status === 'exceeded', detail: 'message' in result ? result.message : result.status };
    });
    await check('a plan runs after it', async () => ({ passed: await right() }));
    const restarts: number[] = [];
    for (let i = 0; i < RESTARTS; i++) {
      await device.rest();
      const started = performance.now();
      if (await right()) restarts.push(performance.now() - started);
    }
    const slowest = Math.max(...restarts);
    // Over the fake driver this says how busy this machine is, and no more.
    const judged = simulated ? ' (not judged over the fake driver)' : '';
    checks.push({
      what: `the child starts again and runs a plan, the slowest of ${RESTARTS} times; under ${RESTART_MILLISECONDS} ms${judged}`,
      passed: restarts.length === RESTARTS && (simulated || slowest < RESTART_MILLISECONDS),
      milliseconds: slowest,
    });
    const lines = checks.map(
      ({ what, passed, detail, milliseconds }) =>
        `${passed ? 'ok   ' : 'WRONG'} ${milliseconds.toFixed(0).padStart(6)} ms  ${what}${detail ? `: ${detail}` : ''}`,
    );
    if (unknown) lines.push(unknown);
    return {
      passed: checks.every(({ passed }) => passed),
      content: { checks, restartMilliseconds: restarts, unknown },
      words: lines.join('\n'),
    };
  },
};
