/** The port for times over the fake driver, in processes of its own. What a window sees of a candidate is tested in session.test.ts. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { PlanStep } from '../../../kernel/index.ts';
import type { TimedWindow, TimingDevice, TimingProcess, WindowRequest } from '../../measure.ts';
import { createCudaDevice } from '../cuda-device.ts';
import { buildFakeDriver, cCompiler } from '../fake/build-fake.ts';
import { build, count, launch, plan, toFloats, vector } from '../kernels.fixture.ts';
import type { OperandSource } from './operands.ts';
import { type BaselineSource, type CudaTimingOptions, createCudaTimingDevice } from './timing-device.ts';

const compiler = cCompiler();
const skip = compiler ? false : 'there is no C compiler for the fake CUDA driver';

/** Draws are bytes of the seed; right is what `expected` says. */
function source(expected: (x: number, i: number) => number): OperandSource & { checked: number } {
  const draw = (seed: string, length: number) =>
    new Uint8Array(
      Float32Array.from({ length }, (_, i) => Number.parseInt(seed.slice((2 * i) % 60, ((2 * i) % 60) + 4), 16)).buffer,
    );
  const operands = {
    checked: 0,
    base: (seed: string) => [draw(seed, count)],
    renew: (_base: readonly Uint8Array[], seed: string) => [{ argument: 0, byteOffset: 40, bytes: draw(seed, 16) }],
    check: async (inputs: readonly Uint8Array[], outputs: readonly Uint8Array[]) => {
      operands.checked++;
      const [x, y] = [toFloats(inputs[0]!), toFloats(outputs[0]!)];
      return y.length === x.length && y.every((value, i) => value === expected(x[i]!, i));
    },
  };
  return operands;
}
const twice = () => source((x) => x + x);

