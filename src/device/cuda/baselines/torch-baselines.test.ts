/** How the baselines' processes are talked to, on PyTorch's CPU: times of it mean nothing, and nothing is said about them here. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { AS_WRITTEN, drawArguments, encode, loadTask, pythonWithTorch } from '../../../task/index.ts';
import type { OperandSource } from '../timing/operands.ts';
import { createTorchBaselines } from './torch-baselines.ts';

const python = pythonWithTorch();
const skip = 'missing' in python ? python.missing : false;

const source = `
import os
import torch
import torch.nn as nn

rows = 64
class Model(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.linear = nn.Linear(features, 8)
        self.drop = nn.Dropout(0.5)
    def forward(self, x):
        print('{"fields": {}}')
        return torch.relu(self.linear(self.drop(x)))
def get_inputs():
    return [torch.randn(rows, 16)]
def get_init_inputs():
    return [16]
`;

describe('baselines of PyTorch', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'assay-baselines-'));
  after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'linear.py');
  writeFileSync(file, source);

  it('give windows on operands from outside, whose outputs are those of the task in its mode', async () => {
    const task = await loadTask(file, { cacheDir: folder, scale: 3000, mode: 'eval' });
    assert.ok(task.scaled.length > 0, 'the task is smaller than its file says');
    const features = task.signature.tensors[0]!.spec.shape[1]!;
    let checked = 0;
    const operands: OperandSource = {
      base: (seed) => drawArguments(task, AS_WRITTEN, seed).map(encode),
      renew: (_, seed) => [{ argument: 0, byteOffset: 0, bytes: Buffer.from(`0000${seed.slice(0, 2)}3f`, 'hex') }],
      check: async (inputs, outputs) => {
        checked++;
        const [x, weight, bias] = inputs.map((bytes) => new Float32Array(Uint8Array.from(bytes).buffer));
        const y = new Float32Array(Uint8Array.from(outputs[0]!).buffer);
        return y.every((value, i) => {
          const [row, column] = [Math.floor(i / 8), i % 8];
          let sum = bias![column]!;
          for (let k = 0; k < features; k++) sum += x![row * features + k]! * weight![column * features + k]!;
          return Math.abs(value - Math.max(0, sum)) < 1e-4;
        });
      },
    };
    const baselines = await createTorchBaselines({
      ...{ task, operands, folder, device: 'cpu' as const, secret: 'cd'.repeat(32), walkBytes: 4096 },
      python: python as Exclude<typeof python, { missing: string }>,
      subjects: ['PyTorch eager', 'PyTorch eager graphed'],
    });
    assert.match(baselines.environment.torch!, /^\d+\.\d+/);
    const process = await baselines.start(0);
    assert.ok('window' in process, JSON.stringify(process));
    try {
      const request = { subject: 'PyTorch eager', instance: 0, work: 'calls', calls: 3 } as const;
      const seen = new Set<string>();
      for (const subject of baselines.subjects) {
        for (const instance of [0, 1] as const) {
          const window = await process.window({ ...request, subject: subject.id, instance });
          assert.equal(window.status, 'timed', JSON.stringify(window));
          if (window.status !== 'timed') continue;
          assert.equal(window.outputs, 'right');
          assert.ok(window.hostMicroseconds > 0, JSON.stringify(window));
          seen.add(window.operands);
        }
      }
      assert.deepEqual([seen.size, checked], [4, 4]);
      const nothing = await process.window({ ...request, work: 'null' });
      assert.deepEqual(nothing.status === 'timed' && [nothing.outputs, nothing.operands], ['right', '']);
      const unknown = await process.window({ ...request, subject: 'PyTorch magic' });
      assert.match(
        unknown.status === 'failed' ? unknown.message : '',
        /PyTorch magic gave no time. PyTorch says: KeyError/,
      );
    } finally {
      await process.close();
    }
  });

  it('say why there are none', async () => {
    const task = await loadTask(file, { cacheDir: folder, scale: 3000 });
    const operands: OperandSource = { base: () => [], renew: () => [], check: async () => true };
    const options = {
      ...{ task, operands, folder, device: 'cpu' as const, secret: 'cd'.repeat(32), walkBytes: 4096 },
      python: python as Exclude<typeof python, { missing: string }>,
    };
    await assert.rejects(
      createTorchBaselines({ ...options, subjects: ['PyTorch magic'] }),
      /no baseline PyTorch magic; there are PyTorch eager,/,
    );
    const broken = { ...task, source: source.replace('import os', 'import nowhere_to_be_found') };
    await assert.rejects(createTorchBaselines({ ...options, task: broken }), /PyTorch says: ModuleNotFoundError/);
  });
});
