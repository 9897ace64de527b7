/** A child that is killed, hangs or lies changes no verdict: the run has crashed or ended at its limit, never come to a result, and the next one is right. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createCudaDevice } from './cuda/cuda-device.ts';
import type { Device, RunRequest, RunResult } from './types.ts';
import { createVirtualDevice } from './virtual/virtual-device.ts';

const program = fileURLToPath(new URL('./hostile-child.fixture.mjs', import.meta.url));
const BYTES = 1200;

/** A plan that copies its input: no compiler is needed to know what is right. */
const request = (hash: string, milliseconds = 60_000): RunRequest => {
  const tensor = (buffer: number) => ({ buffer, dtype: 'float32', shape: [300], strides: [1], offset: 0 }) as const;
  return {
    plan: {
      buffers: [
        { id: 0, bytes: BYTES, kind: 'argument', argument: 0, name: 'x' },
        { id: 1, bytes: BYTES, kind: 'workspace', name: 'y' },
      ],
      steps: [{ kind: 'copy', from: tensor(0), to: tensor(1), line: 1 }],
      outputs: [tensor(1)],
    },
    build: { hash, ptx: '', cubin: '', arch: 'sm_90', resources: [], compiler: '', milliseconds: 1, cached: false },
    calls: [{ inputs: [new Uint8Array(BYTES).fill(63)], poisonSeed: 1, resetGlobals: true, freshMemory: true }],
    limits: { milliseconds, instructions: 1e6, memoryBytes: 1e6, printBytes: 100 },
  };
};

/** What hostile-child.fixture.mjs can do. */
const lies = [
  'garbage',
  'no clone',
  'nothing',
  'half',
  'half and gone',
  'enormous',
  'another id',
  'no id',
  'hang',
  'an endless loop',
  'gone',
  'killed',
  'thrown',
  'much on standard error',
  'no calls',
  'a call too few',
  'a call too many',
  'no outputs',
  'outputs without bytes',
  'bytes too few',
  'no word of what was written',
  'instructions that are no number',
  'a measured time',
  'a list of a thousand million',
  'correct',
] as const;

/** Lies that only the clock ends. */
const waited = new Set<string>(['half', 'hang', 'an endless loop']);

describe('a hostile child', () => {
  const devices: Device[] = [];
  after(() => Promise.all(devices.map((device) => device.close())));

  const right = (result: RunResult) => {
    assert.equal(result.status, 'completed', JSON.stringify(result));
    const [output] = (result as Extract<RunResult, { status: 'completed' }>).calls[0]!.outputs;
    assert.deepEqual([...new Set(output!.bytes)], [63], 'the outputs are the inputs');
  };
  const lied = (result: RunResult, lie: string) => {
    assert.equal(result.status, waited.has(lie) ? 'exceeded' : 'crashed', `${lie}: ${JSON.stringify(result)}`);
    assert.ok((result as { message: string }).message.length > 20, lie);
  };

  test('in the place of the virtual GPU gets no result, and the next run is right', async () => {
    const device = createVirtualDevice({ gpu: 'h100', program });
    devices.push(device);
    right(await device.run(request('honest')));
    for (const lie of lies) {
      lied(await device.run(request(`lie:${lie}`, waited.has(lie) ? 300 : 60_000)), lie);
    }
    right(await device.run(request('honest')));
  });

  test('that answers twice is believed once, and then ended', async () => {
    const device = createVirtualDevice({ gpu: 'h100', program });
    devices.push(device);
    right(await device.run(request('twice')));
    // Its second answer may be the first thing that the next question sees; the run after that has a new child.
    const next = await device.run(request('honest'));
    if (next.status !== 'completed') assert.match((next as { message: string }).message, /ended|not asked/);
    right(await device.run(request('honest')));
  });

  test('in the place of a GPU gets no result', async () => {
    const device = await createCudaDevice({ gpu: 0, program, fake: { library: '/nonexistent/libcuda.so' } });
    devices.push(device);
    for (const lie of lies) {
      lied(await device.run(request(`lie:${lie}`, waited.has(lie) ? 300 : 60_000)), lie);
    }
  });

  test('does not pass a simulated GPU off as a real one', async () => {
    // This child says that it is simulated; without a fake driver that is for it to say, and the name shows it.
    const device = await createCudaDevice({ gpu: 0, program });
    devices.push(device);
    assert.match(device.name, /simulated/);
  });

  test('that cannot be started is a crash', async () => {
    const device = createVirtualDevice({ gpu: 'h100', program: '/nonexistent/child.mjs' });
    devices.push(device);
    const result = await device.run(request('honest'));
    assert.equal(result.status, 'crashed', JSON.stringify(result));
  });
});
