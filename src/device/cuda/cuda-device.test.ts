/** A GPU's child process over the fake library: every way a run can end, and that the device works afterwards. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { PlanStep } from '../../kernel/index.ts';
import type { RunLimits, RunResult } from '../types.ts';
import { type CudaDevice, createCudaDevice } from './cuda-device.ts';
import { buildFakeDriver, cCompiler } from './fake/build-fake.ts';
import { build, call, count, launch, plan, ramp, toFloats, vector } from './kernels.fixture.ts';

const compiler = cCompiler();
const skip = compiler ? false : 'there is no C compiler for the fake CUDA driver';
const limits: RunLimits = { milliseconds: 60_000, instructions: 1e9, memoryBytes: 1e8, printBytes: 2000 };

const completed = (result: RunResult) => {
  assert.equal(result.status, 'completed', JSON.stringify(result));
  return result as Extract<RunResult, { status: 'completed' }>;
};

describe('a GPU over the fake driver', { skip }, async () => {
  const fake = compiler ? await buildFakeDriver(compiler) : undefined;
  const folder = mkdtempSync(join(tmpdir(), 'assay-cuda-test-'));
  const log = join(folder, 'log');
  const devices: CudaDevice[] = [];
  const open = async (environment: Record<string, string> = {}): Promise<CudaDevice> => {
    const device = await createCudaDevice({
      gpu: 0,
      fake: { library: fake!.library, environment: { ASSAY_FAKE_LOG: log, ...environment }, writes: [log] },
    });
    devices.push(device);
    return device;
  };
  let shared: Promise<CudaDevice> | undefined;
  const device = () => {
    shared ??= open();
    return shared;
  };
  after(async () => {
    for (const each of devices) await each.close();
    fake?.remove();
    rmSync(folder, { recursive: true });
  });
  const run = async (steps: PlanStep[], calls = [call(ramp(0))], rest = {}) =>
    (await device()).run({ plan: plan(steps, rest), build, calls, limits });
  /** After whatever happened, a run is right. */
  const worksAfterwards = async (on: CudaDevice) => {
    const { calls } = completed(await on.run({ plan: plan([launch('twice')]), build, calls: [call(ramp(1))], limits }));
    assert.deepEqual(toFloats(calls[0]!.outputs[0]!.bytes).slice(0, 3), [2, 4, 6]);
  };

  it('says what it is, and that it is simulated', async () => {
    const { name, identity, simulated, kind } = await device();
    assert.equal(kind, 'cuda');
    assert.equal(simulated, true);
    assert.match(name, /simulated NVIDIA H200/);
    assert.match(identity.uuid, /^GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.deepEqual(identity.capability, [9, 0]);
  });

  it('runs a plan and seals its outputs', async () => {
    const { calls, findings } = completed(await run([launch('twice')], [call(ramp(0)), call(ramp(5))]));
    assert.deepEqual(findings, []);
    assert.deepEqual(toFloats(calls[1]!.outputs[0]!.bytes).slice(0, 3), [10, 12, 14]);
    assert.ok(calls.every(({ outputs }) => outputs[0]!.written!.every((byte) => byte === 1)));
    assert.deepEqual(calls[0]!.changedInputs, []);
  });

  it('gives dynamic shared memory', async () => {
    const step = launch('through_shared', { dynamicSharedBytes: 512 });
    const { calls } = completed(await run([step]));
    assert.deepEqual(toFloats(calls[0]!.outputs[0]!.bytes), toFloats(ramp(0)));
  });

  it('sees elements that were never written, also where they were copied on', async () => {
    const halves = { buffers: plan([]).buffers.concat({ id: 2, bytes: count * 4, kind: 'workspace', name: 'z' }) };
    const onward: PlanStep = { kind: 'copy', from: vector(1), to: vector(2), line: 2 };
    const { calls } = completed(
      await run([launch('even_elements'), onward], [call(ramp(0))], { ...halves, outputs: [vector(1), vector(2)] }),
    );
    for (const { written } of calls[0]!.outputs) {
      assert.deepEqual([...written!.slice(0, 4)], [1, 0, 1, 0]);
      assert.equal(
        written!.reduce((sum, byte) => sum + byte, 0),
        count / 2,
      );
    }
  });

  it('does the fills, copies and writes of the host function', async () => {
    const steps: PlanStep[] = [
      { kind: 'fill', tensor: vector(1), bytes: '0000803f', line: 1 },
      { kind: 'copy', from: vector(0, { shape: [10] }), to: vector(1, { shape: [10], strides: [2] }), line: 2 },
      { kind: 'write', buffer: 1, byteOffset: 4, bytes: '00002041', line: 3 },
    ];
    const { calls } = completed(await run(steps, [call(ramp(3))]));
    assert.deepEqual(toFloats(calls[0]!.outputs[0]!.bytes).slice(0, 6), [3, 10, 4, 1, 5, 1]);
  });

  it("puts PyTorch's operators in by the reference", async () => {
    const operator: PlanStep = {
      kind: 'operator',
      op: 'relu',
      attributes: {},
      inputs: [vector(0)],
      outputs: [vector(1)],
      line: 1,
    };
    const { calls } = completed(await run([operator], [call(ramp(-2))]));
    assert.deepEqual(toFloats(calls[0]!.outputs[0]!.bytes).slice(0, 5), [0, 0, 0, 1, 2]);
  });

  it('writes device variables by their address', async () => {
    const symbol = { id: 2, bytes: 4, kind: 'symbol' as const, symbol: 'scale', name: 'scale' };
    const steps: PlanStep[] = [
      { kind: 'write', buffer: 2, byteOffset: 0, bytes: '00004040', line: 1 },
      launch('scaled'),
    ];
    const { calls } = completed(await run(steps, [call(ramp(0))], { buffers: [...plan([]).buffers, symbol] }));
    assert.deepEqual(toFloats(calls[0]!.outputs[0]!.bytes).slice(0, 3), [0, 3, 6]);
  });

  it('keeps device variables between calls unless a call resets them', async () => {
    const calls = [call(ramp(0)), call(ramp(0)), call(ramp(0), { resetGlobals: true })];
    const result = completed(await run([launch('counts_calls', { grid: [1, 1, 1], block: [32, 1, 1] })], calls));
    assert.deepEqual(
      result.calls.map(({ outputs }) => toFloats(outputs[0]!.bytes)[0]),
      [0, 1, 0],
    );
  });

  it('names arguments that were changed', async () => {
    const { calls } = completed(await run([launch('changes_x'), launch('twice')]));
    assert.deepEqual(calls[0]!.changedInputs, [{ argument: 0, firstByte: 30 }]);
  });

  it('lets no write next to a buffer pass', async () => {
    const result = await run([launch('one_past_the_end', { line: 42 })]);
    assert.equal(result.status, 'faulted', JSON.stringify(result));
    assert.match(
      (result as { message: string }).message,
      /one_past_the_end \(launched on line 42\) wrote past the end of y \(1,200 bytes\), at byte 1200/,
    );
  });

  it('survives a kernel that ends its context', async () => {
    const result = await run([launch('twice'), launch('far_away', { line: 9 })], [call(ramp(0)), call(ramp(1))]);
    assert.equal(result.status, 'faulted', JSON.stringify(result));
    assert.equal((result as Extract<RunResult, { status: 'faulted' }>).findings[0]!.kind, 'out-of-bounds');
    assert.match((result as { message: string }).message, /^far_away \(launched on line 9\): The GPU reports/);
    await worksAfterwards(await device());
  });

  it('stops a kernel that never ends, and starts again', async () => {
    const on = await device();
    const never = { ...limits, milliseconds: 4000 };
    const result = await on.run({ plan: plan([launch('forever')]), build, calls: [call(ramp(0))], limits: never });
    assert.deepEqual({ ...result, message: '' }, { status: 'exceeded', limit: 'time', message: '' });
    await worksAfterwards(on);
  });

  it('says when the memory is too small, before and after the driver does', async () => {
    const large = plan([launch('nothing')], {
      buffers: [...plan([]).buffers, { id: 2, bytes: 2e8, kind: 'workspace', name: 'large' }],
    });
    const on = await device();
    const before = await on.run({ plan: large, build, calls: [call(ramp(0))], limits });
    assert.match(JSON.stringify(before), /needs 200.002 MB of device memory; the limit is 100 MB/);
    const small = await open({ ASSAY_FAKE_MEMORY_MIB: '100' });
    const result = await small.run({
      plan: large,
      build,
      calls: [call(ramp(0))],
      limits: { ...limits, memoryBytes: 1e9 },
    });
    assert.deepEqual([result.status, (result as { limit?: string }).limit], ['exceeded', 'memory']);
    await worksAfterwards(small);
  });

  it('takes machine code where it fits, PTX where it does not, and says what is wrong with PTX', async () => {
    const elf = { ...build, cubin: Buffer.from('\x7fELF').toString('base64') };
    const on = await device();
    completed(await on.run({ plan: plan([launch('twice')]), build: elf, calls: [call(ramp(0))], limits }));
    const bad = { ...build, ptx: '.version 7.0\n.target sm_70\n.address_size 64\n.visible .entry broken( {' };
    const result = await on.run({ plan: plan([launch('broken')]), build: bad, calls: [call(ramp(0))], limits });
    assert.equal(result.status, 'unsupported');
    assert.match((result as { message: string }).message, /PTX cannot be assembled.*compiler says/);
  });

  it('says what to do where there is no driver', async () => {
    const missing = { gpu: 0, fake: { library: '/nonexistent/libcuda.so.1' } };
    await assert.rejects(createCudaDevice(missing), /cannot be loaded.*Install the NVIDIA driver/);
  });

  it('gives back all it took', async () => {
    for (const each of devices) await each.close();
    const done = readFileSync(log, 'utf8')
      .split('\n')
      .filter((line) => line.endsWith(' 0'));
    const times = (name: string) => done.filter((line) => line.startsWith(`${name} `)).length;
    // Processes that were killed or whose context broke give back nothing themselves.
    assert.ok(times('cuMemAlloc_v2') > 20);
    assert.ok(times('cuMemFree_v2') > 20);
  });
});
