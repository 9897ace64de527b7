/** `assay bench`: which tasks it finds, what rows come to, and that an interrupted bench goes on. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { benchPage } from '../src/cli/bench/page.ts';
import { type Row, rowOf } from '../src/cli/bench/row.ts';
import { summaryOf } from '../src/cli/bench/summary.ts';
import { tasksUnder } from '../src/cli/bench/tasks.ts';
import { run } from './program.ts';

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
    floor: { microseconds: 2 },
    times: { kind: 'modelled' },
    directTranslationMicroseconds: 40,
    ...more,
  });
const best = { summary: 'fused', kernel: 'best.cu', evidence: 'e.json', modelled: { microseconds: 4 } };

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
    assert.deepEqual(spread, { count: 2, median: 10, least: 4, most: 16 });
    assert.equal(percentOfFloor?.median, 75);
    assert.ok(Math.abs(overBaseline!.geometricMean - Math.SQRT2) < 1e-12, String(overBaseline!.geometricMean));
    assert.deepEqual([overBaseline!.faster, overBaseline!.twiceAsFast], [0.25, 0.25]);
    assert.deepEqual(summaryOf([{ ...known, outcome: 'refused' }]).overDirect, undefined);
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
});
