/** A run in part, as a child says it: what was not asked for, or is not complete, is a crash. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { SampledRunRequest, SampledRunResult } from '../sampled-run.ts';
import { pathsOf, replaceAt } from './mutation.fixture.ts';
import { readSampledAnswer } from './read-sampled.ts';

const request: SampledRunRequest = {
  plan: {
    buffers: [
      { id: 0, bytes: 32, kind: 'argument', argument: 0, name: 'x' },
      { id: 1, bytes: 32, kind: 'workspace', name: 'out' },
    ],
    steps: [
      {
        ...{ kind: 'launch', entry: 'k', kernel: 'k', grid: [4, 1, 1], block: [32, 1, 1], dynamicSharedBytes: 0 },
        ...{ arguments: [], line: 1 },
      },
    ],
    outputs: [{ buffer: 1, dtype: 'float32', shape: [4, 2], strides: [2, 1], offset: 0 }],
  },
  build: {
    ...{ hash: '1'.repeat(64), ptx: '', cubin: '', arch: 'sm_90', resources: [], compiler: 'nvcc' },
    ...{ milliseconds: 1, cached: false },
  },
  contents: [new Uint8Array(32)],
  rows: [{ elements: 2, most: 3 }],
  ...{ seed: 1, blocks: 2, limits: { milliseconds: 1000, instructions: 1e6, wholeInstructions: 1e6 } },
};

const row = (index: number) => ({ row: index, bytes: new Uint8Array(8), written: new Uint8Array(2).fill(1) });
const honest = () => ({
  status: 'completed',
  launches: [
    {
      ...{ kernel: 'k', line: 1, grid: [4, 1, 1], block: [32, 1, 1], totalBlocks: 4, ranBlocks: 2 },
      ...{ threadInstructions: 5, madeUp: false },
    },
  ],
  outputs: [{ rows: [row(0), row(3)], coverage: { known: true } }],
  findings: [],
  milliseconds: 1,
});
const read = (answer: unknown): SampledRunResult => readSampledAnswer(answer, request).result;

describe('a run in part', () => {
  test('is what an honest child says', () => {
    assert.deepEqual(read(honest()), honest());
  });

  test('that is not as was asked is a crash, and says why', () => {
    const output = (change: object) => ({ ...honest(), outputs: [{ ...honest().outputs[0], ...change }] });
    const cases: [string, unknown, RegExp][] = [
      ['no outputs', { ...honest(), outputs: [] }, /0 outputs, and 1/],
      ['no launches', { ...honest(), launches: [] }, /0 launches, and the plan has 1/],
      ['rows beyond the last', output({ rows: [row(4)] }), /`row` is over 3/],
      ['rows that nobody asked for', output({ rows: [0, 1, 2, 3].map(row) }), /nobody asked/],
      ['a row too short', output({ rows: [{ ...row(0), bytes: new Uint8Array(7) }] }), /not 8 bytes/],
      ['a missing element that there is not', output({ coverage: { known: true, firstMissing: 8 } }), /firstMissing/],
      ['more blocks than there are', { ...honest(), launches: [{ ...honest().launches[0], ranBlocks: 5 }] }, /over 4/],
    ];
    for (const [name, answer, why] of cases) {
      const result = read(answer);
      assert.equal(result.status, 'crashed', name);
      assert.match((result as { message: string }).message, why, name);
    }
  });

  test('with any one field replaced is a crash, or has the form of an honest one', () => {
    const junk = fc.oneof(fc.anything({ withTypedArray: true }), fc.constantFrom(NaN, -1, 2 ** 60, [], {}, null));
    fc.assert(
      fc.property(fc.constantFrom(...pathsOf(honest())), junk, fc.boolean(), (path, value, remove) => {
        const answer = honest();
        replaceAt(answer, path, value, remove);
        const result = read(answer);
        if (result.status !== 'completed' || result.findings.length > 0) return;
        assert.equal(result.outputs.length, 1, 'outputs');
        for (const one of result.outputs[0]!.rows) {
          assert.ok(one.row >= 0 && one.row < 4, `row ${one.row}`);
          assert.deepEqual([one.bytes.length, one.written.length], [8, 2], 'a row');
        }
        for (const { ranBlocks, totalBlocks } of result.launches)
          assert.ok(ranBlocks <= totalBlocks, `${ranBlocks} of ${totalBlocks} blocks`);
      }),
      { numRuns: 2000 },
    );
  });
});
