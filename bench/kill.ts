/**
 * Kills a search with SIGKILL at many random moments, resumes it each time, and holds what comes of it to a run of the same seed that was left
 * alone: `npm run bench:kill -- [kills] [seed]`. Each search is killed up to ten times; as many searches are run as the kills take.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '../src/engineer/index.ts';
import { killOften, runWhole } from '../test/killed-run.ts';

const [wanted, seed] = [Number(process.argv[2] ?? 50), Number(process.argv[3] ?? 1)];
const killsOfOne = 10;
const random = new Random('kill', seed);
const folder = mkdtempSync(join(tmpdir(), 'assay-kill-'));
const task = join(folder, 'softmax.py');
writeFileSync(
  task,
  `import torch
import torch.nn as nn

class Model(nn.Module):
    def forward(self, x):
        return torch.softmax(x * 0.5, dim=-1)

def get_inputs():
    return [torch.randn(96, 160)]

def get_init_inputs():
    return []
`,
);
const parameters = ['optimize', task, '--workers', '1', '--patience', '1', '--budget', '3600', '--headroom', '0'];
try {
  const began = performance.now();
  const whole = await runWhole(join(folder, 'whole'), parameters);
  const milliseconds = performance.now() - began;
  console.log(
    `left alone: ${whole.candidates.length} candidates in ${(milliseconds / 1000).toFixed(1)} s, best: ${whole.best.summary}`,
  );
  for (let kills = 0, search = 1; kills < wanted; search++) {
    // Anywhere from the start of the program to well into its work.
    const delays = Array.from({ length: Math.min(killsOfOne, wanted - kills) }, () =>
      Math.round(random.next() * milliseconds * 0.4),
    );
    const report = await killOften(join(folder, String(search)), parameters, delays, whole);
    kills += report.kills;
    console.log(
      `search ${search}: killed ${report.kills} times with ${report.verdictsAtKills.join(', ')} verdicts; processes gone within ${(report.longest / 1000).toFixed(1)} s; the same ${report.candidates} candidates and best; ${kills} kills so far`,
    );
  }
  console.log(`${wanted} kills: nothing lost, nothing twice, no process left, the same best each time`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
