import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { loadTask, type Task } from '../../../task/index.ts';
import { DeviceCheck, skipWithoutCompiler } from '../device-check.fixture.ts';
import { plainChoice, startingChoices } from '../first-choices.ts';
import { GraphBuilder } from '../graph.fixture.ts';
import { groupFacts, illegal } from '../knobs.ts';
import { decompose, type KernelChoice, lowerOutline, outline } from './index.ts';

/** A task whose forward is these lines over these inputs. */
function source(inputs: Readonly<Record<string, string>>, ...body: string[]): string {
  return `import torch
import torch.nn as nn
import torch.nn.functional as F

class Model(nn.Module):
    def forward(self, ${Object.keys(inputs).join(', ')}):
${body.map((line) => `        ${line}`).join('\n')}

def get_inputs():
    return [${Object.values(inputs).join(', ')}]

def get_init_inputs():
    return []
`;
}

/** Four times a linear layer and its activation, all of one shape. */
function repeatedBlocks(): Task {
  const graph = new GraphBuilder();
  let x = graph.input([16, 24]);
  for (let k = 0; k < 4; k++) x = graph.op('tanh', [graph.op('linear', [x, graph.input([24, 24])], { bias: false })]);
  return graph.task([x]);
}

/** Six steps of a recurrence, each of which takes its slice of the input. */
function stepsOverSlices(features: number): Task {
  const graph = new GraphBuilder();
  const x = graph.input([6, 4, features]);
  const weight = graph.input([features, 2 * features]);
  let h = graph.input([4, features]);
  for (let t = 0; t < 6; t++) {
    const slice = graph.op('select', [x], { dim: 0, index: t });
    const both = graph.op('cat', [graph.op('exp', [slice]), h], { dim: 1 });
    h = graph.op('add', [graph.op('tanh', [graph.op('linear', [both, weight], { bias: false })]), slice]);
  }
  return graph.task([h]);
}

type Pick = (facts: ReturnType<typeof groupFacts>) => KernelChoice;
const best: Pick = (facts) => startingChoices(facts)[0]!;

function lower(task: Task, fusion: 'operator' | 'fused', pick: Pick) {
  const made = outline(decompose(task.graph, task.signature), { fusion, splits: {} });
  const choices = made.groups.map(({ group, stored }) => pick(groupFacts(made.program, group, stored)));
  return { kernels: made.groups.length, text: lowerOutline(task, made, choices) };
}

