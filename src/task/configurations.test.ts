/** robust-kbench's form: a folder, a function that the model is handed, and configurations. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { readConfigurations, settingsText } from './configurations.ts';
import { loadTask, taskConfigurations } from './task.ts';
import { TaskError } from './trace/task-error.ts';
import { testCache } from './trace/test-cache.ts';

const FORWARD = `import torch
import torch.nn as nn
import torch.nn.functional as F

def forward_fn(x, scaling, gain, shift):
    return F.layer_norm(x, gain.shape, gain, shift) * scaling

class Model(nn.Module):
    def __init__(self, features, scaling=2.0, init_method='standard'):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(3))
        self.shift = nn.Parameter(torch.zeros(features))
        self.gain = nn.Parameter(torch.randn(features) if init_method == 'random' else torch.ones(features))
        self.scaling = scaling

    def forward(self, x, fn=forward_fn):
        return fn(x, self.scaling, self.gain, self.shift)

def get_inputs(batch_size=16, features=64):
    return [torch.randn(batch_size, features)]

input_names = ['x']
`;

const CONFIGURATIONS = {
  single_input_configs: [{ batch_size: 4 }],
  single_init_configs: [{ init_method: 'random' }],
  single_shared_configs: [{ features: 8 }],
  multi_input_configs: [{ batch_size: 4 }, { batch_size: 6 }],
  multi_init_configs: [{ init_method: 'random' }],
  multi_shared_configs: [{ features: 8 }, { features: 10 }],
};

describe("robust-kbench's form", () => {
  let cacheDir = '';
  let folder = '';
  before(async () => {
    cacheDir = await testCache();
    folder = mkdtempSync(join(tmpdir(), 'assay-configurations-'));
  });
  after(() => {
    rmSync(cacheDir, { recursive: true, force: true });
    rmSync(folder, { recursive: true, force: true });
  });

  function taskFolder(name: string, source: string, configurations?: unknown): string {
    const path = join(folder, name);
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'func_forward.py'), source);
    if (configurations) writeFileSync(join(path, 'config_forward.json'), JSON.stringify(configurations));
    return path;
  }

  async function refusal(path: string, configuration?: number): Promise<string> {
    try {
      await loadTask(path, { cacheDir, configuration });
    } catch (error) {
      assert.ok(error instanceof TaskError, String(error));
      return error.message;
    }
    return assert.fail('the task was accepted');
  }

  test('a candidate takes what fn is given, in that order', async () => {
    const path = taskFolder('scaled_norm', FORWARD, CONFIGURATIONS);
    const { name, signature, configuration } = await loadTask(path, { cacheDir });
    assert.equal(name, 'scaled_norm');
    assert.equal(settingsText(configuration!), 'init_method = "random", features = 8, batch_size = 4');
    assert.deepEqual(
      signature.tensors.map((t) => [t.name, t.role, t.spec.shape]),
      [
        ['x', 'input', [4, 8]],
        ['gain', 'parameter', [8]],
        ['shift', 'parameter', [8]],
      ],
    );
    assert.deepEqual(signature.scalars, [{ name: 'scaling', value: 2 }]);
    assert.equal(signature.scalarsBy, 'position');
  });

  test('each configuration is a task of its own', async () => {
    const path = taskFolder('scaled_norm', FORWARD, CONFIGURATIONS);
    assert.deepEqual(
      taskConfigurations(path).map((text) => text.replace('init_method = "random", ', '')),
      [
        'features = 8, batch_size = 4',
        'features = 10, batch_size = 4',
        'features = 8, batch_size = 6',
        'features = 10, batch_size = 6',
      ],
    );
    const [first, last] = [await loadTask(path, { cacheDir }), await loadTask(path, { cacheDir, configuration: 3 })];
    assert.deepEqual(last.signature.outputs[0]!.shape, [6, 10]);
    assert.equal(last.name, 'scaled_norm-configuration-3');
    assert.notEqual(first.hash, last.hash);
    assert.match(await refusal(path, 4), /no configuration 4: the task scaled_norm has 4, from 0/);
  });

  test('a scale shrinks what a configuration sets', async () => {
    const path = taskFolder('large', FORWARD, {
      single_input_configs: [{ batch_size: 4096 }],
      single_shared_configs: [{ features: 2048 }],
    });
    const { scaled, signature } = await loadTask(path, { cacheDir, scale: 100_000 });
    assert.deepEqual(new Set(scaled.map(({ name }) => name)).has('batch_size'), true);
    assert.ok(signature.tensors[0]!.spec.shape[0]! < 4096);
  });

  test('what the form cannot say is refused', async () => {
    const computed = taskFolder(
      'computed',
      FORWARD.replace('self.scaling, self.gain,', 'self.scaling, self.gain * 2,'),
    );
    assert.match(await refusal(computed, 0), /missing 1 required positional argument: 'features'/);
    const defaults = FORWARD.replace('features, scaling', 'features=64, scaling');
    assert.match(
      await refusal(
        taskFolder('computed', defaults.replace('self.scaling, self.gain,', 'self.scaling, self.gain * 2,')),
      ),
      /the argument gain of fn, which is computed from others/,
    );
    assert.match(
      await refusal(taskFolder('more', defaults.replace('return fn(', 'return 2 * fn('))),
      /forward computes with what fn returns/,
    );
    assert.match(await refusal(join(folder, 'more', '..')), /has no func_forward\.py/);
  });

  test('a list of configurations that is none is refused', () => {
    assert.throws(() => readConfigurations('{', 'c.json'), /c\.json is not JSON/);
    assert.throws(() => readConfigurations('{"single_init_configs": 3}', 'c.json'), /does not list configurations/);
  });
});
