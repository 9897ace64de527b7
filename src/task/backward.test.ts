/** A task's backward: what it takes and gives, what it leaves out, what it refuses. Values are held to PyTorch in trace.test.ts. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { drawArguments, inputFamilies } from './inputs/draw.ts';
import { evaluateGraph } from './operators/evaluate.ts';
import { loadTask } from './task.ts';
import { TaskError } from './trace/task-error.ts';
import { testCache } from './trace/test-cache.ts';
import type { HostTensor } from './types.ts';

const file = (init: string, forward: string, inputs = 'torch.randn(6, 8)') => `import torch
import torch.nn as nn
import torch.nn.functional as F

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        ${init || 'pass'}

    def forward(self, x, target=None):
        ${forward}

def get_inputs():
    return [${inputs}]

def get_init_inputs():
    return []
`;

describe('the backward of a task', () => {
  let cacheDir = '';
  before(async () => {
    cacheDir = await testCache();
  });
  after(() => rmSync(cacheDir, { recursive: true, force: true }));
  const load = (source: string, options: { scale?: number } = {}) =>
    loadTask({ name: 'net', source }, { cacheDir, backward: true, ...options });
  const refusal = async (source: string): Promise<TaskError> => {
    const error = await load(source).then(
      () => assert.fail('it was not refused'),
      (e: unknown) => e,
    );
    assert.ok(error instanceof TaskError, String(error));
    return error;
  };

  test('takes the gradients of outputs, inputs, parameters and buffers; gives gradients of inputs and parameters', async () => {
    const source = file(
      "self.fc = nn.Linear(8, 5); self.register_buffer('mask', torch.ones(5))",
      'h = self.fc(x) * self.mask; return F.cross_entropy(h, target), h.argmax(1)',
      'torch.randn(6, 8), torch.randint(0, 5, (6,))',
    );
    const { signature, name, hash } = await load(source);
    assert.equal(name, 'net-backward');
    assert.notEqual(hash, (await loadTask({ name: 'net', source }, { cacheDir })).hash);
    // The second output is whole numbers: it has no gradient.
    assert.deepEqual(
      signature.tensors.map((t) => t.name),
      ['grad_output0', 'x', 'target', 'mask', 'fc.weight', 'fc.bias'],
    );
    assert.equal(signature.entry, 'backward');
    assert.deepEqual(signature.gradientsOf, ['x', 'fc.weight', 'fc.bias']);
    assert.deepEqual(
      signature.outputs.map((o) => o.shape),
      [[6, 8], [5, 8], [5]],
    );
  });

  test('forward work that no gradient needs is not there', async () => {
    const { graph } = await load(file('self.fc = nn.Linear(8, 5)', 'return torch.relu(self.fc(x)).sum() + x.sum()'));
    const ops = graph.nodes.map((node) => node.op);
    assert.deepEqual(
      ops.filter((op) => op === 'linear'),
      ['linear'],
      'the product is needed for the sign of what relu saw',
    );
    const plain = await load(file('self.fc = nn.Linear(8, 5)', 'return self.fc(x)'));
    assert.ok(
      !plain.graph.nodes.some((node) => node.op === 'linear'),
      'a linear layer alone needs no product of its own',
    );
  });

  test('a parameter used twice and an output returned twice add up', async () => {
    const { graph } = await load(file('self.w = nn.Parameter(torch.randn(8))', 'y = x * self.w; return y + self.w, y'));
    const values = drawArguments({ graph }, 'as-written', 3);
    const [first, second, x, w] = values as [HostTensor, HostTensor, HostTensor, HostTensor];
    const [dx, dw] = evaluateGraph(graph, values) as [HostTensor, HostTensor];
    for (let i = 0; i < 48; i++) {
      const both = first.values[i]! + second.values[i]!;
      assert.ok(Math.abs(dx.values[i]! - both * w.values[i % 8]!) < 1e-5);
    }
    for (let j = 0; j < 8; j++) {
      let sum = 0;
      for (let i = j; i < 48; i += 8) sum += (first.values[i]! + second.values[i]!) * x.values[i]! + first.values[i]!;
      assert.ok(Math.abs(dw.values[j]! - sum) < 1e-4);
    }
  });

  test('it is a task like any other: families of inputs, scale', async () => {
    const source = file('self.fc = nn.Linear(64, 32)', 'return torch.softmax(self.fc(x), 1)', 'torch.randn(rows, 64)');
    const task = await load(`${source}\nrows = 4096\n`, { scale: 1e6 });
    assert.deepEqual(
      task.scaled.map((s) => s.name),
      ['rows'],
    );
    assert.ok(inputFamilies(task).length > 5);
  });

  test('a recurrent layer runs back through time', async () => {
    const { signature, graph } = await load(
      file('self.rnn = nn.GRU(8, 4, batch_first=True)', 'return self.rnn(x)[0]', 'torch.randn(2, 6, 8)'),
    );
    assert.deepEqual(signature.gradientsOf, [
      'x',
      'rnn.weight_ih_l0',
      'rnn.weight_hh_l0',
      'rnn.bias_ih_l0',
      'rnn.bias_hh_l0',
    ]);
    assert.deepEqual(
      graph.nodes.map((node) => node.op),
      ['gru_backward'],
    );
  });

  test('what has no gradient here is refused by name and line', async () => {
    const dropout = await refusal(file('', 'return F.dropout(x, 0.5)'));
    assert.equal(dropout.kind, 'unsupported');
    assert.match(dropout.message, /gradient of `dropout` is not supported/);
    assert.equal(dropout.line, 11);
    assert.match((await refusal(file('', 'return x.argmax(1)'))).message, /nothing to differentiate/);
  });

  test('what stops gradients, or replaces them, is refused: the values alone do not show it', async () => {
    const stops = [
      ['return x * x.detach()', /detach/],
      ['with torch.no_grad(): s = x.sum()\n        return x / s', /no_grad/],
      [
        'class Through(torch.autograd.Function):\n            @staticmethod\n            def forward(ctx, a): return a.round()\n' +
          '            @staticmethod\n            def backward(ctx, g): return g\n        return Through.apply(x)',
        /Through, an autograd.Function/,
      ],
    ] as const;
    for (const [forward, message] of stops) assert.match((await refusal(file('', forward))).message, message);
    const { signature } = await load(file('', 'with torch.enable_grad(): return x.exp()'));
    assert.deepEqual(signature.gradientsOf, ['x']);
  });
});
