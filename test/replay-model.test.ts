/**
 * A run with a model, played back from its record: what an intelligent endpoint answered in a real run of this task is judged again, and beats the
 * built-in engineer's best. Answers are played in order, so that the words of prompts may change.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { openArchive } from '../src/archive/index.ts';
import {
  createBuiltinEngineer,
  type Hire,
  hireModels,
  optimiseTask,
  parseModelNames,
  parsePrices,
} from '../src/engineer/index.ts';
import { findToolchain } from '../src/kernel/index.ts';
import { loadTask } from '../src/task/index.ts';
import { root } from './program.ts';

const skip = (await findToolchain()) ? false : 'nvcc is not installed';

const folder = mkdtempSync(join(tmpdir(), 'assay-replay-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const file = join(folder, 'separable.py');
writeFileSync(
  file,
  `import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, channels, out_channels):
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.pointwise = nn.Conv2d(channels, out_channels, 1)

    def forward(self, x):
        return torch.relu(self.pointwise(torch.relu(self.depthwise(x))))


def get_inputs():
    return [torch.randn(2, 16, 16, 16)]


def get_init_inputs():
    return [16, 32]
`,
);

/** The built-in engineer's first candidates alone, among which was its best in the run that was recorded. */
const startsOfBuiltin: Hire = ({ task }) => {
  const builtin = createBuiltinEngineer({ task });
  return {
    name: 'builtin',
    strategies: [],
    start: async () => (await builtin.start()).slice(0, 3),
    vary: async () => undefined,
    canVary: () => false,
  };
};

describe('a recorded run with a model', { skip }, () => {
  it("beats the built-in engineer's best, with calls, tokens and lineage in the archive", async () => {
    const task = await loadTask(file, { cacheDir: join(folder, 'traces') });
    const archive = await openArchive(join(folder, 'home'));
    const replay = { file: `${root}test/recorded/separable.jsonl`, mode: 'in order' as const };
    try {
      const models = hireModels({
        ...{
          models: parseModelNames('openai-compatible:careful'),
          environment: {},
          prices: parsePrices(['careful=3/15']),
        },
        ...{ limits: { dollars: 1 }, replay },
      });
      const { best, run, spent } = await optimiseTask({
        ...{ task, gpu: 'h100', archive, cacheDir: join(folder, 'builds'), seed: 1, resume: false, concurrency: 2 },
        engineers: [startsOfBuiltin, ...models],
        budget: { judgements: 6, generations: 2 },
      });
      const candidates = await archive.candidates(run);
      const times = (engineer: string) =>
        candidates
          .filter((candidate) => candidate.engineer.startsWith(engineer))
          .flatMap(({ verdict }) => verdict?.times.map(({ microseconds }) => microseconds) ?? []);
      const [builtins, theirs] = [Math.min(...times('builtin')), Math.min(...times('llm'))];
      assert.ok(theirs < 0.8 * builtins, `the model's best takes ${theirs} us, the built-in engineer's ${builtins} us`);
      assert.equal(best?.record.engineer, 'llm openai-compatible:careful');
      assert.equal(best.evidence.verdict.outcome, 'correct');

      const won = candidates.find(({ id }) => id === best.record.id)!;
      assert.ok(
        won.parents.every((parent) => candidates.some(({ id, engineer }) => id === parent && engineer === 'builtin')),
        'lineage',
      );
      const calls = await archive.calls(run);
      const own = calls.find(({ candidate }) => candidate === won.id)!;
      assert.ok(JSON.stringify(own.transcript).includes('depthwise'), 'the transcript is kept');
      assert.match(own.prompt, /^system@[0-9a-f]{12} (rewrite|optimise)@[0-9a-f]{12} answer@[0-9a-f]{12}$/);
      const recorded = readFileSync(replay.file, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).answer);
      // What is asked beyond the record is refused, and costs nothing.
      assert.equal(calls.filter(({ error }) => error === null).length, recorded.length);
      const dollars = recorded.reduce(
        (sum, { inputTokens, outputTokens }) => sum + (3 * inputTokens + 15 * outputTokens) / 1e6,
        0,
      );
      assert.ok(Math.abs(spent.dollars - dollars) < 1e-9, `${spent.dollars} dollars were counted, ${dollars} were due`);
    } finally {
      await archive.close();
    }
  });
});
