import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gpuTargets } from '../../vgpu/index.ts';
import { knownNames, recognise } from './known-devices.ts';

describe('known devices', () => {
  it('are those of the table of GPUs, each by a name of its own', () => {
    assert.deepEqual(Object.keys(knownNames).sort(), gpuTargets.map(({ id }) => id).sort());
  });

  for (const [name, capability, multiprocessors, id] of [
    ['NVIDIA H100 80GB HBM3', [9, 0], 132, 'h100'],
    ['NVIDIA H200', [9, 0], 132, 'h200'],
    ['NVIDIA A100-SXM4-80GB', [8, 0], 108, 'a100'],
    ['Tesla T4', [7, 5], 40, 't4'],
    ['NVIDIA GeForce RTX 4090', [8, 9], 128, 'rtx4090'],
    ['NVIDIA H100 PCIe', [9, 0], 114, 'h100-pcie'],
    ['NVIDIA A100 80GB PCIe', [8, 0], 108, 'a100-pcie'],
    ['NVIDIA L40S', [8, 9], 142, 'l40s'],
    ['NVIDIA A10', [8, 6], 72, 'a10'],
    ['NVIDIA GeForce RTX 5090', [12, 0], 170, 'rtx5090'],
  ] as const) {
    it(`know ${name}`, () => {
      const found = recognise({ name, capability, multiprocessors });
      assert.equal('target' in found && found.target.id, id);
    });
  }

  for (const [name, capability, multiprocessors, why] of [
    ['NVIDIA GH200 480GB', [9, 0], 132, /No peak rates are recorded for NVIDIA GH200 480GB.*no claim is made/],
    ['NVIDIA H200 MIG 1g.18gb', [9, 0], 16, /No peak rates/],
    ['NVIDIA H200', [9, 0], 66, /has 66 multiprocessors, not 132: it is a part of a GPU/],
    ['NVIDIA H200', [8, 0], 132, /compute capability 8.0, not sm_90/],
    ['NVIDIA GeForce RTX 4090 D', [8, 9], 114, /No peak rates/],
  ] as const) {
    it(`refuse to guess for ${name} with ${multiprocessors} multiprocessors`, () => {
      const found = recognise({ name, capability, multiprocessors });
      assert.match('unknown' in found ? found.unknown : '', why);
    });
  }
});
