/**
 * The fit and the scores, on times that are SYNTHETIC: made here from the model itself with constants that are known, and
 * noise. They test the arithmetic of fitting and say nothing about any GPU.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LaunchProfile } from '../types.ts';
import { fitConstants, predict, predictLeftOut, score } from './calibration.ts';
import { BadMeasurements, type MeasuredRun, parseMeasurements } from './measurements.ts';
import { defaultConstants, gpuTarget, type ModelConstants } from './targets.ts';
import { type ModelledLaunch, modelTime } from './time.ts';

const h100 = gpuTarget('h100');
const truth: ModelConstants = {
  memory: 0.81,
  l2: 0.55,
  issue: 0.7,
  tensor: 0.42,
  // No run here tells.
  warpgroup: defaultConstants.warpgroup,
  memoryParallelism: 2.5,
  instructionParallelism: 3.2,
  launch: 1.6,
};

/** A launch of `blocks` blocks of 256 threads, or as many warps as said: bytes streamed, arithmetic, tensor products, work on one warp's chain. */
function launch(
  blocks: number,
  work: { loads?: number; fp32?: number; tensor?: number; again?: number; warps?: number },
): ModelledLaunch {
  const threads = 32 * (work.warps ?? 8);
  const warps = (blocks * threads) / 32;
  const loads = (work.loads ?? 1) * warps;
  const fp32 = (work.fp32 ?? 2) * warps;
  const tensor = (work.tensor ?? 0) * warps;
  const again = work.again ?? 1;
  const uniqueBytes = (loads * 128) / again;
  const profile: LaunchProfile = {
    kernel: 'synthetic',
    grid: [blocks, 1, 1],
    block: [threads, 1, 1],
    sampledBlocks: blocks,
    totalBlocks: blocks,
    threadInstructions: 32 * (loads + fp32 + tensor),
    warpInstructions: loads + fp32 + tensor,
    byClass: { load: loads, fp32, tensor },
    global: {
      loadRequests: loads,
      loadSectors: 4 * loads,
      loadBytes: 128 * loads,
      storeRequests: 0,
      storeSectors: 0,
      storeBytes: 0,
      uniqueBytes,
    },
    allocations: [
      {
        name: 'x',
        bytes: uniqueBytes,
        loadSectors: 4 * loads,
        storeSectors: 0,
        atomicSectors: 0,
        uniqueBytes,
        bytesPerBlock: (loads * 128) / blocks,
        sharedWithNeighbour: [1 - 1 / again, 0, 0],
      },
    ],
    reuse: { loads: [], others: [] },
    shared: { accesses: 0, wavefronts: 0, leastWavefronts: 0, bankConflictCycles: 0, worstWays: 1 },
    atomics: {
      requests: 0,
      operations: 0,
      sectors: 0,
      sameAddress: 0,
      serialised: 0,
      hottestUpdates: 0,
      sharedRequests: 0,
      sharedOperations: 0,
    },
    local: { loadRequests: 0, storeRequests: 0, sectors: 0 },
    barriers: { arrivals: 0, waitedInstructions: 0, longestInstructions: 0 },
    tensor: tensor === 0 ? {} : { f16: { instructions: tensor, multiplyAdds: tensor * 2048 } },
    asyncCopies: { requests: 0, bytes: 0 },
    divergentBranches: 0,
    branches: 0,
    hot: [],
  };
  return { profile, demand: { threads, registers: 32, sharedBytes: 0 }, spillBytes: 0 };
}

const launches: readonly ModelledLaunch[] = [
  ...[1, 8, 64, 512].map((blocks) => launch(blocks, {})),
  ...[4096, 16384, 65536].flatMap((blocks) => [launch(blocks, { loads: 4 }), launch(blocks, { loads: 8, again: 8 })]),
  ...[2000, 8000].flatMap((blocks) => [launch(blocks, { fp32: 4000 }), launch(blocks, { tensor: 2000 })]),
  ...[20, 132].map((blocks) => launch(blocks, { fp32: 30000, warps: 1 })),
  ...[16, 100, 132].flatMap((blocks) => [launch(blocks, { loads: 2000 }), launch(blocks, { fp32: 20000 })]),
];

/** Deterministic noise: normal by the sum of twelve uniform numbers. */
function noise(seed: number): () => number {
  let state = seed;
  const uniform = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return () => Array.from({ length: 12 }, uniform).reduce((sum, value) => sum + value, -6);
}

function synthetic(sigma: number): MeasuredRun[] {
  const normal = noise(7);
  return launches.map((one, index) => {
    const microseconds = modelTime([one], h100, truth).microseconds * Math.exp(sigma * normal());
    return {
      kernel: `synthetic ${index}`,
      gpu: 'h100',
      launches: [one],
      microseconds,
      spread: [microseconds * 0.98, microseconds * 1.02],
      samples: 1,
    };
  });
}

