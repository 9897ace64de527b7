/**
 * Kills a search with SIGKILL at many random moments, resumes it each time, and holds what comes of it to a run of the same seed that was left
 * alone: `npm run bench:kill -- [kills] [seed] [warm]`. Each search is killed up to ten times; as many searches are run as the kills take. One in four begins
 * with nothing; the others find traces and builds, as after an earlier run, so that more of the kills meet judgements. `warm`: all do.
 */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '../src/engineer/index.ts';
import { killOften, runWhole, smallSoftmax } from '../test/killed-run.ts';

const [wanted, seed] = [Number(process.argv[2] ?? 50), Number(process.argv[3] ?? 1)];
const allWarm = process.argv[4] === 'warm';
const killsOfOne = 10;
const random = new Random('kill', seed);
const folder = mkdtempSync(join(tmpdir(), 'assay-kill-'));
const task = join(folder, 'softmax.py');
writeFileSync(task, smallSoftmax);
const parameters = ['optimize', task, '--workers', '1', '--patience', '1', '--budget', '3600', '--headroom', '0'];

/** A home for a search, with what an earlier one has traced and compiled, or without. */
function newHome(name: string, kind: 'cold' | 'warm'): string {
  const home = join(folder, name);
  for (const cache of kind === 'warm' ? ['traces', 'builds'] : [])
    cpSync(join(folder, 'cold', cache), join(home, cache), { recursive: true });
  return home;
}

async function timed(kind: 'cold' | 'warm') {
  const began = performance.now();
  const whole = await runWhole(newHome(kind, kind), parameters);
  const milliseconds = performance.now() - began;
  const took = `${(milliseconds / 1000).toFixed(1)} s ${kind}`;
  console.log(`left alone, ${took}: ${whole.candidates.length} candidates, best: ${whole.best.summary}`);
  return { whole, milliseconds };
}

try {
  const took = { cold: await timed('cold'), warm: await timed('warm') };
  for (let kills = 0, search = 1; kills < wanted; search++) {
    const kind = search % 4 === 1 && !allWarm ? 'cold' : 'warm';
    const { whole, milliseconds } = took[kind];
    const most = Math.min(killsOfOne, wanted - kills);
    const delays = Array.from({ length: most }, () => Math.round(random.next() * milliseconds));
    const report = await killOften(newHome(String(search), kind), parameters, delays, whole);
    kills += report.kills;
    const { verdictsAtKills, longest, candidates } = report;
    console.log(
      `search ${search}, ${kind}: killed ${report.kills} times, with ${verdictsAtKills.join(', ') || 'no'} verdicts; the last process gone within ` +
        `${(longest / 1000).toFixed(1)} s; then the same ${candidates} candidates, verdicts and best; ${kills} kills so far`,
    );
  }
  console.log(`${wanted} kills: nothing lost, nothing twice, no process left, the same best each time`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
