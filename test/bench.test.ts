/** `assay bench`: which tasks it finds, what rows come to, and that an interrupted bench goes on. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { openArchive } from '../src/archive/index.ts';
import { benchPage } from '../src/cli/bench/page.ts';
import { type Row, rowOf } from '../src/cli/bench/row.ts';
import { summaryOf } from '../src/cli/bench/summary.ts';
import { head, rowLines, sumLines } from '../src/cli/bench/table.ts';
import { tasksUnder } from '../src/cli/bench/tasks.ts';
import { findToolchain } from '../src/kernel/index.ts';
import { run, start } from './program.ts';

const folder = mkdtempSync(join(tmpdir(), 'assay-bench-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function put(path: string, text: string): string {
  mkdirSync(join(folder, path, '..'), { recursive: true });
  writeFileSync(join(folder, path), text);
  return join(folder, path);
}

const taskText = (body: string) => `import torch
class Model(torch.nn.Module):
    def forward(self, x):
        return ${body}
def get_inputs():
    return [torch.rand(3)]
def get_init_inputs():
    return []
`;

const known = { task: 'a.py', hash: 'h', seconds: 12 };
const report = (more: object) =>
  JSON.stringify({
    run: { id: 'r', stopped: 'no improvement', judged: 3, passedOver: 9, rejected: { values: 2 } },
    floor: { gpu: 'h100', microseconds: 2 },
    times: { kind: 'modelled' },
    devices: 'On the virtual GPU: nothing is measured.',
    directTranslationMicroseconds: 40,
    ...more,
  });
const best = { summary: 'fused', kernel: 'best.cu', evidence: 'e.json', modelled: { microseconds: 4 } };

const skip = (await findToolchain()) ? false : 'nvcc is not installed';

describe('assay bench', () => {
  it('finds task files and folders, however deep, numbers as numbers', () => {
    put('tasks/level1/10_b.py', taskText('x'));
    put('tasks/level1/2_a.py', taskText('x'));
    put('tasks/level1/helper.py', 'import torch\n');
    put('tasks/robust/norm/func_forward.py', 'def forward_fn(x): return x\n');
    const found = tasksUnder(join(folder, 'tasks')).map((path) => path.slice(folder.length + 7));
    assert.deepEqual(found, ['level1/2_a.py', 'level1/10_b.py', 'robust/norm']);
    mkdirSync(join(folder, 'empty'));
    assert.throws(() => tasksUnder(join(folder, 'empty')), /no task under/);
  });

  it('makes a row of what optimize prints, whatever came of it', () => {
    assert.deepEqual(rowOf(known, '{"error": "line 4: no"}'), { ...known, outcome: 'refused', reason: 'line 4: no' });
    assert.equal(rowOf(known, '').outcome, 'stopped');
    const none = rowOf(known, report({}));
    assert.equal(none.outcome, 'none');
    assert.match(none.reason!, /2 by values/);
    const cutOff = { id: 'r', stopped: 'interrupted', judged: 1, passedOver: 0, rejected: {} };
    const late = rowOf(known, report({ run: cutOff }));
    assert.equal(late.outcome, 'stopped');
    assert.match(late.reason!, /before its best kernel was confirmed/);
    const nothing = rowOf(known, report({ run: cutOff, directTranslationMicroseconds: undefined }));
    assert.match(nothing.reason!, /before a candidate was found correct/);
    const correct = rowOf(known, report({ best }));
    assert.deepEqual([correct.outcome, correct.microseconds, correct.direct, correct.floor], ['correct', 4, 40, 2]);
    const comparisons = [
      { baseline: 'eager', speedup: { ratio: 3 } },
      { baseline: 'compile', speedup: { ratio: 1.5 } },
    ];
    const timed = { ...best, measured: { medianMicroseconds: 5 }, speed: { claimed: { ratio: 1.5 }, comparisons } };
    const measured = rowOf(known, report({ times: { kind: 'measured' }, best: timed }));
    assert.deepEqual(
      [measured.microseconds, measured.overBaseline, measured.baseline, measured.claimed],
      [5, 1.5, 'compile', true],
    );
  });

  it('sums up: means over what is known, shares over all tasks', () => {
    const row = (microseconds: number, direct: number, overBaseline: number): Row => {
      return { ...known, outcome: 'correct', kind: 'modelled', floor: 1, microseconds, direct, overBaseline };
    };
    const rows: Row[] = [
      row(2, 8, 4),
      row(1, 16, 0.5),
      { ...known, outcome: 'refused', reason: 'no' },
      { ...known, outcome: 'none' },
    ];
    const { correct, overDirect, percentOfFloor, overBaseline } = summaryOf(rows);
    assert.equal(correct, 2);
    const { geometricMean, ...spread } = overDirect!;
    assert.ok(Math.abs(geometricMean - 8) < 1e-9, String(geometricMean));
    assert.deepEqual(spread, { count: 2, median: 10, least: 4, most: 16, faster: 0.5, twiceAsFast: 0.5 });
    assert.equal(percentOfFloor?.median, 75);
    assert.ok(Math.abs(overBaseline!.geometricMean - Math.SQRT2) < 1e-12, String(overBaseline!.geometricMean));
    assert.deepEqual([overBaseline!.faster, overBaseline!.twiceAsFast], [0.25, 0.25]);
    assert.deepEqual(summaryOf([{ ...known, outcome: 'refused' }]).overDirect, undefined);
  });

  it('fits 80 columns, whatever the names and reasons, and says what the times are', () => {
    const long = `level1/${'a_very_long_name_'.repeat(6)}.py`;
    const correct = {
      ...known,
      task: long,
      outcome: 'correct',
      kind: 'modelled',
      floor: 3831.3,
      microseconds: 4426,
    } as const;
    const rows: Row[] = [
      { ...correct, direct: 5000, gpu: 'h100', devices: 'On the virtual GPU: nothing is measured.', seconds: 3700 },
      { ...correct, kind: 'measured', direct: 123456, overBaseline: 1.2345, baseline: 'torch.compile', gpu: 'h100' },
      { ...known, outcome: 'refused', reason: 'line 4: no such thing. '.repeat(9), seconds: 1 },
    ];
    const lines = [
      head(250),
      ...rows.flatMap((row, i) => rowLines(row, i + 1, 250)),
      ...sumLines(summaryOf(rows, 247)),
    ];
    const text = lines.join('\n');
    for (const line of text.split('\n')) assert.ok(line.length < 80, `${line.length}: ${line}`);
    assert.match(text, /^ {2}1\/250 level1\/a_very_long_name_\w+\.\.\. +4\.43 ms +86\.6 +1\.13 +61:40$/m);
    assert.match(text, /^ {2}2\/250 .* 86\.6 +27\.9 +1\.23 +0:12$/m);
    assert.match(text, /^ {2}3\/250 a +refused +0:01\n {8}line 4: no such thing\. line 4/m);
    assert.match(text, /^correct +2 of 3; 66\.7 %; 247 more are not done$/m);
    assert.match(
      text,
      /^times +modelled and measured; Target h100\. On the virtual GPU:\n {24}nothing is measured\.$/m,
    );
    assert.match(
      text,
      /^over direct translation +5\.6\d times; geometric mean of 2; median 14\.5, 1\.13 to\n {24}27\.9$/m,
    );
    assert.match(text, /^faster than it +66\.7 %; of all tasks; twice as fast: 33\.3 %$/m);
  });

  it('makes a page of its own, in which no text of others is markup', () => {
    const rows: Row[] = [{ ...known, outcome: 'refused', reason: '<script>alert(1)</script>' }];
    const page = benchPage({ title: 'Bench', about: 'two', rows, summary: summaryOf(rows) });
    assert.ok(!page.includes('<script'), page);
    assert.ok(!/(src|href)=/.test(page), 'nothing from elsewhere');
  });

  it('gives a task that does not trace its reason, and with --resume does nothing twice', async () => {
    const tasks = join(put('broken/broken.py', taskText('x.nonsense()')), '..');
    const parameters = ['--home', join(folder, 'home'), 'bench', tasks, '--json'];
    const first = await run(...parameters);
    assert.equal(first.code, 1, first.stdout + first.stderr);
    const said = JSON.parse(first.stdout);
    assert.match(said.rows[0].reason, /line 4: Tensor\.nonsense/);
    assert.match(readFileSync(said.page, 'utf8'), /Tensor\.nonsense/);
    const again = JSON.parse((await run(...parameters, '--resume')).stdout);
    assert.deepEqual(again.rows, said.rows, 'its time too: it was not run again');
  });

  it('stops cleanly at Ctrl-C, which a terminal tells its runs too, and goes on in the run that was cut off', {
    skip,
  }, async () => {
    const tasks = join(put('cut off/wave.py', taskText('torch.sin(x) + x')), '..');
    const home = join(folder, 'home of its own');
    const parameters = ['--home', home, 'bench', tasks, '--budget', '2', '--', '--judgements', '3'];
    const { child, ended } = start(parameters, {}, true);
    try {
      // The compiler works on the first candidate: the run is in the archive.
      while (!existsSync(join(home, 'builds'))) await new Promise((done) => setTimeout(done, 50));
      process.kill(-child.pid!, 'SIGINT');
      const { code, stdout } = await ended;
      assert.equal(code, 130, stdout);
      assert.match(stdout, /1 more are not done/);
      assert.match(
        stdout,
        /Go on with:\n {2}assay --home '.* of its own' bench --resume '.*cut off' --budget 2 -- --judgements 3\n/,
      );
    } finally {
      try {
        process.kill(-child.pid!, 'SIGKILL');
      } catch {
        // It has ended, as it should.
      }
    }
    const archive = await openArchive(home);
    const [cutOff, ...others] = await archive.runs();
    await archive.close();
    assert.equal(others.length, 0);
    const [bench, ...rest] = parameters.slice(2);
    const again = await run('--home', home, bench!, '--resume', '--json', ...rest);
    const { rows } = JSON.parse(again.stdout);
    assert.deepEqual([again.code, rows[0].outcome, rows[0].run], [0, 'correct', cutOff!.id], again.stdout);
  });
});
