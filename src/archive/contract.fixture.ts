/** What every archive must do, whatever database it stands on. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, it } from 'node:test';
import type { Graph, TensorSpec } from '../task/index.ts';
import {
  type Archive,
  type CallRecord,
  type CandidateRecord,
  openArchive,
  type TaskToStore,
  thisProcess,
  type VerdictRecord,
} from './index.ts';

/** A chain of operators on one tensor. */
function chain(shape: readonly number[], ...operators: readonly string[]): Graph {
  const spec: TensorSpec = { shape, dtype: 'float32' };
  const attributes: Readonly<Record<string, Graph['nodes'][number]['attributes']>> = {
    softmax: { dim: 1 },
    log_softmax: { dim: 1 },
    relu: {},
    tanh: {},
    exp: {},
  };
  const nodes = operators.map((op, index) => {
    return { op, inputs: [index], attributes: attributes[op]!, outputs: [{ id: index + 1, spec }], line: 1 };
  });
  const draw = { kind: 'normal', mean: 0, std: 1 } as const;
  return {
    inputs: [{ id: 0, name: 'x', spec, draw }],
    parameters: [],
    constants: [],
    nodes,
    outputs: [operators.length],
  };
}

export function taskOf(hash: string, shape: readonly number[], ...operators: readonly string[]): TaskToStore {
  return { hash, name: hash, source: 'class Model: ...', graph: chain(shape, ...operators), precision: 'fp32' };
}

export function proposal(number: number, source = `// kernel ${number}`, run = 'run-1'): CandidateRecord {
  return {
    ...{ id: `${run}-${number}`, run, number, generation: 0 },
    ...{ engineer: 'builtin', strategy: 'start', summary: `block ${number}` },
    knobs: { block: number },
    source,
    sourceHash: `hash of ${source}`,
    parents: number > 1 ? [`${run}-${number - 1}`, 'run-0-7'] : [],
  };
}

export function correct(microseconds: number): VerdictRecord {
  return {
    ...{ outcome: 'correct', check: null, reason: null, codeHash: `code ${microseconds}` },
    evidence: { seeds: ['a'] },
    milliseconds: 12.5,
    times: [
      { kind: 'modelled', device: 'h100', microseconds, low: microseconds / 2, high: microseconds * 2, detail: {} },
    ],
  };
}

function call(id: string, dollars: number | null): CallRecord {
  return {
    ...{ id, run: 'run-1', candidate: null, engineer: 'llm', strategy: 'translate', model: 'vendor:model' },
    ...{ prompt: 'translate@1a2b', requestHash: `asked ${id}`, transcript: { asked: 'write', answered: '\0' } },
    ...{ inputTokens: 1000, outputTokens: 200, cachedTokens: null, dollars, error: null, milliseconds: 950.5 },
  };
}

export const run1 = {
  id: 'run-1',
  taskHash: 'task-1',
  gpu: 'h100',
  device: 'virtual',
  engineer: 'builtin',
  seed: 7,
  options: { budget: 9 },
} as const;

