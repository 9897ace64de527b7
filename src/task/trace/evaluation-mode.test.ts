/** Evaluation mode: what `model.eval()` changes, held to real PyTorch, and what it does not change. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { backwardGraph } from '../backward.ts';
import { loadedName, loadTask } from '../task.ts';
import { Sandbox } from './sandbox.ts';
import { TaskError } from './task-error.ts';
import { testCache } from './test-cache.ts';
import { type Case, disagreements, evaluable, pythonWithTorch } from './torch-oracle.ts';
import { readAnswer } from './trace.ts';

const file = (init: string, forward: string, inputs = 'torch.randn(6, 8)', methods = '') => `import torch
import torch.nn as nn
import torch.nn.functional as F

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        ${init || 'pass'}

    def forward(self, x, mask=None):
        ${forward}
${methods}
def get_inputs():
    return [${inputs}]

def get_init_inputs():
    return []
`;
const module = (layer: string, inputs: string, call = 'self.layer(x)') =>
  file(`self.layer = ${layer}`, `return ${call}`, inputs);

const OWN_EVAL = `
    def eval(self):
        self.scale = 3.0
        return super().eval()
`;

const beforePadding = (more: string) =>
  module(
    `nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 12, batch_first=True), 2${more})`,
    'torch.randn(3, 5, 8), torch.arange(5).expand(3, 5) > 3',
    'self.layer(x, src_key_padding_mask=mask)',
  );

/** Each is another function, or draws nothing, in evaluation mode. */
const FILES: readonly (readonly [name: string, source: string])[] = [
  ['dropout', file('self.drop = nn.Dropout(0.3)', 'return self.drop(x) * 2')],
  ['dropout2d', module('nn.Sequential(nn.Conv2d(2, 3, 3), nn.Dropout2d(0.4))', 'torch.randn(2, 2, 5, 5)')],
  ['alpha dropout', module('nn.AlphaDropout(0.4)', 'torch.randn(3, 4)')],
  ['F.dropout by self.training', file('', 'return F.dropout(x.exp(), 0.5, self.training)')],
  ['batch norm of vectors', module('nn.BatchNorm1d(8)', 'torch.randn(6, 8)')],
  ['batch norm of images', module('nn.BatchNorm2d(3, affine=False)', 'torch.randn(2, 3, 4, 5)')],
  ['batch norm of one value a channel', module('nn.BatchNorm1d(8)', 'torch.randn(1, 8)')],
  ['batch norm without statistics', module('nn.BatchNorm1d(8, track_running_stats=False)', 'torch.randn(6, 8)')],
  [
    'instance norm with statistics',
    module('nn.InstanceNorm2d(3, track_running_stats=True)', 'torch.randn(2, 3, 4, 5)'),
  ],
  ['rrelu', file('', 'return F.rrelu(x, training=self.training)')],
  ['a branch on training', file('', 'return x.relu() if self.training else x.sigmoid()')],
  ['a part that the file keeps in training', file('self.a = nn.BatchNorm1d(8)', 'self.a.train(); return self.a(x)')],
  ['an eval of its own', file('self.scale = 1.0', 'return x * self.scale', undefined, OWN_EVAL)],
  ['dropout between the layers of an LSTM', module('nn.LSTM(6, 4, 2, dropout=0.5)', 'torch.randn(5, 3, 6)')],
  [
    'attention with dropout',
    module(
      'nn.MultiheadAttention(8, 2, dropout=0.5, batch_first=True)',
      'torch.randn(2, 5, 8)',
      'self.layer(x, x, x)[0]',
    ),
  ],
  ['a transformer layer', module('nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)', 'torch.randn(3, 5, 8)')],
  ['transformer layers before padding', beforePadding(', enable_nested_tensor=False')],
];

describe('evaluation mode', () => {
  const found = pythonWithTorch();
  const skip = 'missing' in found && found.missing;
  let cacheDir = '';
  before(async () => {
    cacheDir = await testCache();
  });
  after(() => rmSync(cacheDir, { recursive: true, force: true }));
  const load = (source: string, mode?: 'eval') => loadTask({ name: 'net', source }, { cacheDir, mode });

  test("is PyTorch's, in values and gradients", { skip }, async () => {
    if ('missing' in found) return;
    const cases: Case[] = [];
    // The texts are ours, so one sandbox may serve them all.
    const sandbox = await Sandbox.open(cacheDir);
    try {
      for (const [name, source] of FILES) {
        const { graph } = readAnswer(name, await sandbox.trace(JSON.stringify({ source, mode: 'eval' })));
        assert.ok(evaluable(graph), `${name} is still random`);
        cases.push({ source, graph, mode: 'eval', backward: backwardGraph(graph) });
      }
    } finally {
      sandbox.close();
    }
    // The comparison sees the mode: these graphs are not those of the files' own mode.
    const others = ['batch norm of vectors', 'a branch on training', 'an eval of its own'];
    const asWritten = cases
      .filter((_, i) => others.includes(FILES[i]![0]))
      .map(({ source, graph }) => ({ source, graph }));
    const told = await disagreements(found, [...cases, ...asWritten], 5e-5);
    assert.deepEqual(
      FILES.flatMap(([name], i) => (told[i] === undefined ? [] : [`${name}: ${told[i]}`])),
      [],
    );
    assert.equal(asWritten.length, others.length);
    for (const why of told.slice(cases.length)) assert.match(why ?? '', /values differ/);
  });

  test('is a task of its own; without it a task stays as its file leaves the model', async () => {
    const source = file('self.norm = nn.BatchNorm1d(8)', 'return F.dropout(self.norm(x), 0.5, self.training)');
    const [own, asked] = [await load(source), await load(source, 'eval')];
    assert.deepEqual(
      own.graph.nodes.map(({ op }) => op),
      ['batch_norm', 'dropout'],
    );
    assert.deepEqual(
      asked.graph.nodes.map(({ op, attributes }) => [op, attributes.training]),
      [['batch_norm', false]],
    );
    assert.deepEqual([own.name, own.mode, asked.name, asked.mode], ['net', undefined, 'net-eval', 'eval']);
    assert.notEqual(own.hash, asked.hash);
    const gradients = await loadTask({ name: 'net', source }, { cacheDir, mode: 'eval', backward: true });
    assert.equal(gradients.name, 'net-eval-backward');
    for (const [name, given] of [
      ['net', {}],
      ['net-eval', { mode: 'eval' }],
      ['net-backward', { backward: true }],
      ['net-eval-backward', { mode: 'eval', backward: true }],
    ] as const)
      assert.equal(loadedName(name, given), 'net', name);
  });

  test('leaves dropout that does not look at the mode', async () => {
    const { graph } = await load(file('', 'return F.dropout(x, 0.5)'), 'eval');
    assert.deepEqual(
      graph.nodes.map(({ op }) => op),
      ['dropout'],
    );
  });

  test('refuses what PyTorch computes by whether gradients are kept', async () => {
    await assert.rejects(load(beforePadding(''), 'eval'), (error: unknown) => {
      assert.ok(error instanceof TaskError, String(error));
      assert.match(error.message, /line 11: .*src_key_padding_mask in evaluation mode.*enable_nested_tensor=False/);
      return true;
    });
  });
});