describe('lowering', () => {
  it('makes one kernel of a normalisation written in six operators, and six of it operator by operator', () => {
    // x * rsqrt(mean(x^2) + eps) * w
    const graph = new GraphBuilder();
    const [x, w] = [graph.input([64, 128]), graph.input([128])];
    const mean = graph.op('mean', [graph.op('pow', [x], { other: 2, reverse: false })], { dims: [1], keepdim: true });
    const root = graph.op('rsqrt', [graph.op('add', [mean], { other: 1e-6, reverse: false })]);
    const task = graph.task([graph.op('mul', [graph.op('mul', [x, root]), w])]);
    assert.equal(lower(task, 'fused', plainChoice).kernels, 1);
    assert.equal(lower(task, 'operator', plainChoice).kernels, 6);
  });

  it('keeps a normalisation of few rows in several kernels, so that blocks share the rows', () => {
    const graph = new GraphBuilder();
    const task = graph.task([graph.op('softmax', [graph.input([4, 4096])], { dim: 1 })]);
    assert.equal(lower(task, 'fused', plainChoice).kernels, 3);
  });

  it('joins a residual sum to the normalisation after it, and stores both', () => {
    const graph = new GraphBuilder();
    const sum = graph.op('add', [graph.input([64, 128]), graph.input([64, 128])]);
    const norm = graph.op('layer_norm', [sum], { normalized_shape: [128], eps: 1e-5, weight: false, bias: false });
    const { kernels, text } = lower(graph.task([norm, sum]), 'fused', plainChoice);
    assert.equal(kernels, 1);
    assert.match(text, /std::vector<torch::Tensor> forward/);
  });

  it('does bias and activation before a product is stored', () => {
    const graph = new GraphBuilder();
    const linear = graph.op('linear', [graph.input([64, 32]), graph.input([48, 32]), graph.input([48])], {
      bias: true,
    });
    const { kernels, text } = lower(graph.task([graph.op('relu', [linear])]), 'fused', best);
    assert.equal(kernels, 1);
    assert.match(text, /a_tile/);
  });

  it('does not compute an element once for each product it enters', () => {
    const graph = new GraphBuilder();
    const a = graph.op('exp', [graph.input([16, 32])]);
    const task = graph.task([graph.op('matmul', [a, graph.input([32, 16])])]);
    assert.equal(lower(task, 'fused', plainChoice).kernels, 2);
  });

  it('reads transposed and sliced tensors where they lie', () => {
    const graph = new GraphBuilder();
    const turned = graph.op('permute', [graph.input([6, 8])], { dims: [1, 0] });
    const slice = graph.op('slice', [turned], { dim: 0, start: 2, end: 5, step: 1 });
    assert.equal(lower(graph.task([graph.op('exp', [slice])]), 'fused', plainChoice).kernels, 1);
  });

  it('names an operator it cannot lower, with its line', () => {
    const graph = new GraphBuilder();
    const x = graph.op('add', [graph.input([4, 5])], { other: 1, reverse: false });
    const task = graph.task([graph.op('dropout', [x], { p: 0.5 })]);
    assert.throws(() => decompose(task.graph, task.signature), {
      name: 'LoweringError',
      kind: 'unsupported',
      message: /^cannot lower dropout \(line 2\): .*random/,
    });
  });

  it('writes a kernel that is launched several times once, and lets results share memory when they are dead', () => {
    const task = repeatedBlocks();
    const { kernels, text } = lower(task, 'operator', plainChoice);
    assert.equal(kernels, 8);
    assert.equal(text.match(/__global__/g)?.length, 2, text);
    assert.equal(text.match(/<<</g)?.length, 8, text);
    // Seven results on the way: the one being read, and the one being made.
    assert.equal(text.match(/auto buffer_\d+ = torch::empty/g)?.length, 2, text);
  });

  it('writes a kernel once that takes one slice of a tensor after another', () => {
    const { kernels, text } = lower(stepsOverSlices(7), 'operator', plainChoice);
    assert.equal(kernels, 30);
    assert.equal(text.match(/__global__/g)?.length, 5, text);
    assert.match(text, /x0\.data_ptr<float>\(\) \+ 140,/, 'the sixth slice begins at element 5 x 4 x 7');
  });

  it('refuses knobs that would make a wrong kernel', () => {
    const graph = new GraphBuilder();
    const task = graph.task([graph.op('softmax', [graph.input([40, 10])], { dim: 1 })]);
    const made = outline(decompose(task.graph, task.signature), { fusion: 'fused', splits: {} });
    const { group, stored } = made.groups[0]!;
    const facts = groupFacts(made.program, group, stored);
    const row = {
      family: 'row',
      lanes: 8,
      rows: 4,
      order: 'lanes',
      vector: 1,
      keep: 'reload',
      combine: 'shuffle',
      softmax: 'online',
      unroll: 1,
      patch: 1,
      cluster: 1,
      team: 1,
      room: 0,
    } as const;
    assert.equal(illegal(facts, row), undefined);
    assert.match(illegal(facts, { ...row, vector: 4 })!, /packs/);
    assert.match(illegal(facts, { ...row, rows: 2 })!, /whole warps/);
    assert.match(illegal(facts, { ...row, lanes: 64 })!, /lanes/);
    assert.match(illegal(facts, { ...row, order: 'rows' })!, /shuffles/);
    assert.match(illegal(facts, { ...row, lanes: 1024, rows: 4 })!, /threads/);
    assert.match(illegal(facts, { ...row, patch: 4 })!, /patches/);
  });
});

