/**
 * Windows over the fake driver, in this process: what is timed with a plan, what is verified, that kernels which answer from memory, by count or by luck are
 * seen in the window, and that an error of any call of the driver leaves nothing behind.
 */
import assert from 'node:assert/strict';
import { after, afterEach, describe, it } from 'node:test';
import type { Plan, PlanStep } from '../../../kernel/index.ts';
import type { RunLimits } from '../../types.ts';
import { Driver } from '../driver/driver.ts';
import { CudaError } from '../driver/errors.ts';
import { cudaFunctions } from '../driver/functions.ts';
import { buildFakeDriver, cCompiler } from '../fake/build-fake.ts';
import { attachFakeGpu } from '../fake/fake-gpu.ts';
import { CudaGpu } from '../gpu.ts';
import { build, call, count, launch, plan, ramp, toFloats, vector } from '../kernels.fixture.ts';
import { runPlan } from '../run-plan.ts';
import type { CallOperands } from './operands.ts';
import { TimingSession } from './session.ts';

const compiler = cCompiler();
const skip = compiler ? false : 'there is no C compiler for the fake CUDA driver';
const limits: RunLimits = { milliseconds: 60_000, instructions: 1e9, memoryBytes: 1e8, printBytes: 2000 };

describe('windows over the fake driver', { skip }, async () => {
  const fake = compiler ? await buildFakeDriver(compiler) : undefined;
  after(() => fake?.remove());
  const driver = fake && new Driver(fake.library);
  if (driver) attachFakeGpu(driver);
  process.env.ASSAY_FAKE_L2_KIB = '16';
  const live = driver?.extra('assay_fake_live', 'int64_t', []) ?? (() => 0);
  const restart = driver?.extra('assay_fake_restart', 'void', []) ?? (() => undefined);
  afterEach(() => {
    delete process.env.ASSAY_FAKE_FAULTS;
    restart();
  });

  const secrets = (n: number) => ({ key: [n, n + 1] as const, poison: [n + 2, n + 3] as const });
  const operands = (calls: number): CallOperands[] =>
    Array.from({ length: calls }, (_, i) => ({
      base: 0,
      renewals: [{ argument: 0, byteOffset: 4 * i, bytes: ramp(1000 * i).slice(0, 8) }],
    }));
  const bytesOf = ({ renewals }: CallOperands) => {
    const bytes = ramp(0);
    for (const renewal of renewals) bytes.set(renewal.bytes, renewal.byteOffset);
    return toFloats(bytes);
  };
  const symbol = { id: 2, bytes: 4, kind: 'symbol' as const, symbol: 'scale', name: 'scale' };
  /** Its second launch overwrites what the first has written with another scale. */
  const withVariable = plan(
    [
      launch('scaled'),
      { kind: 'write', buffer: 2, byteOffset: 0, bytes: '00004040', line: 1 },
      launch('scaled', { grid: [1, 1, 1] }),
    ],
    { buffers: [...plan([]).buffers, symbol] },
  );

  /** A window of three calls of a plan, on a GPU of its own. */
  const window = (of: Plan, work: 'calls' | 'null' = 'calls', { use = build } = {}) => {
    const gpu = new CudaGpu(driver!, 0);
    try {
      const session = new TimingSession(gpu, undefined);
      const [probe] = operands(1);
      const prepared = session.prepare({
        timed: { plan: of, build: use },
        bases: [[ramp(0)]],
        mostCalls: 4,
        probe: { operands: probe!, secrets: secrets(5) },
      });
      assert.equal(prepared.status, 'ready', JSON.stringify(prepared));
      const request = { instance: 0 as const, work, operands: operands(3), keep: [0, 2], ownProcesses: 1 };
      const first = session.window({ ...request, secrets: secrets(10) });
      const second = session.window({ ...request, instance: 1, secrets: secrets(20) });
      return { prepared: prepared as Extract<typeof prepared, { status: 'ready' }>, first, second };
    } finally {
      gpu.close();
    }
  };

  it('bring back what the timed calls gave', () => {
    const { first, second, prepared } = window(plan([launch('twice')]));
    assert.equal(prepared.repeatable, true);
    for (const { kept, different, changed } of [first, second]) {
      assert.deepEqual([different, changed], [[], []]);
      const [zero, , two] = operands(3).map(bytesOf);
      assert.deepEqual(
        kept.map((outputs) => toFloats(outputs[0]!)),
        [zero!.map((x) => 2 * x), two!.map((x) => 2 * x)],
      );
    }
    assert.equal(live(), 0);
  });

  it('time the fills, strided copies and writes of the host function', () => {
    const steps: PlanStep[] = [
      { kind: 'fill', tensor: vector(1, { shape: [count / 2], strides: [2] }), bytes: '0000803f', line: 1 },
      { kind: 'fill', tensor: vector(1, { shape: [count / 2], strides: [2], offset: 1 }), bytes: '00004040', line: 1 },
      {
        kind: 'copy',
        from: vector(0, { shape: [10] }),
        to: vector(1, { shape: [10], strides: [3], offset: 1 }),
        line: 2,
      },
      { kind: 'fill', tensor: vector(1, { shape: [200], offset: 100 }), bytes: '00000040', line: 3 },
      { kind: 'copy', from: vector(0, { shape: [4] }), to: vector(1, { shape: [4], offset: 60 }), line: 2 },
      { kind: 'write', buffer: 1, byteOffset: 8, bytes: '00002041', line: 4 },
    ];
    const { first } = window(plan(steps));
    assert.deepEqual([first.different, first.changed], [[], []]);
    const [x, y] = [bytesOf(operands(3)[2]!), toFloats(first.kept[1]![0]!)];
    assert.deepEqual([y[1], y[2], y[4], y[7], y[28]], [x[0], 10, x[1], x[2], x[9]]);
    assert.deepEqual([y[0], y[30], y[31], y[33]], [1, 1, 3, 3]);
    assert.deepEqual(y.slice(60, 64), x.slice(0, 4));
    assert.ok(
      y.slice(100).every((value) => value === 2),
      y.join(' '),
    );
    assert.equal(live(), 0);
  });

  it('gather outputs that are not contiguous', () => {
    const { first } = window(plan([launch('twice')], { outputs: [vector(1, { shape: [count / 2], strides: [2] })] }));
    assert.deepEqual(first.different, []);
    const x = bytesOf(operands(1)[0]!);
    assert.deepEqual(
      toFloats(first.kept[0]![0]!),
      x.filter((_, i) => i % 2 === 0).map((value) => 2 * value),
    );
  });

  it('start with device variables as the code has them', () => {
    const { first, second } = window(withVariable);
    // The second call finds the variable as the first left it: 3 where the code has 2.
    for (const { different } of [first, second]) assert.deepEqual(different, [1, 2]);
  });

  for (const [what, entry, expected] of [
    ['leaves elements out', 'even_elements', { different: [0, 1, 2], changed: [] }],
    ['changes its inputs', 'changes_x', { different: [0, 1, 2], changed: [0, 1, 2] }],
    ['counts its calls', 'counts_calls', { different: [1, 2], changed: [] }],
  ] as const) {
    it(`see a kernel that ${what}`, () => {
      const { first } = window(plan([launch(entry, { grid: [3, 1, 1] })]));
      assert.deepEqual({ different: first.different, changed: first.changed }, expected);
    });
  }

  it('of null plans write nothing, and take less time', () => {
    const nothing = window(plan([launch('twice')]), 'null').first;
    assert.deepEqual([nothing.different, nothing.changed, nothing.kept], [[], [], []]);
    const calls = window(plan([launch('twice')])).first;
    assert.ok(nothing.deviceMicroseconds < calls.deviceMicroseconds, JSON.stringify([nothing, calls]));
  });

  it('show a device clock that lies beside the host clock', () => {
    const honest = window(plan([launch('twice')])).first;
    assert.ok(honest.deviceMicroseconds < honest.hostMicroseconds, JSON.stringify(honest));
    assert.ok(honest.hostMicroseconds < 5 * honest.deviceMicroseconds, JSON.stringify(honest));
    process.env.ASSAY_FAKE_FAULTS = 'cuEventElapsedTime:0:lie';
    const lies = window(plan([launch('twice')])).first;
    assert.ok(lies.hostMicroseconds > 5 * lies.deviceMicroseconds, JSON.stringify(lies));
  });

  it('refuse what needs the host in between, by its line', () => {
    const convert: PlanStep = { kind: 'copy', from: vector(0), to: vector(1, { dtype: 'float16' }), line: 12 };
    assert.throws(() => window(plan([convert])), /Line 12 converts float32 to float16.*cannot be timed/);
  });

  it('are not to be had without a GPU, or of one that is not there', () => {
    process.env.ASSAY_FAKE_FAULTS = 'cuInit:1:100';
    restart();
    assert.throws(() => new Driver(fake!.library), /no GPU that CUDA can use.*nvidia-smi/);
    assert.throws(() => new CudaGpu(driver!, 3), /no GPU of this number.*nvidia-smi -L/);
  });

  for (const [entry, kind] of [
    ['far_away', 'out-of-bounds'],
    ['misaligned', 'misaligned'],
    ['traps', 'trap'],
  ] as const) {
    it(`have no sense after a fault, which a run names: ${entry}`, () => {
      const gpu = new CudaGpu(driver!, 0);
      const steps = [launch('twice'), launch(entry, { line: 9 })];
      const { result, usable } = runPlan(
        { gpu, printed: () => '' },
        { plan: plan(steps), build, calls: [call(ramp(0))], limits },
      );
      gpu.close();
      assert.equal(usable, false);
      assert.equal(result.status === 'faulted' && result.findings[0]!.kind, kind, JSON.stringify(result));
      assert.match(
        result.status === 'faulted' ? result.message : '',
        new RegExp(`^${entry} \\(launched on line 9\\): The GPU reports`),
      );
    });
  }

  describe('with an error injected', () => {
    const steps: PlanStep[] = [
      { kind: 'fill', tensor: vector(1, { shape: [count / 2], strides: [2] }), bytes: '0000803f', line: 1 },
      { kind: 'fill', tensor: vector(1, { shape: [8] }), bytes: '0000803f', line: 1 },
      { kind: 'write', buffer: 1, byteOffset: 8, bytes: '00002041', line: 4 },
      launch('through_shared', { dynamicSharedBytes: 512 }),
    ];
    /** Calls whose failure is passed over: they only tidy up. Freeing that fails leaves what it would have freed. */
    const tidying = /Destroy|Unload|Free|Release/;
    const unused = ['cuGetErrorName', 'cuGetErrorString', 'cuDeviceGetCount', 'cuFuncGetAttribute'];
    const used = Object.keys(cudaFunctions).filter((name) => !unused.includes(name) && name !== 'cuInit');

    for (const name of used) {
      it(`into ${name}: the window or the run says so, and nothing is left`, () => {
        let failures = 0;
        for (const nth of [1, 3]) {
          // 46: the device is not available, an error that any call may give.
          process.env.ASSAY_FAKE_FAULTS = `${name}:${nth}:46`;
          restart();
          try {
            window(name === 'cuModuleGetGlobal_v2' ? withVariable : plan(steps));
          } catch (error) {
            assert.ok(error instanceof CudaError, String(error));
            assert.match(error.message, /in use by another program.*nvidia-smi/);
            failures++;
          }
          if (!tidying.test(name)) assert.equal(live(), 0, `${live()} left by call ${nth}`);
        }
        const inRuns = /cuMemsetD8Async|cuMemsetD16Async|cuMemcpyDtoH_v2/.test(name);
        if (!tidying.test(name) && !inRuns) assert.ok(failures > 0, 'the call was never made');
      });
    }

    for (const name of used.filter((each) =>
      /Module|Func|Mem(Alloc_|Free_|cpy.*_v2|set)|Launch|StreamSync/.test(each),
    )) {
      it(`into ${name}: a run ends with a result, and nothing is left`, () => {
        for (const [nth, code] of [
          [1, 2],
          [1, 46],
          [1, 701],
          [5, 46],
        ] as const) {
          process.env.ASSAY_FAKE_FAULTS = `${name}:${nth}:${code}`;
          restart();
          const gpu = new CudaGpu(driver!, 0);
          const run = { plan: plan(steps), build, calls: [call(ramp(0))], limits };
          const { result } = runPlan({ gpu, printed: () => '' }, run);
          gpu.close();
          const expected = {
            2: 'exceeded',
            46: 'crashed',
            701: name === 'cuLaunchKernelEx' ? 'faulted' : result.status,
          };
          if (result.status !== 'completed') assert.equal(result.status, expected[code], JSON.stringify(result));
          if (!tidying.test(name)) assert.equal(live(), 0, `${live()} left by call ${nth} with ${code}`);
        }
      });
    }

    it('that sticks: the context is given up, and the process is no longer usable', () => {
      for (const code of [700, 716, 719]) {
        process.env.ASSAY_FAKE_FAULTS = `cuStreamSynchronize:4:${code}`;
        restart();
        const gpu = new CudaGpu(driver!, 0);
        const run = runPlan({ gpu, printed: () => '' }, { plan: plan(steps), build, calls: [call(ramp(0))], limits });
        gpu.close();
        assert.equal(run.usable, false);
        assert.ok(run.result.status === 'faulted' || run.result.status === 'crashed', JSON.stringify(run.result));
      }
    });
  });
});