describe('times of a GPU over the fake driver', { skip }, async () => {
  const fake = compiler ? await buildFakeDriver(compiler) : undefined;
  const open: TimingProcess[] = [];
  after(async () => {
    await Promise.all(open.map((process) => process.close()));
    fake?.remove();
  });
  const device = (steps: PlanStep[], rest: Partial<CudaTimingOptions> = {}, environment: Record<string, string> = {}) =>
    createCudaTimingDevice({
      gpu: 0,
      fake: { library: fake!.library, environment: { ASSAY_FAKE_NOISE_PPM: '2000', ...environment } },
      candidate: { plan: plan(steps), build },
      operands: twice(),
      secret: 'ab'.repeat(32),
      mostCalls: 8,
      ...rest,
    });
  const start = async (on: Pick<TimingDevice<'simulated'>, 'start'>) => {
    const process = await on.start(0);
    assert.ok('window' in process, JSON.stringify(process));
    open.push(process);
    return process;
  };
  const request: WindowRequest = { subject: 'candidate', instance: 0, work: 'calls', calls: 4 };
  const timed = async (process: TimingProcess, rest: Partial<WindowRequest> = {}): Promise<TimedWindow> => {
    const window = await process.window({ ...request, ...rest });
    assert.equal(window.status, 'timed', JSON.stringify(window));
    return window as TimedWindow;
  };

  it('takes windows that grow with their calls, and null windows that do not write', async () => {
    const operands = twice();
    const environment = { ASSAY_FAKE_THROTTLE: '5', ASSAY_FAKE_PROCESSES: '3' };
    const on = await device([launch('twice')], { operands }, environment);
    assert.equal(on.source, 'simulated');
    assert.match(on.facts.device, /simulated/);
    assert.equal(on.facts.deviceResolutionMicroseconds, 0.5);
    assert.equal(on.facts.mostCalls, 8);
    const process = await start(on);
    const [one, eight] = [await timed(process, { calls: 1 }), await timed(process, { calls: 8 })];
    const nothing = await timed(process, { work: 'null', calls: 8 });
    assert.deepEqual([one.outputs, eight.outputs, nothing.outputs], ['right', 'right', 'right']);
    assert.ok(
      eight.deviceMicroseconds > 4 * one.deviceMicroseconds,
      `${eight.deviceMicroseconds}, ${one.deviceMicroseconds}`,
    );
    assert.ok(eight.hostMicroseconds > eight.deviceMicroseconds, JSON.stringify(eight));
    assert.ok(nothing.deviceMicroseconds < eight.deviceMicroseconds, JSON.stringify([nothing, eight]));
    assert.notEqual(one.operands, eight.operands);
    assert.equal(nothing.operands, '');
    assert.equal(one.condition.smClockMHz, 1980);
    assert.deepEqual([one.condition.throttled, one.condition.otherProcesses], [['sw-power-cap'], 2]);
    // Once an instance in this few windows.
    assert.equal(operands.checked, 1);
    await timed(process, { instance: 1 });
    assert.equal(operands.checked, 2);
  });

  /** A baseline in this process, whose windows say nothing of the GPU, as PyTorch's. */
  const silent: BaselineSource = {
    subjects: [{ id: 'silent', role: 'baseline' }],
    environment: { silent: '1' },
    processes: 2,
    start: async () => ({
      window: async () => ({
        ...{ status: 'timed', deviceMicroseconds: 5, hostMicroseconds: 9, outputs: 'right', operands: 'o' },
        condition: {},
      }),
      close: async () => undefined,
    }),
  };

  it("reads the GPU's condition around the windows of baselines that do not", async () => {
    const environment = {
      ...{
        ASSAY_FAKE_THROTTLE: '64',
        ASSAY_FAKE_PROCESSES: '5',
        ASSAY_FAKE_CLOCK: '1635',
        ASSAY_FAKE_TEMPERATURE: '88',
      },
    };
    const on = await device([launch('twice')], { baselines: silent }, environment);
    assert.equal(on.facts.environment['not read from the GPU'], undefined);
    const { condition } = await timed(await start(on), { subject: 'silent' });
    const { smClockMHz, temperatureC, throttled, otherProcesses } = condition;
    assert.deepEqual([smClockMHz, temperatureC, throttled, otherProcesses], [1635, 88, ['hw-thermal-slowdown'], 2]);
  });

  it('says what the GPU does not tell, and makes up none of it', async () => {
    const on = await device([launch('twice')], { baselines: silent }, { ASSAY_FAKE_FAULTS: 'nvmlInit_v2:0:9' });
    assert.match(
      on.facts.environment['not read from the GPU'] ?? '',
      /clock, temperature, .*held down, who else uses it/,
    );
    const process = await start(on);
    for (const subject of ['candidate', 'silent']) assert.deepEqual((await timed(process, { subject })).condition, {});
  });

  it('counts who has a context on the GPU: a device that was not put to rest is company', async () => {
    const contexts = { environment: { ASSAY_FAKE_CONTEXTS: fake!.contexts }, writes: [fake!.contexts] };
    const beside = await createCudaDevice({ gpu: 0, fake: { library: fake!.library, ...contexts } });
    try {
      const options = { gpu: 0, candidate: { plan: plan([launch('twice')]), build }, operands: twice() };
      const on = await createCudaTimingDevice({
        ...{ ...options, secret: 'ab'.repeat(32), mostCalls: 8 },
        fake: { library: fake!.library, ...contexts },
      });
      const process = await start(on);
      assert.equal((await timed(process)).condition.otherProcesses, 1);
      await beside.rest();
      assert.equal((await timed(process)).condition.otherProcesses, 0);
    } finally {
      await beside.close();
    }
  });

  it('refuses what cannot be timed, by its line', async () => {
    const convert: PlanStep = { kind: 'copy', from: vector(0), to: vector(1, { dtype: 'float16' }), line: 12 };
    await assert.rejects(device([convert]), /Line 12 converts float32 to float16.*cannot be timed/);
  });

  it('gives a failed window where the GPU hangs, and no other after it', async () => {
    const environment = { ASSAY_FAKE_FAULTS: 'cuGraphLaunch:2:hang' };
    const process = await start(await device([launch('twice')], { windowMilliseconds: 3000 }, environment));
    await timed(process);
    for (let again = 0; again < 2; again++) {
      const failed = await process.window(request);
      assert.equal(failed.status, 'failed', JSON.stringify(failed));
      assert.match((failed as { message: string }).message, /The candidate gave no time: .*stopped after 3 s/);
    }
  });
});
