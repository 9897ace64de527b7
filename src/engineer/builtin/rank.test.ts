/** The order in which tiles are tried: from sizes alone, so that no compiler is needed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PrecisionPolicy } from '../../task/index.ts';
import { type GpuTarget, gpuTarget } from '../../vgpu/index.ts';
import { GraphBuilder } from './graph.fixture.ts';
import { type GroupFacts, groupFacts, hardwareOf, illegal } from './knobs.ts';
import { decompose, outline } from './lower/index.ts';
import { estimateProduct, type ProductChoice, rankedProducts } from './rank.ts';

const target = gpuTarget('h100');

function factsOf(m: number, n: number, k: number, precision: PrecisionPolicy = 'fp32', gpu?: GpuTarget): GroupFacts {
  const graph = new GraphBuilder();
  const type = precision === 'fp16' ? 'float16' : 'float32';
  const task = graph.task([graph.op('matmul', [graph.input([m, k], type), graph.input([k, n], type)])]);
  const { program, groups } = outline(decompose(task.graph, task.signature), { fusion: 'fused', splits: {} });
  return groupFacts(program, groups[0]!.group, groups[0]!.stored, precision, gpu && hardwareOf(gpu));
}

const tile: Extract<ProductChoice, { family: 'tile' }> = {
  ...{ family: 'tile', blockM: 128, blockN: 128, blockK: 8, threadM: 8, threadN: 8, vector: 4, fragment: 4 },
  stages: 1,
};

describe('the estimate of tiles', () => {
  it('puts legal choices first to last, a shape of block once', () => {
    for (const [m, n, k] of [
      [4096, 4096, 512],
      [77, 1000, 45],
    ] as const) {
      const facts = factsOf(m, n, k);
      const ranked = rankedProducts(facts, target, 6);
      assert.equal(ranked.length, 6, 'as many as were asked for');
      const seconds = ranked.map((choice) => estimateProduct(facts, choice as ProductChoice, target));
      assert.deepEqual(
        seconds,
        [...seconds].sort((a, b) => a - b),
      );
      for (const choice of ranked) assert.equal(illegal(facts, choice), undefined, JSON.stringify(choice));
      const blocks = ranked.map((choice) => {
        const { family, blockM, blockN } = choice as ProductChoice;
        return `${family} ${blockM} ${blockN}`;
      });
      assert.equal(new Set(blocks).size, blocks.length, 'shapes differ');
    }
  });

  it('knows that small tiles read more, that few large ones leave a GPU idle, and that tensor cores are faster', () => {
    const large = factsOf(4096, 4096, 512);
    const small = { ...tile, blockM: 32, blockN: 32, threadM: 2, threadN: 2, fragment: 2, blockK: 16 };
    const seconds = (facts: GroupFacts, choice: Parameters<typeof estimateProduct>[1]) =>
      estimateProduct(facts, choice, target);
    assert.ok(seconds(large, tile) < seconds(large, small), 'large product');
    const few = factsOf(256, 256, 4096);
    assert.ok(seconds(few, small) < seconds(few, tile), 'small product');
    assert.equal(rankedProducts(large, target, 1)[0]!.family, 'mma');
  });

  it('feeds tensor cores by copies where the operands allow it, by warpgroups where the target has them', () => {
    const best = (k: number, gpu: string, precision: PrecisionPolicy = 'fp16') => {
      const own = gpuTarget(gpu);
      return rankedProducts(factsOf(4096, 4096, k, precision, own), own, 1)[0]!;
    };
    const [hopper, ampere, odd] = [best(4096, 'h100'), best(4096, 'a100'), best(4095, 'h100')];
    assert.equal(hopper.family === 'pipeline' && hopper.unit, 'warpgroup', 'H100');
    assert.equal(ampere.family === 'pipeline' && ampere.unit, 'warp', 'A100');
    assert.equal(odd.family === 'pipeline' && odd.unit, 'warpgroup', 'rows that begin at odd elements');
    assert.equal(best(4095, 'a100').family, 'mma', 'such rows where there is no wgmma');
    const exact = best(4096, 'h100', 'fp32');
    assert.deepEqual(exact.family === 'pipeline' && [exact.unit, exact.arithmetic], ['warpgroup', 'tf32x3'], 'float');
    assert.equal(best(4096, 'a100', 'fp32').family, 'mma', 'float where there is no wgmma');
  });

  it('is near the modelled time of what was profiled: 4096 x 4096 x 512 on an H100', () => {
    // Profiled at full size by the virtual GPU: 413 microseconds, and 212 on tensor cores in two parts of tf32.
    const facts = factsOf(4096, 4096, 512);
    const mma: ProductChoice = {
      ...{ family: 'mma', arithmetic: 'tf32x3', blockM: 128, blockN: 128, blockK: 8, warpM: 64, warpN: 64 },
      ...{ vector: 4, stages: 1 },
    };
    assert.ok(Math.abs(estimateProduct(facts, tile, target) / 413e-6 - 1) < 0.25, 'plain');
    assert.ok(Math.abs(estimateProduct(facts, mma, target) / 212e-6 - 1) < 0.25, 'tensor cores');
  });
});
