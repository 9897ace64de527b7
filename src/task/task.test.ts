/** Loading whole tasks: signature, draws, cache, scale. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { workOf } from './scale.ts';
import { loadTask, loadVerified } from './task.ts';
import { TaskError } from './trace/task-error.ts';
import { testCache } from './trace/test-cache.ts';
import type { Draw } from './types.ts';

const MLP = `import torch
import torch.nn as nn

class Model(nn.Module):
    """A comment that is not code."""
    def __init__(self, in_features, hidden, eps=1e-5, sizes=(2, 3), label='m'):
        super().__init__()
        self.fc = nn.Linear(in_features, hidden)
        self.bn = nn.BatchNorm1d(hidden, eps)
        self.register_buffer('mask', torch.tril(torch.ones(hidden, hidden)))

    def forward(self, x, target, scale=1.0):
        h = self.bn(self.fc(x)) @ self.mask
        return nn.functional.cross_entropy(h * scale, target), h.argmax(dim=-1)

batch_size = 4096
in_features, hidden = 1024, 512

def get_inputs():
    x = torch.rand(batch_size, in_features).cuda() * 2 - 1
    return [x, torch.randint(0, hidden, (batch_size,)), 0.5]

def get_init_inputs():
    return [in_features, hidden]
`;

describe('loading a task', () => {
  let cacheDir = '';
  before(async () => {
    cacheDir = await testCache();
  });
  after(() => rmSync(cacheDir, { recursive: true, force: true }));

  test('half precision: inputs, parameters and results, as half() does', async () => {
    const tied = `import torch
import torch.nn as nn

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 8, bias=False)
        self.second = nn.Linear(8, 8)
        self.second.weight = self.first.weight

    def forward(self, x, index):
        return self.second(torch.relu(self.first(x)))[index] * 2.0, x.float().sum(dim=-1)

def get_inputs():
    return [torch.rand(4, 8), torch.randint(0, 4, (3,))]
`;
    const task = await loadTask({ name: 'tied', source: tied }, { cacheDir, precision: 'bf16' });
    assert.deepEqual(
      task.signature.tensors.map((t) => [t.name, t.spec.dtype]),
      [
        ['x', 'bfloat16'],
        ['index', 'int64'],
        ['first.weight', 'bfloat16'],
        ['second.bias', 'bfloat16'],
      ],
    );
    assert.deepEqual(
      task.signature.outputs.map((o) => o.dtype),
      ['bfloat16', 'float32'],
    );
    const single = await loadTask({ name: 'tied', source: tied }, { cacheDir, precision: 'tf32' });
    assert.equal(single.signature.tensors[0]!.spec.dtype, 'float32');
    assert.notEqual(task.hash, single.hash);
  });

  test('signature, scalars and outputs', async () => {
    const task = await loadTask({ name: 'mlp', source: MLP }, { cacheDir });
    assert.deepEqual(
      task.signature.tensors.map((t) => [t.name, t.role, t.spec.dtype, t.spec.shape]),
      [
        ['x', 'input', 'float32', [4096, 1024]],
        ['target', 'input', 'int64', [4096]],
        ['mask', 'buffer', 'float32', [512, 512]],
        ['fc.weight', 'parameter', 'float32', [512, 1024]],
        ['fc.bias', 'parameter', 'float32', [512]],
        ['bn.weight', 'parameter', 'float32', [512]],
        ['bn.bias', 'parameter', 'float32', [512]],
        ['bn.running_mean', 'buffer', 'float32', [512]],
        ['bn.running_var', 'buffer', 'float32', [512]],
        ['bn.num_batches_tracked', 'buffer', 'int64', []],
      ],
    );
    assert.deepEqual(task.signature.scalars, [
      { name: 'in_features', value: 1024 },
      { name: 'hidden', value: 512 },
      { name: 'eps', value: 1e-5 },
      { name: 'sizes', value: [2, 3] },
      { name: 'label', value: 'm' },
      { name: 'scale', value: 0.5 },
    ]);
    assert.deepEqual(task.signature.outputs, [
      { shape: [], dtype: 'float32' },
      { shape: [4096], dtype: 'int64' },
    ]);
    assert.equal(task.precision, 'fp32');
    assert.deepEqual(task.scaled, []);
    assert.match(task.hash, /^[0-9a-f]{64}$/);
  });

  test('how the file drew its tensors', async () => {
    const { graph } = await loadTask({ name: 'mlp', source: MLP }, { cacheDir });
    assert.deepEqual(graph.inputs[0]!.draw, { kind: 'uniform', low: -1, high: 1 });
    assert.deepEqual(graph.inputs[1]!.draw, { kind: 'integer', low: 0, high: 512 });
    const bound = 1 / Math.sqrt(1024);
    assert.deepEqual(graph.parameters[1]!.draw, { kind: 'uniform', low: -bound, high: bound });
    assert.deepEqual(graph.parameters[3]!.draw, { kind: 'constant', value: 1 });
    const mask = graph.parameters[0]!.draw;
    assert.ok(mask.kind === 'computed');
    assert.deepEqual(
      mask.graph.nodes.map((n) => n.op),
      ['tril'],
    );
  });

  test('nodes carry the line that made them, attributes are complete', async () => {
    const { graph } = await loadTask({ name: 'mlp', source: MLP }, { cacheDir });
    assert.deepEqual(
      graph.nodes.map((n) => [n.op, n.line]),
      [
        ['linear', 13],
        ['batch_norm', 13],
        ['matmul', 13],
        ['mul', 14],
        ['cross_entropy', 14],
        ['argmax', 14],
      ],
    );
    assert.deepEqual(graph.nodes[3]!.attributes, { other: 0.5, reverse: false });
    assert.deepEqual(graph.nodes[5]!.attributes, { dim: 1, keepdim: false });
  });

  test('a second load comes from the cache and is the same', async () => {
    const first = await loadTask({ name: 'mlp', source: MLP }, { cacheDir });
    const traces = () => readdirSync(cacheDir).filter((f) => f.startsWith('trace-'));
    const before = traces();
    const started = Date.now();
    assert.deepEqual(await loadTask({ name: 'mlp', source: MLP }, { cacheDir }), first);
    assert.ok(Date.now() - started < 2000);
    assert.deepEqual(traces(), before);
  });

  test('a file on disk, and one that is not there', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'assay-task-'));
    try {
      writeFileSync(join(directory, 'mlp.py'), MLP);
      assert.equal((await loadTask(join(directory, 'mlp.py'), { cacheDir })).name, 'mlp');
      await assert.rejects(loadTask(join(directory, 'none.py'), { cacheDir }), /none\.py cannot be read/);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test('scale shrinks the batch first, then the largest sizes, to shapes that hide nothing', async () => {
    const task = await loadTask({ name: 'mlp', source: MLP }, { cacheDir, scale: 2e6 });
    assert.ok(workOf(task.graph) <= 2e6);
    assert.equal(task.scaled[0]!.name, 'batch_size');
    assert.equal(task.scaled[0]!.from, 4096);
    const [x] = task.signature.tensors;
    assert.equal(x!.spec.shape[0], task.scaled[0]!.to);
    assert.notEqual(x!.spec.shape[0], x!.spec.shape[1]);
    const whole = await loadTask({ name: 'mlp', source: MLP }, { cacheDir });
    assert.notEqual(task.hash, whole.hash);
    assert.deepEqual(
      task.graph.nodes.map((n) => n.op),
      whole.graph.nodes.map((n) => n.op),
    );
  });

  test('scale keeps what must divide, and says when it cannot', async () => {
    const source = `import torch
import torch.nn as nn
class Model(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.n = nn.GroupNorm(8, channels)
    def forward(self, x):
        return self.n(x)
def get_inputs():
    return [torch.rand(64, 256, height, width)]
height = width = 128
def get_init_inputs():
    return [256]
`;
    const task = await loadTask({ name: 'gn', source }, { cacheDir, scale: 1e5 });
    const [n, c, h] = task.signature.tensors[0]!.spec.shape;
    assert.deepEqual(
      task.scaled.filter((s) => s.name === 'height = width'),
      [{ name: 'height = width', from: 128, to: h }],
    );
    assert.equal(c! % 8, 0);
    assert.ok(n! >= 1 && workOf(task.graph) <= 1e5);
    await assert.rejects(
      loadTask({ name: 'gn', source }, { cacheDir, scale: 10 }),
      (e) => e instanceof TaskError && /cannot be scaled to 10 operations: the smallest found takes/.test(e.message),
    );
  });

  test('verified shapes are found without a scale: odd, with groups that stay groups; idle constants are named', async () => {
    const source = `import torch
import torch.nn as nn
class Model(nn.Module):
    def __init__(self, channels, out, kernel, stride, output_padding=0, groups=1):
        super().__init__()
        self.c = nn.ConvTranspose2d(channels, out, kernel, stride)
        self.n = nn.GroupNorm(4, out)
    def forward(self, x):
        return self.n(self.c(x))
batch_size = 2 * 64
channels, out, depth, width = 32, 64, 256, 128
kernel, stride, groups = 3, 2, 4
def get_inputs():
    return [torch.rand(batch_size, channels, depth, width)]
def get_init_inputs():
    return [channels, out, kernel, stride, groups]
`;
    const { task, verified, larger, idle } = await loadVerified({ name: 'ct', source }, { cacheDir });
    assert.deepEqual(task.scaled, []);
    assert.equal(larger, undefined);
    const change = (name: string) => verified.scaled.find((one) => one.name === name);
    // A product of literals is one size; a volume's depth is a size and no number of layers.
    assert.equal(change('batch_size')!.from, 128);
    assert.ok(change('depth')!.to < 20 && change('width')!.to < 20);
    assert.equal(verified.signature.outputs[0]!.shape[1]! % 4, 0);
    assert.ok(verified.signature.outputs[0]!.shape[1]! >= 8);
    assert.deepEqual(
      idle.map(({ name, value }) => [name, value]),
      [['groups', 4]],
    );
  });

  test('a loop over steps that the trace unrolled has fewer rounds at verified shapes; one over layers keeps them all', async () => {
    const source = `import torch
import torch.nn as nn
class Model(nn.Module):
    def __init__(self, features, deep):
        super().__init__()
        self.cell = nn.Linear(2 * features, features)
        self.more = nn.ModuleList([nn.Linear(features, features, bias=False) for _ in range(deep)])
    def forward(self, x):
        h = torch.zeros_like(x[0])
        seen = []
        for t in range(x.shape[0]):
            h = torch.tanh(self.cell(torch.cat([x[t], h], dim=1)))
            seen.append(h)
        y = torch.stack(seen)
        for layer in self.more:
            y = torch.relu(layer(y))
        return y
sequence, batch_size, features, deep = 96, 8, 64, 12
def get_inputs():
    return [torch.rand(sequence, batch_size, features)]
def get_init_inputs():
    return [features, deep]
`;
    const { task, verified } = await loadVerified({ name: 'steps', source }, { cacheDir });
    const count = ({ graph }: typeof task, op: string) => graph.nodes.filter((node) => node.op === op).length;
    assert.equal(count(task, 'tanh'), 96);
    assert.equal(count(verified, 'tanh'), 7);
    assert.equal(count(verified, 'relu'), 12);
    assert.deepEqual(
      verified.signature.tensors.map(({ name }) => name),
      task.signature.tensors.map(({ name }) => name),
    );
  });

  test('indices that a file draws point into what they index at verified shapes too', async () => {
    const source = `import torch
import torch.nn as nn
class Model(nn.Module):
    def __init__(self, words, width):
        super().__init__()
        self.e = nn.Embedding(words, width)
    def forward(self, x, index, ids):
        return torch.gather(x, 1, index[:, :, None].expand(-1, -1, x.size(2))).sum(2), self.e(ids.view(-1))
def get_inputs():
    return [torch.randn(64, 200, 8), torch.randint(0, 200, (64, 50)), torch.randint(0, 3000, (64, 30))]
def get_init_inputs():
    return [3000, 96]
`;
    const { verified } = await loadVerified({ name: 'indices', source }, { cacheDir });
    const [x, index, ids] = verified.graph.inputs;
    const highest = (draw: Draw) => (draw?.kind === 'integer' ? draw.high : Number.NaN);
    assert.ok(x!.spec.shape[1]! < 200 && highest(index!.draw) <= x!.spec.shape[1]!, JSON.stringify(verified.scaled));
    assert.ok(highest(ids!.draw) <= verified.graph.parameters[0]!.spec.shape[0]!, JSON.stringify(verified.scaled));
  });
});