describe('lowered kernels on the virtual GPU', { skip: skipWithoutCompiler }, () => {
  let cacheDir = '';
  let check: DeviceCheck;
  before(async () => {
    cacheDir = await mkdtemp(join(tmpdir(), 'assay-lower-'));
    check = new DeviceCheck();
  });
  after(() => check.close());

  /** One file with many operators: one build for a direct translation, one for templates, of all kinds of kernel. */
  const cases: Readonly<Record<string, string>> = {
    'rows along and across memory': source(
      { x: 'torch.randn(5, 12, 7)', w: 'torch.randn(12)' },
      'a = x.softmax(1)',
      'b = F.log_softmax(x, dim=2) + x.logsumexp(2, keepdim=True)',
      'c = x.argmax(1)',
      'd = x.var(0)',
      'e = F.group_norm(x, 3, w, w) * x.norm()',
      'return a, b, c, d, e, x.amin((0, 2))',
    ),
    'products in every layout': source(
      {
        a: 'torch.randn(37, 29)',
        b: 'torch.randn(29, 41)',
        q: 'torch.randn(3, 1, 17, 12)',
        k: 'torch.randn(2, 17, 12)',
      },
      'return (a @ b).tril(), b.t() @ a.t(), (q @ k.transpose(1, 2)).softmax(-1), F.gelu(F.linear(q, k[0]))',
    ),
    'losses, gathers and windows': source(
      {
        x: 'torch.randn(10, 6)',
        t: 'torch.randint(0, 6, (10,))',
        i: 'torch.randn(2, 4, 9, 8)',
        w: 'torch.randn(6, 2, 3, 3)',
      },
      'c = F.conv2d(i, w, stride=2, padding=1, groups=2).relu()',
      'p = F.max_pool2d(i, 3, 2, 1)',
      's = F.one_hot(t, 6) + torch.cat([x, x.flip(1)], 0)[:10].floor().long()',
      'return F.cross_entropy(x, t, label_smoothing=0.1), F.mse_loss(x, x.roll(1, 0)), c, p, s',
    ),
  };
  it('folds of what is one element already', async () => {
    const graph = new GraphBuilder();
    const over = { dims: [1], keepdim: true };
    const sum = graph.op('sum', [graph.input([6, 40])], over);
    const mean = graph.op('mean', [graph.op('max', [sum], over)], over);
    const task = graph.task([graph.op('logsumexp', [graph.op('logsumexp', [mean], over)], over)]);
    await check.matches(task, lower(task, 'fused', best).text);
  });
  it('a product with a constant', async () => {
    const text = source(
      { x: 'torch.randn(5, 12)', w: 'torch.randn(16, 12)' },
      'h = torch.zeros(5, 12)',
      'return F.linear(x, w) + F.linear(h + 1, w), x @ torch.full((12, 16), 0.5)',
    );
    const task = await loadTask({ name: 'constant', source: text }, { cacheDir });
    await check.matches(task, lower(task, 'fused', best).text);
  });
  it('shared kernels and buffers', async () => {
    const task = repeatedBlocks();
    await check.matches(task, lower(task, 'operator', plainChoice).text);
    await check.matches(task, lower(task, 'fused', best).text);
    // Slices that begin anywhere, read one by one; and slices that packs may be read from.
    const [odd, even] = [stepsOverSlices(7), stepsOverSlices(8)];
    await check.matches(odd, lower(odd, 'operator', plainChoice).text);
    await check.matches(even, lower(even, 'fused', best).text);
  });
  for (const [name, text] of Object.entries(cases)) {
    it(name, async () => {
      const task = await loadTask({ name: 'test', source: text }, { cacheDir });
      await check.matches(task, lower(task, 'operator', plainChoice).text);
      await check.matches(task, lower(task, 'fused', best).text);
    });
  }
});
