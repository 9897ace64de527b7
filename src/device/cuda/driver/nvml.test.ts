/** What NVML says and does not say, over the fake library: every reading, every reason, and an error of every function. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import type { DeviceCondition } from '../../measure.ts';
import { buildFakeDriver, cCompiler } from '../fake/build-fake.ts';
import type { nvmlFunctions } from './functions.ts';
import { Nvml } from './nvml.ts';

const compiler = cCompiler();
const skip = compiler ? false : 'there is no C compiler for the fake CUDA driver';
const uuid = 'GPU-00102030';

describe('NVML over the fake library', { skip }, async () => {
  const fake = compiler ? await buildFakeDriver(compiler) : undefined;
  const folder = mkdtempSync(join(tmpdir(), 'assay-nvml-'));
  const log = join(folder, 'log');
  process.env.ASSAY_FAKE_LOG = log;
  const settings = ['FAULTS', 'THROTTLE', 'PROCESSES', 'TEMPERATURE', 'CLOCK'].map((name) => `ASSAY_FAKE_${name}`);
  afterEach(() => {
    for (const name of settings) delete process.env[name];
  });
  after(() => {
    delete process.env.ASSAY_FAKE_LOG;
    rmSync(folder, { recursive: true });
    fake?.remove();
  });
  const read = (own = 1, environment: Record<string, string> = {}) => {
    Object.assign(process.env, environment);
    const nvml = Nvml.open(uuid, fake!.library);
    try {
      return nvml?.condition(own);
    } finally {
      nvml?.close();
    }
  };
  const quiet: Required<DeviceCondition> = {
    ...{ smClockMHz: 1980, memoryClockMHz: 3201, temperatureC: 40, powerWatts: 250 },
    ...{ otherProcesses: 0, throttled: [] },
  };

  it('is read', () => {
    assert.deepEqual(read(), quiet);
    const hot = read(2, {
      ...{ ASSAY_FAKE_CLOCK: '1635', ASSAY_FAKE_TEMPERATURE: '88' },
      ...{ ASSAY_FAKE_PROCESSES: '5', ASSAY_FAKE_THROTTLE: `${0x4 + 0x40}` },
    });
    const throttled = ['sw-power-cap', 'hw-thermal-slowdown'];
    assert.deepEqual(hot, { ...quiet, smClockMHz: 1635, temperatureC: 88, otherProcesses: 3, throttled });
  });

  it('names every reason that is one, and none that is not', () => {
    const reasons = (bits: number) => read(1, { ASSAY_FAKE_THROTTLE: `${bits}` })?.throttled;
    // An idle GPU, clocks that a program or an administrator set, and the display's.
    assert.deepEqual(reasons(0x1 + 0x2 + 0x100), []);
    assert.deepEqual(reasons(0x1ff), [
      ...['sw-power-cap', 'hw-slowdown', 'sync-boost'],
      ...['sw-thermal-slowdown', 'hw-thermal-slowdown', 'hw-power-brake'],
    ]);
  });

  it('counts no fewer processes than none', () => {
    assert.equal(read(4)?.otherProcesses, 0);
  });

  /** What is missing where a function fails; of the others, everything. */
  const missing: Readonly<Record<keyof typeof nvmlFunctions, readonly (keyof DeviceCondition)[]>> = {
    nvmlInit_v2: Object.keys(quiet) as (keyof DeviceCondition)[],
    nvmlDeviceGetHandleByUUID: Object.keys(quiet) as (keyof DeviceCondition)[],
    nvmlShutdown: [],
    nvmlSystemGetDriverVersion: [],
    nvmlDeviceGetClockInfo: ['smClockMHz', 'memoryClockMHz'],
    nvmlDeviceGetTemperature: ['temperatureC'],
    nvmlDeviceGetPowerUsage: ['powerWatts'],
    nvmlDeviceGetCurrentClocksThrottleReasons: ['throttled'],
    nvmlDeviceGetComputeRunningProcesses_v3: ['otherProcesses'],
  };
  for (const [name, absent] of Object.entries(missing)) {
    it(`lacks what ${name} would say, where that fails, and makes nothing up`, () => {
      const condition: DeviceCondition = read(1, { ASSAY_FAKE_FAULTS: `${name}:0:3` }) ?? {};
      for (const [what, value] of Object.entries(quiet)) {
        const expected = absent.includes(what as keyof DeviceCondition) ? undefined : value;
        assert.deepEqual(condition[what as keyof DeviceCondition], expected, what);
      }
    });
  }

  it('says its version, or does not', () => {
    const version = () => Nvml.open(uuid, fake!.library)?.driverVersion();
    assert.equal(version(), '0.0 (fake)');
    process.env.ASSAY_FAKE_FAULTS = 'nvmlSystemGetDriverVersion:0:3';
    assert.equal(version(), undefined);
  });

  it('is not there where its library is not, or knows no such GPU', () => {
    assert.equal(Nvml.open(uuid, join(folder, 'none.so')), undefined);
    assert.equal(Nvml.open('MIG-1', fake!.library), undefined);
  });

  it('is given back as often as it was opened', () => {
    const done = readFileSync(log, 'utf8').split('\n');
    const times = (line: string) => done.filter((one) => one === line).length;
    // Twice for its version, where nothing closed it.
    assert.equal(times('nvmlInit_v2 0') - times('nvmlShutdown 0') - times('nvmlShutdown 3'), 2, done.join(' '));
  });
});