describe('calibration on synthetic times', () => {
  it('recovers the constants that the times were made with', () => {
    const fitted = fitConstants(synthetic(0), h100);
    for (const [name, value] of Object.entries(truth))
      assert.ok(Math.abs(fitted[name as keyof ModelConstants] / value - 1) < 0.1, `${name}: ${JSON.stringify(fitted)}`);
    const { medianError } = score(predict(synthetic(0), h100, fitted));
    assert.ok(medianError < 0.02, `${medianError}`);
  });

  it('does so through noise, and predicts runs it has not seen better than the defaults do', () => {
    const runs = synthetic(0.08);
    const before = score(predict(runs, h100, defaultConstants));
    const fitted = score(predict(runs, h100, fitConstants(runs, h100)));
    const unseen = score(predictLeftOut(runs, h100));
    assert.ok(
      fitted.medianError < 0.1 && fitted.medianError < before.medianError / 2,
      JSON.stringify({ before, fitted }),
    );
    assert.ok(unseen.medianError < before.medianError, JSON.stringify({ before, unseen }));
    assert.ok(unseen.medianError >= fitted.medianError * 0.8, 'what was not seen is not predicted better');
    assert.ok(unseen.spearman > 0.95 && unseen.pairwiseOrder > 0.9 && unseen.inInterval > 0.8, JSON.stringify(unseen));
  });

  it('leaves constants alone that the runs do not tell', () => {
    const streams = synthetic(0).filter(({ launches: [one] }) => one!.profile.byClass.tensor === 0);
    assert.ok(Math.abs(fitConstants(streams, h100).tensor / defaultConstants.tensor - 1) < 1e-6);
    assert.deepEqual(fitConstants([], h100), defaultConstants);
  });
});

describe('scores', () => {
  const of = (pairs: readonly (readonly [measured: number, modelled: number])[]) =>
    score(pairs.map(([measured, modelled]) => ({ measured, modelled, low: modelled * 0.5, high: modelled * 2 })));

  it('are those of the textbook', () => {
    assert.deepEqual(
      of([
        [1, 2],
        [2, 4],
        [3, 6],
      ]),
      { runs: 3, spearman: 1, pairwiseOrder: 1, medianError: 1, inInterval: 1 },
    );
    assert.deepEqual(
      of([
        [1, 3],
        [2, 2],
        [3, 1],
      ]),
      {
        runs: 3,
        spearman: -1,
        pairwiseOrder: 0,
        medianError: 1 - 1 / 3,
        inInterval: 1 / 3,
      },
    );
    // Ranks 1 2 3 4 and 2 1 4 3: 1 - 6 * 4 / (4 * 15).
    const half = of([
      [1, 20],
      [2, 10],
      [3, 40],
      [4, 30],
    ]);
    assert.ok(Math.abs(half.spearman - 0.6) < 1e-12);
    assert.equal(half.pairwiseOrder, 4 / 6);
    // Runs 2 % apart have no order to get right.
    assert.equal(
      of([
        [100, 2],
        [102, 1],
        [200, 3],
      ]).pairwiseOrder,
      1,
    );
    assert.ok(Number.isNaN(of([]).medianError));
  });
});

describe('files of measurements', () => {
  const file = {
    schema: 'assay-measurements/1',
    kind: 'measured',
    gpu: 'h100',
    date: '2026-11-23',
    hardware: { name: 'made up for this test', driver: '0', cuda: '0' },
    runs: [
      {
        kernel: 'k',
        sourceHash: 'sha256:0',
        microseconds: 10,
        spread: [9, 11],
        samples: 5,
        launches: [launch(4, {})],
      },
    ],
  };
  const parse = (change: object): MeasuredRun[] => parseMeasurements(JSON.stringify({ ...file, ...change }), 'a.json');
  const run = (change: object) => ({ runs: [{ ...file.runs[0], ...change }] });

  it('are read', () => {
    const [one] = parse({});
    assert.deepEqual([one!.kernel, one!.gpu, one!.microseconds, one!.launches.length], ['k', 'h100', 10, 1]);
  });

  it('are refused with the reason when they are modelled or lack something', () => {
    const refused = (change: object, reason: RegExp) =>
      assert.throws(
        () => parse(change),
        (error) => error instanceof BadMeasurements && reason.test(error.message),
      );
    refused({ kind: 'modelled' }, /^a\.json holds a modelled time/);
    refused(run({ microseconds: modelTime([launch(4, {})], h100) }), /holds a modelled time/);
    refused(run({ modelled: { microseconds: 4 } }), /holds a modelled time/);
    refused({ kind: 'guessed' }, /"kind": "measured"/);
    refused({ gpu: 'gtx1' }, /GPU that is not known.*Known: h100/);
    refused({ hardware: {} }, /hardware's name/);
    refused({ date: 'yesterday?' }, /no date/);
    refused(run({ microseconds: -1 }), /lacks positive microseconds in run 1/);
    refused(run({ spread: [12, 13] }), /a spread around its microseconds/);
    refused(run({ launches: [] }), /lacks launches/);
    refused(run({ sourceHash: undefined }), /the source or its hash/);
    assert.throws(() => parseMeasurements('{', 'b.json'), /^BadMeasurements: b\.json is not JSON/);
  });
});
