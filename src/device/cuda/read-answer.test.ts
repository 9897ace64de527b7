/** What a GPU's child says, changed in one place or made up: malformed, or of the form that was asked for. Real answers over the fake driver are changed. */
import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { reading } from '../answer/fields.ts';
import { pathsOf, replaceAt } from '../answer/mutation.fixture.ts';
import { CudaProcess } from './cuda-process.ts';
import { openMemoryFile, pack, unpack } from './exchange.ts';
import { buildFakeDriver, cCompiler } from './fake/build-fake.ts';
import { build, call, launch, plan, ramp } from './kernels.fixture.ts';
import { type AnswerTo, mostAnswerBytes, type Question, readAnswer } from './read-answer.ts';

const compiler = cCompiler();
const skip = compiler ? false : 'there is no C compiler for the fake CUDA driver';

const junk = fc.oneof(
  fc.anything({ withTypedArray: true, withNullPrototype: true, withSparseArray: true }),
  fc.constantFrom(NaN, -1, Infinity, 0.5, 2 ** 60, '', null, undefined, [], {}, new Uint8Array(3), true, false, 0, 1),
);

describe("what a GPU's child says", { skip }, async () => {
  const fake = compiler ? await buildFakeDriver(compiler) : undefined;
  const file = openMemoryFile();
  let started: CudaProcess | undefined;
  after(async () => {
    await started?.end();
    fake?.remove();
    closeSync(file);
  });

  const timed = { plan: plan([launch('twice')]), build };
  const limits = { milliseconds: 60_000, instructions: 1e9, memoryBytes: 1e8, printBytes: 2000 };
  const operands = { base: 0, renewals: [] };
  const secrets = { key: [1, 2], poison: [3, 4] } as const;
  const questions: readonly Question[] = [
    { name: 'open', input: null, fake: true },
    { name: 'run', input: { ...timed, calls: [call(ramp(0)), call(ramp(1))], limits } },
    { name: 'prepare', input: { timed, bases: [[ramp(0)]], mostCalls: 4, probe: { operands, secrets } } },
    {
      ...{ name: 'window', timed },
      input: { instance: 0, work: 'calls', operands: [operands, operands], secrets, keep: [1], ownProcesses: 1 },
    },
    { name: 'condition', input: { ownProcesses: 1 } },
  ];

  /** The real answers, in the order of the questions. */
  const real = async (): Promise<readonly object[]> => {
    const options = { gpu: 0, fake: { library: fake!.library } };
    const process = await CudaProcess.start(options);
    if ('message' in process) throw new Error(process.message);
    started = process.process;
    const answers: object[] = [process.opened];
    for (const question of questions.slice(1)) {
      const asked = await started.ask(question, 60_000);
      if (asked.status !== 'answered') throw new Error(asked.message);
      answers.push(asked.value);
    }
    return answers;
  };
  const answers = skip ? [] : await real();

  /** Through the file and back, as between processes. */
  const said = <Asked extends Question>(value: unknown, question: Asked) =>
    reading('the GPU', () => readAnswer(unpack(pack(value, file), file, mostAnswerBytes(question)), question));

  /** The form that whoever asked relies on. */
  const holds = (question: Question, value: AnswerTo<Question>): void => {
    if (question.name === 'run' && 'result' in value) {
      if (value.result.status !== 'completed') return;
      assert.equal(value.result.calls.length, 2, 'calls');
      for (const { outputs } of value.result.calls) {
        assert.deepEqual([outputs.length, outputs[0]!.bytes.length, outputs[0]!.written?.length], [1, 1200, 300]);
      }
      assert.equal(value.result.measured, undefined, 'measured');
    }
    if (question.name === 'open' && 'simulated' in value) {
      assert.equal(value.simulated, true, 'simulated');
      assert.equal(typeof value.identity.name, 'string', 'name');
    }
    if (question.name === 'prepare' && 'status' in value && value.status === 'ready') {
      assert.ok(value.mostCalls >= 1 && value.mostCalls <= 4, `${value.mostCalls} calls`);
      assert.equal(typeof value.repeatable, 'boolean', 'repeatable');
    }
    if (question.name === 'window' && 'kept' in value) {
      assert.deepEqual([value.kept.length, value.kept[0]!.length, value.kept[0]![0]!.length], [1, 1, 1200], 'kept');
      for (const time of [value.deviceMicroseconds, value.hostMicroseconds])
        assert.ok(time > 0 && time < Infinity, `a time of ${time}`);
      for (const index of [...value.different, ...value.changed])
        assert.ok(index === 0 || index === 1, `call ${index}`);
    }
  };

  test('is read as it was said', () => {
    for (const [i, question] of questions.entries()) {
      const read = said({ ok: true, value: answers[i] }, question);
      assert.deepEqual('value' in read && read.value.ok && read.value.value, answers[i], question.name);
    }
  });

  for (const [i, question] of questions.entries()) {
    test(`is malformed or whole where one thing is changed in it (${question.name})`, () => {
      const paths = pathsOf(answers[i]);
      fc.assert(
        fc.property(fc.constantFrom(...paths), junk, fc.boolean(), (path, value, remove) => {
          const answer = structuredClone(answers[i])!;
          replaceAt(answer, path, value, remove);
          const read = said({ ok: true, value: answer }, question);
          if ('value' in read && read.value.ok) holds(question, read.value.value);
        }),
        { numRuns: 700 },
      );
    });
  }

  test('of any form never throws, and is never taken for an answer', () => {
    fc.assert(
      fc.property(junk, fc.constantFrom(...questions), (value, question) => {
        for (const form of [value, { ok: true, value }]) {
          const read = said(form, question);
          assert.ok('malformed' in read || !read.value.ok, `${question.name} was answered`);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('has no bytes but those that are in the file, and no more than were asked for', () => {
    const run = questions[1]!;
    const packed = pack({ ok: true, value: answers[1] }, file);
    assert.throws(() => unpack(packed, file, mostAnswerBytes(run) - 1), /more than/);
    for (const place of [[0, 1e12], [-1, 4], [0.5, 1], [1e9, 4], [0], 'all', [4, NaN]]) {
      assert.throws(() => unpack({ bytes: place }, file), /bytes|place/, JSON.stringify(place));
    }
    let deep: unknown = 1;
    for (let i = 0; i < 10_000; i++) deep = [deep];
    assert.throws(() => unpack(deep, file), /too deep/);
    assert.throws(() => unpack({ neither: 1 }, file), /not an object/);
  });
});
