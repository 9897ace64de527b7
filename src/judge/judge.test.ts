/** The judge's logic, on a device in plain JavaScript: which check rejects what, in which words. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RunResult } from '../device/index.ts';
import { type AssayEvent, EventStream } from '../events/index.ts';
import type { PreparedCandidate } from '../kernel/index.ts';
import type { Graph, HostTensor } from '../task/index.ts';
import { byRow, f, fastExp, onlineSoftmaxRow, pairwise, sequential, softmaxRow } from './honest-kernels.fixture.ts';
import { judgePrepared } from './judge.ts';
import {
  COLUMNS,
  candidate,
  FakeDevice,
  type FakeKernel,
  honest,
  ROWS,
  rowOracle,
  task,
  write,
} from './row-task.fixture.ts';
import { commit, sourceHash } from './seeds.ts';
import { createOracle } from './task-oracle.ts';
import { planCalls } from './trial.ts';
import type { Verdict } from './types.ts';

const limits = { milliseconds: 1000, instructions: 1e9, memoryBytes: 1e9, printBytes: 1e6 };
const exp = (x: number) => f(Math.exp(x));

function verdictOn(
  device: FakeDevice,
  prepared: PreparedCandidate = candidate,
  oracle = rowOracle(),
): Promise<Verdict> {
  return judgePrepared({ task, device, gpu: 'h100', limits, oracle }, prepared);
}

const on = (kernel: FakeKernel) => verdictOn(new FakeDevice(kernel));

test('the call whose inputs are partly new follows one on inputs that show it, whatever the secret chooses', () => {
  const families = ['as-written', 'normal', 'denormal', 'constant-lines', 'small-integers', 'mixture'];
  for (const effort of ['light', 'full'] as const) {
    const last = Array.from({ length: 40 }, () => {
      const plans = planCalls({ families, effort, revealing: [] }, commit(['0'.repeat(64)]));
      return plans.at(-1)!.family;
    });
    assert.deepEqual(new Set(last), new Set([effort === 'light' ? 'small-integers' : 'as-written']));
  }
});

test('candidates frozen together: inputs are drawn and references computed for the first alone', async () => {
  const oracle = createOracle(task);
  const evaluated: Graph[] = [];
  const { evaluate, draw } = oracle;
  oracle.evaluate = (graph, inputs) => {
    evaluated.push(graph);
    return evaluate.call(oracle, graph, inputs);
  };
  const drawn = new Set<readonly HostTensor[]>();
  oracle.draw = (family, seed) => {
    const inputs = draw.call(oracle, family, seed);
    drawn.add(inputs);
    return inputs;
  };
  const commitment = commit([candidate.sourceHash]);
  const judgeOnce = () =>
    judgePrepared({ task, device: new FakeDevice(honest), gpu: 'h100', limits, oracle, commitment }, candidate);
  assert.equal((await judgeOnce()).outcome, 'correct');
  const references = () => evaluated.filter((graph) => graph === task.graph).length;
  const [once, sets] = [references(), drawn.size];
  assert.ok(once >= 10, `${once} references`);
  for (let again = 0; again < 3; again++) assert.equal((await judgeOnce()).outcome, 'correct');
  // What NaN and infinities become is evaluated each time, once, and has no tolerance.
  assert.equal(references(), once + 3);
  assert.equal(drawn.size, sets);
});

describe('honest kernels', () => {
  const kernels: Record<string, FakeKernel> = {
    'warp shuffles': honest,
    online: (memory) =>
      write(
        memory,
        byRow(memory.x, COLUMNS, (row) => onlineSoftmaxRow(row, exp)),
      ) as undefined,
    'one thread a row': (memory) =>
      write(
        memory,
        byRow(memory.x, COLUMNS, (row) => softmaxRow(row, sequential, exp)),
      ) as undefined,
    __expf: (memory) =>
      write(
        memory,
        byRow(memory.x, COLUMNS, (row) => softmaxRow(row, pairwise, fastExp)),
      ) as undefined,
  };
  for (const [name, kernel] of Object.entries(kernels)) {
    test(`${name}: correct`, async () => {
      const verdict = await on(kernel);
      assert.equal(verdict.outcome, 'correct', verdict.reason);
      assert.equal(
        verdict.checks.some(({ check }) => check === 'values'),
        true,
      );
      assert.equal(verdict.admission?.score, 1);
    });
  }
});

describe('wrong kernels are rejected by the check that should', () => {
  const cases: [string, FakeKernel, string, RegExp][] = [
    [
      'only row 0 is computed',
      (memory) => {
        memory.out.set(softmaxRow(memory.x.slice(0, COLUMNS), sequential, exp));
        memory.written.fill(1, 0, COLUMNS);
        return undefined;
      },
      'every-output-written',
      /1,440 of 1,536 outputs were never written: only row 0 has values \(first missing: out\[1\]\[0\]\)\. The launch of softmax_kernel on line 9 has an extent of 1 in y .* blockIdx\.y/,
    ],
    ['nothing at all', () => undefined, 'every-output-written', /no element of out has a value/],
    [
      'zeros',
      (memory) => write(memory, new Float64Array(ROWS * COLUMNS)) as undefined,
      'values',
      /Every element is 0\./,
    ],
    ['a copy', (memory) => write(memory, memory.x) as undefined, 'values', /copy of the input `x`/],
    [
      'the last column left out of the sum',
      (memory) =>
        write(
          memory,
          byRow(memory.x, COLUMNS, (row) => softmaxRow(row, (t) => sequential(t.subarray(0, COLUMNS - 1)), exp)),
        ) as undefined,
      'values',
      /1,536 of 1,536 outputs are wrong in call 0/,
    ],
    [
      'no maximum subtracted',
      (memory) =>
        write(
          memory,
          byRow(memory.x, COLUMNS, (row) => {
            const powers = row.map((x) => exp(x));
            const total = sequential(powers);
            return powers.map((p) => f(p / total));
          }),
        ) as undefined,
      'values',
      /inputs: (shifted|large).*NaN/,
    ],
    [
      'an input overwritten',
      (memory) => {
        honest(memory);
        memory.x[100] = 7;
        return undefined;
      },
      'inputs-unchanged',
      /input `x` was overwritten .* first at x\[1\]\[4\]/,
    ],
    [
      'the first answer cached in a device global',
      (memory) => {
        const cached = memory.globals.get('answer');
        if (cached) write(memory, cached);
        else {
          honest(memory);
          memory.globals.set('answer', memory.out.slice());
        }
        return undefined;
      },
      'calls-independent',
      /Call 3 returns the answer of call 2, though its inputs are new/,
    ],
    [
      'a counter that goes wrong after the second call',
      (memory) => {
        honest(memory);
        const counter = memory.globals.get('n') ?? new Float64Array(1);
        memory.globals.set(
          'n',
          counter.map((n) => n + 1),
        );
        if (counter[0]! >= 2) memory.out[5] = 0.5;
        return undefined;
      },
      'calls-independent',
      /right answer when it is made alone/,
    ],
    [
      'stale memory added in',
      (memory) => {
        const stale = memory.out[0]!;
        honest(memory);
        memory.out[0] = f(memory.out[0]! * (1 + stale * 2 ** -119));
        return undefined;
      },
      'poison-independent',
      /1 output \(row 0, column 0\) depend on what the memory held/,
    ],
    [
      'one element off by 1e-3',
      (memory) => {
        honest(memory);
        memory.out[777] = f(memory.out[777]! * 1.001);
        return undefined;
      },
      'values',
      /1 of 1,536 outputs is wrong in call 0 .*row 8, column 9; out\[8\]\[9\] is/,
    ],
    [
      'twice the answer',
      (memory) => {
        honest(memory);
        memory.out.forEach((v, i) => {
          memory.out[i] = 2 * v;
        });
        return undefined;
      },
      'values',
      /Every wrong element is 2 times what it should be/,
    ],
    [
      'an access out of bounds',
      () => [
        {
          kind: 'out-of-bounds',
          message: 'softmax_kernel read 4 bytes past the end of x.',
          kernel: 'softmax_kernel',
          source: { file: 'candidate.cu', line: 2 },
          ptxLine: 3,
          instruction: 'ld.global.f32',
          count: 12,
        },
      ],
      'device-findings',
      /past the end of x \(12 times\)\. Line 2: `out\[blockIdx\.y\] = x\[threadIdx\.x\];`\. Guard the access/,
    ],
  ];
  for (const [name, kernel, check, reason] of cases) {
    test(name, async () => {
      const verdict = await on(kernel);
      assert.equal(verdict.outcome, 'rejected', verdict.reason);
      assert.equal(verdict.check, check, verdict.reason);
      assert.match(verdict.reason, reason);
      assert.equal(verdict.checks.at(-1)?.check, check);
    });
  }

  test('a wrong output shape, before anything runs', async () => {
    const device = new FakeDevice(honest);
    const plan = { ...candidate.plan, outputs: [{ ...candidate.plan.outputs[0]!, shape: [ROWS] }] };
    const verdict = await verdictOn(device, { ...candidate, plan });
    assert.equal(verdict.check, 'output-shape');
    assert.match(verdict.reason, /shape \[16\], but the task returns shape \[16, 96\]/);
    assert.equal(device.requests.length, 0);
  });
});

describe('the protocol', () => {
  test('inputs differ in every call that says so, and poison differs', async () => {
    const device = new FakeDevice(honest);
    const verdict = await verdictOn(device);
    const sequence = device.requests[1]!.calls;
    const first = device.requests[0]!.calls[0]!;
    assert.deepEqual(sequence[0]!.inputs, first.inputs);
    assert.notEqual(sequence[0]!.poisonSeed, first.poisonSeed);
    const later = sequence.slice(2).map(({ inputs }) => Buffer.from(inputs[0]!).toString('hex'));
    assert.equal(new Set(later).size, later.length);
    assert.equal(later.length, verdict.calls.length - 3);
    assert.equal(
      sequence.slice(2).every((call) => !call.resetGlobals),
      true,
    );
    assert.equal(new Set(sequence.slice(2).map((call) => call.freshMemory)).size, 2);
  });

  test('two judgements of one candidate see other inputs; given seeds give the same', async () => {
    const inputsOf = async (secret?: string) => {
      const device = new FakeDevice(honest);
      const commitment = commit([candidate.sourceHash], secret);
      await judgePrepared({ task, device, gpu: 'h100', limits, oracle: rowOracle(), commitment }, candidate);
      return Buffer.from(device.requests[0]!.calls[0]!.inputs[0]!).toString('hex');
    };
    assert.notEqual(await inputsOf(), await inputsOf());
    assert.equal(await inputsOf('ab'.repeat(32)), await inputsOf('ab'.repeat(32)));
  });

  test('seeds that were drawn without the candidate are refused', async () => {
    const request = { task, device: new FakeDevice(honest), gpu: 'h100', limits, oracle: rowOracle() };
    await assert.rejects(
      judgePrepared({ ...request, commitment: commit([sourceHash('another')]) }, candidate),
      /before this candidate was frozen/,
    );
  });

  const endings: [string, RunResult, Verdict['outcome'], RegExp][] = [
    [
      'instructions',
      { status: 'exceeded', limit: 'instructions', message: 'softmax was stopped.' },
      'rejected',
      /stopped/,
    ],
    ['time', { status: 'exceeded', limit: 'time', message: 'Stopped after 1 s.' }, 'unjudgeable', /--scale/],
    ['an unsupported instruction', { status: 'unsupported', message: 'line 7: wgmma' }, 'unjudgeable', /wgmma/],
    ['a crash', { status: 'crashed', message: 'SIGSEGV' }, 'unjudgeable', /not a verdict/],
  ];
  for (const [name, result, outcome, reason] of endings) {
    test(`a run that ends by ${name} is ${outcome}`, async () => {
      const device = new FakeDevice(honest, result);
      const verdict = await verdictOn(device);
      assert.equal(verdict.outcome, outcome);
      assert.match(verdict.reason, reason);
      // A crash is tried twice.
      assert.equal(device.requests.length, result.status === 'crashed' ? 2 : 1);
    });
  }

  test('an operator that no inputs show is named, and nothing is claimed of it', async () => {
    const events = new EventStream();
    const heard: AssayEvent[] = [];
    events.subscribe((event) => heard.push(event));
    const oracle = rowOracle({ undetectable: true });
    const verdict = await judgePrepared(
      { task, device: new FakeDevice(honest), gpu: 'h100', limits, oracle, events },
      candidate,
    );
    assert.equal(verdict.outcome, 'correct');
    assert.match(verdict.reason, /cannot see `add`/);
    assert.equal(verdict.admission?.score, 1);
    assert.deepEqual(
      verdict.admission?.equivalent.map(({ id, by }) => [id, by]),
      [['none', 'proof']],
    );
    assert.equal(
      heard.some((event) => event.type === 'task.degenerate' && event.operator === 'add'),
      true,
    );
  });

  test('a task that draws random numbers is not judged', async () => {
    const node = {
      op: 'dropout',
      inputs: [1],
      attributes: { p: 0.5 },
      outputs: [{ id: 2, spec: task.signature.outputs[0]! }],
      line: 5,
    };
    const random = { ...task, graph: { ...task.graph, nodes: [...task.graph.nodes, node], outputs: [2] } };
    const verdict = await judgePrepared(
      { task: random, device: new FakeDevice(honest), gpu: 'h100', limits, oracle: rowOracle() },
      candidate,
    );
    assert.equal(verdict.outcome, 'unjudgeable');
    assert.match(verdict.reason, /dropout on line 5/);
  });

  test('fmaxf and NaN: remarked, not rejected', async () => {
    const verdict = await on((memory) => {
      honest(memory);
      memory.out.forEach((v, i) => {
        memory.out[i] = Number.isNaN(v) ? 0 : v;
      });
      return undefined;
    });
    assert.equal(verdict.outcome, 'correct');
    const answer = verdict.checks.find(({ check }) => check === 'nan-and-infinity')?.answer;
    assert.match(answer?.status === 'passed' ? (answer.remark ?? '') : '', /not treated as PyTorch/);
  });
});
