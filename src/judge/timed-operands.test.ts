import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { decode, encode, evaluateGraph, loadTask } from '../task/index.ts';
import { createOracle } from './task-oracle.ts';
import { timedOperands } from './timed-operands.ts';

const source = (input: string) => `
import torch
import torch.nn as nn
class Model(nn.Module):
    def forward(self, x):
        return torch.cumsum(x, dim=1)
def get_inputs():
    return [${input}]
def get_init_inputs():
    return []
`;

describe('operands of timed calls', () => {
  const cacheDir = mkdtempSync(join(tmpdir(), 'assay-operands-'));
  after(() => rmSync(cacheDir, { recursive: true }));
  const seeds = ['a', 'b', 'c'].map((digit) => digit.repeat(64));
  const applied = (base: readonly Uint8Array[], renewals: ReturnType<ReturnType<typeof timedOperands>['renew']>) => {
    const bytes = base.map((each) => each.slice());
    for (const { argument, byteOffset, bytes: part } of renewals) bytes[argument]!.set(part, byteOffset);
    return bytes;
  };

  it('differ from call to call in a few places, and are judged by the reference', async () => {
    const task = await loadTask({ name: 'scan', source: source('torch.randn(8, 40)') }, { cacheDir });
    const operands = timedOperands(task, createOracle(task));
    const [base] = [operands.base(seeds[0]!), operands.base(seeds[1]!)];
    const [one, two] = [seeds[1]!, seeds[2]!].map((seed) => applied(base!, operands.renew(base!, seed)));
    assert.notDeepEqual(one, two);
    const changed = [...new Float32Array(one![0]!.buffer)].filter(
      (x, i) => x !== new Float32Array(base![0]!.buffer)[i],
    );
    assert.ok(changed.length > 0 && changed.length <= 4 * 64, String(changed.length));
    const spec = task.signature.tensors[0]!.spec;
    const answer = (inputs: readonly Uint8Array[]) =>
      evaluateGraph(task.graph, [decode(inputs[0]!, spec)], { format: 'float32' }).map(encode);
    assert.equal(await operands.check(one!, answer(one!)), true);
    // What was right for the base is wrong for the call.
    assert.equal(await operands.check(one!, answer(base!)), false);
    assert.equal(await operands.check(one!, []), false);
  });

  it('are drawn anew as a whole where elements hang together', async () => {
    const task = await loadTask({ name: 'triangle', source: source('torch.tril(torch.randn(6, 6))') }, { cacheDir });
    const operands = timedOperands(task, createOracle(task));
    const base = operands.base(seeds[0]!);
    const values = new Float32Array(applied(base, operands.renew(base, seeds[1]!))[0]!.buffer);
    assert.ok(
      values.every((value, i) => i % 6 <= Math.floor(i / 6) || value === 0),
      values.join(' '),
    );
    assert.notDeepEqual(values, new Float32Array(base[0]!.slice().buffer));
  });
});
