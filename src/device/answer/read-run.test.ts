/** A child that lies, breaks off, or says what it was not asked: its answer is a crash, or exactly what an honest child could have said. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { RunRequest, RunResult } from '../types.ts';
import { pathsOf, replaceAt } from './mutation.fixture.ts';
import { readRunAnswer } from './read-run.ts';

const request: RunRequest = {
  plan: {
    buffers: [
      { id: 0, bytes: 16, kind: 'argument', argument: 0, name: 'x' },
      { id: 1, bytes: 16, kind: 'workspace', name: 'out' },
    ],
    steps: [],
    outputs: [{ buffer: 1, dtype: 'float32', shape: [2, 2], strides: [2, 1], offset: 0 }],
  },
  build: {
    ...{ hash: '1'.repeat(64), ptx: '', cubin: '', arch: 'sm_90', resources: [], compiler: 'nvcc' },
    ...{ milliseconds: 1, cached: false },
  },
  calls: [0, 1].map(() => ({ inputs: [new Uint8Array(16)], poisonSeed: 1, resetGlobals: true, freshMemory: true })),
  limits: { milliseconds: 1000, instructions: 1e6, memoryBytes: 1e6, printBytes: 100 },
};

const call = () => ({
  outputs: [{ bytes: new Uint8Array(16), written: new Uint8Array(4).fill(1) }],
  changedInputs: [],
  threadInstructions: 10,
  milliseconds: 1,
});
const honest = () => ({ status: 'completed', calls: [call(), call()], findings: [], printed: '' });

const read = (answer: unknown): RunResult => readRunAnswer(answer, request).result;

/** What hostile answers are made of. */
const junk = fc.oneof(
  fc.anything({ withTypedArray: true, withBigInt: true, withNullPrototype: true, withSparseArray: true }),
  fc.constantFrom(NaN, -1, Infinity, 0.5, 2 ** 60, '', null, undefined, [], {}, new Uint8Array(3), new Uint8Array(17)),
);

describe("a child's answer", () => {
  test('of an honest child is what it says', () => {
    assert.deepEqual(read(honest()), honest());
    const faulted = { status: 'faulted', findings: [], message: 'm', printed: 'p', callsCompleted: 1 };
    assert.deepEqual(read(faulted), faulted);
  });

  test('that is not as was asked is a crash, and says why', () => {
    const cases: [string, (answer: ReturnType<typeof honest>) => unknown, RegExp][] = [
      ['a call too few', (a) => ({ ...a, calls: a.calls.slice(1) }), /1 calls, and 2 were asked for/],
      ['a call too many', (a) => ({ ...a, calls: [...a.calls, call()] }), /3 calls/],
      ['no outputs', (a) => ({ ...a, calls: [call(), { ...call(), outputs: [] }] }), /0 outputs, and 1 were asked for/],
      ['bytes too few', (a) => outputs(a, { bytes: new Uint8Array(15) }), /`bytes` is not 16 bytes/],
      ['bytes as numbers', (a) => outputs(a, { bytes: new Float32Array(16) }), /`bytes` is not 16 bytes/],
      ['no word of what was written', (a) => outputs(a, { written: undefined }), /`written` is not 4 bytes/],
      ['more written than there is', (a) => outputs(a, { written: new Uint8Array(5).fill(1) }), /`written`/],
      ['written twice', (a) => outputs(a, { written: new Uint8Array(4).fill(2) }), /written or not/],
      ['NaN instructions', (a) => ({ ...a, calls: [call(), { ...call(), threadInstructions: NaN }] }), /whole number/],
      ['a measured time', (a) => ({ ...a, measured: { kind: 'measured' } }), /measures nothing/],
      ['a modelled time that nobody asked for', (a) => ({ ...a, modelled: {} }), /nobody asked/],
      ['too much printed', (a) => ({ ...a, printed: 'x'.repeat(101) }), /printed more/],
      ['inherited fields', (a) => Object.create(a), /`status` is not text/],
      ['fields by __proto__', (a) => JSON.parse(`{"__proto__": ${JSON.stringify({ status: a.status })}}`), /`status`/],
      [
        'a fault after all calls',
        () => ({ status: 'faulted', findings: [], message: '', printed: '', callsCompleted: 2 }),
        /after 2 of 2/,
      ],
      [
        'an input that there is not',
        (a) => ({ ...a, calls: [call(), { ...call(), changedInputs: [{ argument: 7, firstByte: 0 }] }] }),
        /changed which there is not/,
      ],
      ['a function of its own', () => ({ status: 'correct' }), /an end that there is not/],
    ];
    for (const [name, change, why] of cases) {
      const result = read(change(honest()));
      assert.equal(result.status, 'crashed', name);
      assert.match((result as { message: string }).message, why, name);
    }
  });

  test('of any form never throws, and is complete whenever it says so', () => {
    fc.assert(
      fc.property(junk, (answer) => {
        const result = read(answer);
        assert.notEqual(result.status, 'completed', 'random data passed for a complete run');
      }),
      { numRuns: 2000 },
    );
  });

  test('with any one field of an honest answer replaced is a crash, or has the form of an honest one', () => {
    const paths = pathsOf(honest());
    fc.assert(
      fc.property(fc.constantFrom(...paths), junk, fc.boolean(), (path, value, remove) => {
        const answer = honest();
        replaceAt(answer, path, value, remove);
        const result = read(answer);
        if (result.status !== 'completed') return;
        assert.equal(result.calls.length, 2, 'calls');
        for (const { outputs: sealed, threadInstructions } of result.calls) {
          assert.equal(sealed.length, 1, 'outputs');
          assert.equal(sealed[0]!.bytes.length, 16, 'bytes');
          assert.equal(sealed[0]!.written?.length, 4, 'written');
          assert.equal(Number.isSafeInteger(threadInstructions), true, 'instructions');
        }
        assert.equal(typeof result.printed, 'string', 'printed');
        assert.equal(result.measured, undefined, 'measured');
      }),
      { numRuns: 3000 },
    );
  });
});

function outputs(answer: ReturnType<typeof honest>, change: object): unknown {
  return { ...answer, calls: [call(), { ...call(), outputs: [{ ...call().outputs[0], ...change }] }] };
}