/** Tests over archives at places that `newPlace` makes: each is opened, closed and opened again by its address. */
export function describeContract(newPlace: () => string): void {
  let place = '';
  let archive: Archive;
  beforeEach(async () => {
    place = newPlace();
    archive = await openArchive(place);
    await archive.saveTask(taskOf('task-1', [96, 160], 'softmax'));
    await archive.startRun(run1);
  });
  afterEach(() => archive.close());

  it('gives back what was stored, in another process life', async () => {
    await archive.addCandidate(proposal(1));
    await archive.addVerdict('run-1-1', correct(4));
    await archive.addCandidate(proposal(2));
    await archive.close();

    archive = await openArchive(place);
    const [first, second] = await archive.candidates('run-1');
    const { evidence, ...stored } = correct(4);
    assert.deepEqual(first, { ...proposal(1), verdict: stored });
    assert.deepEqual(await archive.evidence('run-1-1'), evidence);
    assert.deepEqual(second, proposal(2));
    assert.equal(await archive.evidence('run-1-2'), undefined);
    assert.deepEqual(await archive.candidate('run-1-2'), proposal(2));
    assert.equal(await archive.candidate('run-1-3'), undefined);
    const { started, ...run } = (await archive.run('run-1'))!;
    assert.deepEqual(run, { ...run1, finished: null });
    assert.ok(Math.abs(Date.parse(started) - Date.now()) < 60_000, `started at ${started}`);
    assert.equal(await archive.taskSource('task-1'), 'class Model: ...');
    assert.equal((await archive.unfinishedRun('task-1', 'h100'))?.id, 'run-1');
    assert.equal(await archive.unfinishedRun('task-1', 'a100'), undefined);
    assert.equal(await archive.unfinishedRun('task-1', 'h100', 'builtin'), undefined, 'of another engineer');
    await archive.finishRun('run-1');
    assert.equal(await archive.unfinishedRun('task-1', 'h100'), undefined);
  });

  it('ranks correct candidates of a task by time, each source once, never the rejected or passed over', async () => {
    for (const [index, time] of [5, 3, 4, 3.5].entries()) {
      await archive.addCandidate(proposal(index + 1, time < 4 ? '// same' : `// ${index}`));
      await archive.addVerdict(`run-1-${index + 1}`, correct(time));
    }
    await archive.addCandidate(proposal(9, '// wrong'));
    await archive.addVerdict('run-1-9', { ...correct(1), outcome: 'rejected', check: 'values', reason: 'wrong' });
    await archive.addCandidate(proposal(10, '// slow'));
    await archive.addVerdict('run-1-10', { ...correct(2), outcome: 'passed over', reason: 'not judged in full' });
    const times = (await archive.best('task-1', 'modelled', 'h100', 10)).map(({ verdict }) => verdict?.times[0]);
    assert.deepEqual(
      times.map((time) => time?.microseconds),
      [3, 4, 5],
    );
    assert.equal((await archive.best('task-1', 'modelled', 'h100', 2)).length, 2);
    assert.deepEqual(await archive.best('task-1', 'measured', 'h100', 10), []);
    assert.deepEqual(await archive.best('task-1', 'modelled', 'h100', 10, 'run-1'), []);
  });

  it('lets one process work on a run at a time, until it leaves or is gone', async () => {
    const own = thisProcess();
    assert.equal(await archive.holdRun('run-1', own), undefined);
    const heard = new Date().toISOString();
    assert.equal(await archive.holdRun('run-1', { ...own, heard }), undefined, 'its own');
    const other = { ...own, began: `${own.began}0` };
    assert.deepEqual(await archive.holdRun('run-1', other), { ...own, heard });
    await archive.leaveRun('run-1', other);
    assert.ok(await archive.holdRun('run-1', other), 'another process cannot give it up');
    await archive.leaveRun('run-1', own);
    assert.equal(await archive.holdRun('run-1', other), undefined, 'nobody had it');
    assert.equal(
      await archive.holdRun('run-1', own),
      undefined,
      'a process of that id began at another time: that one is gone',
    );
    await archive.leaveRun('run-1', own);

    const far = { ...own, machine: 'elsewhere' };
    assert.equal(await archive.holdRun('run-1', far), undefined);
    assert.equal((await archive.holdRun('run-1', own))?.machine, 'elsewhere', 'heard of a moment ago');
    await archive.holdRun('run-1', { ...far, heard: '2026-01-01T00:00:00.000Z' });
    assert.equal(await archive.holdRun('run-1', own), undefined, 'not heard of for long');
  });

  it('knows the modelled times of sources over all runs but one, also of those that were passed over', async () => {
    await archive.startRun({ ...run1, id: 'run-2' });
    await archive.addCandidate(proposal(1));
    await archive.addVerdict('run-1-1', correct(4));
    await archive.addCandidate(proposal(2));
    await archive.addVerdict('run-1-2', { ...correct(7), outcome: 'passed over', codeHash: null });
    await archive.addCandidate(proposal(3));
    await archive.addVerdict('run-1-3', { ...correct(1), outcome: 'rejected', times: [] });
    const known = await archive.modelled('task-1', 'h100', 'run-2');
    assert.deepEqual(
      [...known].map(([hash, { time, codeHash }]) => [hash, time.microseconds, codeHash]),
      [
        ['hash of // kernel 1', 4, 'code 4'],
        ['hash of // kernel 2', 7, null],
      ],
    );
    assert.equal((await archive.modelled('task-1', 'h100', 'run-1')).size, 0, 'its own run');
    assert.equal((await archive.modelled('task-1', 'a100', 'run-2')).size, 0, 'another target');
  });

  it('lets a second verdict replace the first, times and all', async () => {
    await archive.addCandidate(proposal(1));
    await archive.addVerdict('run-1-1', correct(4));
    await archive.addVerdict('run-1-1', { ...correct(4), outcome: 'rejected', reason: 'not again', times: [] });
    const [candidate] = await archive.candidates('run-1');
    assert.equal(candidate?.verdict?.outcome, 'rejected');
    assert.deepEqual(candidate?.verdict?.times, []);
    assert.deepEqual(await archive.best('task-1', 'modelled', 'h100', 10), []);
  });

  it('refuses a second candidate with the same number in a run, and keeps nothing of it', async () => {
    await archive.addCandidate(proposal(1));
    await archive.addCall(call('call-1', 0.5));
    await assert.rejects(archive.addCandidate({ ...proposal(1), id: 'other' }, ['call-1']), /unique/i);
    assert.equal((await archive.candidates('run-1')).length, 1);
    assert.equal((await archive.calls('run-1'))[0]?.candidate, null);
  });

  it('keeps calls to models before anything comes of them, and counts the money', async () => {
    await archive.addCall(call('call-1', 0.5));
    await archive.addCall(call('call-2', 0.25));
    await archive.addCall(call('call-3', null));
    await archive.addCandidate(proposal(1), ['call-1', 'call-2']);
    const calls = await archive.calls('run-1');
    assert.deepEqual(calls.map(({ id, candidate }) => [id, candidate]).toSorted(), [
      ['call-1', 'run-1-1'],
      ['call-2', 'run-1-1'],
      ['call-3', null],
    ]);
    assert.deepEqual(
      calls.find(({ id }) => id === 'call-3'),
      call('call-3', null),
    );
    const spent = { calls: 3, inputTokens: 3000, outputTokens: 600, dollars: 0.75, unpriced: 1 };
    assert.deepEqual(await archive.spent('run-1'), spent);
    assert.equal((await archive.spent('run-2')).dollars, 0);
  });

  it('keeps a call as it is begun and as it ends as one', async () => {
    await archive.addCall({ ...call('call-1', 0.9), error: 'asked', inputTokens: null });
    await archive.addCandidate(proposal(1), ['call-1']);
    await archive.addCall(call('call-1', 0.5));
    assert.deepEqual(await archive.calls('run-1'), [{ ...call('call-1', 0.5), candidate: 'run-1-1' }]);
    assert.deepEqual([(await archive.spent('run-1')).calls, (await archive.spent('run-1')).dollars], [1, 0.5]);
  });

  it('says whose twin a candidate is', async () => {
    await archive.addCandidate(proposal(1));
    await archive.addVerdict('run-1-1', correct(4));
    await archive.addCandidate(proposal(2));
    await archive.addVerdict('run-1-2', { ...correct(4), twin: 'run-1-1' });
    const twins = (await archive.candidates('run-1')).map(({ verdict }) => verdict?.twin);
    assert.deepEqual(twins, [undefined, 'run-1-1']);
  });

  it('lists tasks with what was done about them', async () => {
    await archive.saveTask(taskOf('unused', [8], 'relu'));
    await archive.addCandidate(proposal(1));
    await archive.addVerdict('run-1-1', correct(4));
    await archive.addCandidate(proposal(2));
    await archive.addCall(call('call-1', 0.5));
    await archive.startRun({ ...run1, id: 'run-2' });
    const [task, ...others] = await archive.tasks();
    assert.deepEqual(others, []);
    const { firstSeen, ...counts } = task!;
    assert.deepEqual(counts, { hash: 'task-1', name: 'task-1', runs: 2, candidates: 2, correct: 1, dollars: 0.5 });
    assert.ok(firstSeen <= new Date().toISOString(), firstSeen);
    assert.deepEqual((await archive.runs('task-1')).map(({ id }) => id).toSorted(), ['run-1', 'run-2']);
    assert.equal((await archive.runs()).length, 2);
  });

  it('finds related work: alike operators first, then alike sizes; only where something correct is known on the target', async () => {
    const others = [
      taskOf('pointwise', [96, 160], 'relu', 'tanh'),
      taskOf('softmax-far', [4, 40_000], 'softmax'),
      taskOf('softmax-near', [128, 160], 'softmax'),
      taskOf('softmax-unsolved', [96, 160], 'softmax'),
      taskOf('logs', [96, 160], 'log_softmax', 'exp'),
    ];
    for (const task of others) {
      await archive.saveTask(task);
      await archive.startRun({ ...run1, id: task.hash, taskHash: task.hash });
      await archive.addCandidate(proposal(1, `// slow ${task.hash}`, task.hash));
      await archive.addVerdict(`${task.hash}-1`, {
        ...correct(9),
        ...(task.hash === 'softmax-unsolved' && { outcome: 'rejected' }),
      });
    }
    await archive.addCandidate(proposal(2, '// fast', 'softmax-near'));
    await archive.addVerdict('softmax-near-2', correct(3));
    const asked = taskOf('task-1', [96, 160], 'softmax');
    const found = await archive.related(asked, 'h100', 10);
    assert.deepEqual(
      found.slice(0, 2).map(({ task }) => task.name),
      ['softmax-near', 'softmax-far'],
    );
    assert.deepEqual(
      found
        .slice(2)
        .map(({ task }) => task.name)
        .toSorted(),
      ['logs', 'pointwise'],
    );
    assert.equal(found[0]!.candidate.source, '// fast');
    assert.ok(
      found[0]!.similarity > 0.9 && found.at(-1)!.similarity < 0.5,
      JSON.stringify(found.map((f) => f.similarity)),
    );
    assert.match(found[0]!.shared, /^softmax; both limited by memory bandwidth$/);
    assert.equal((await archive.related(asked, 'h100', 1)).length, 1);
    assert.deepEqual(await archive.related(asked, 'a100', 10), []);
  });

  it('lets many read while one writes', async () => {
    const readers = await Promise.all([openArchive(place), openArchive(place), openArchive(place)]);
    try {
      const seen: number[] = [];
      const writing = (async () => {
        for (let number = 1; number <= 20; number++) await archive.addCandidate(proposal(number));
      })();
      const reading = readers.map(async (reader) => {
        for (let k = 0; k < 10; k++) seen.push((await reader.candidates('run-1')).length);
      });
      await Promise.all([writing, ...reading]);
      assert.equal(seen.length, 30);
      for (const reader of readers) assert.equal((await reader.candidates('run-1')).length, 20);
    } finally {
      await Promise.all(readers.map((reader) => reader.close()));
    }
  });
}
