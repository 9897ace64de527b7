/**
 * `npm run corpus`: cheats that must be rejected (or cannot be expressed), honest kernels that must pass.
 * Cases are CUDA C++ (.cu) or submissions in Python (.py). Each file of corpus/cheats says in its header which task it is for and what the judge must say of it.
 * Prints caught, missed, accepted and falsely accused; the exit code is 1 unless all are as they must be.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createVirtualDevice } from '../src/device/index.ts';
import { createOracle, judge, limitsFor, type Oracle, type Verdict } from '../src/judge/index.ts';
import { loadTask, type Task } from '../src/task/index.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** One file of the corpus, with what its header demands. */
export interface CorpusCase {
  kind: 'cheats' | 'honest';
  name: string;
  task: string;
  /** `correct`; or `rejected`, perhaps by a given check; or `unjudgeable` with a word that the message must contain. */
  expect: { outcome: Verdict['outcome']; word?: string };
  source: string;
}

/** Every case, or those whose name contains `filter`. */
export function corpusCases(filter = ''): CorpusCase[] {
  return (['cheats', 'honest'] as const).flatMap((kind) =>
    readdirSync(join(root, 'corpus', kind))
      .filter((file) => /\.(cu|py)$/.test(file) && file.includes(filter))
      .map((file) => readCase(kind, file)),
  );
}

function readCase(kind: CorpusCase['kind'], file: string): CorpusCase {
  const source = readFileSync(join(root, 'corpus', kind, file), 'utf8');
  const task = /^(?:\/\/|#) task: (\w+)$/m.exec(source)?.[1];
  if (!task) throw new Error(`corpus/${kind}/${file} does not say which task it is for`);
  const name = file.endsWith('.py') ? file : file.replace(/\.cu$/, '');
  if (kind === 'honest') return { kind, name, task, expect: { outcome: 'correct' }, source };
  const expected = /^(?:\/\/|#) expect: (rejected|unjudgeable)(?: by)?(?: (\S+))?$/m.exec(source);
  if (!expected) throw new Error(`corpus/${kind}/${file} does not say what is expected of it`);
  return { kind, name, task, expect: { outcome: expected[1] as Verdict['outcome'], word: expected[2] }, source };
}

/** Why a verdict is not what the case demands; undefined when it is. */
export function disagreement({ expect }: CorpusCase, verdict: Verdict): string | undefined {
  const said = `${verdict.outcome}${verdict.check ? ` by ${verdict.check}` : ''}: ${verdict.reason}`;
  if (verdict.outcome !== expect.outcome) return said;
  if (expect.word === undefined) return undefined;
  const place = expect.outcome === 'rejected' ? verdict.check : verdict.reason;
  return place?.includes(expect.word) ? undefined : said;
}

/** Judges cases one after the other, with one device and one oracle a task. */
export class CorpusBench {
  readonly #cacheDir = mkdtempSync(join(tmpdir(), 'assay-corpus-'));
  readonly #device = createVirtualDevice({ gpu: 'h100' });
  readonly #tasks = new Map<string, { task: Task; oracle: Oracle }>();

  async judge({ task: name, source }: CorpusCase): Promise<Verdict> {
    let known = this.#tasks.get(name);
    if (!known) {
      const task = await loadTask(join(root, 'examples', `${name}.py`), { cacheDir: join(this.#cacheDir, 'traces') });
      known = { task, oracle: createOracle(task) };
      this.#tasks.set(name, known);
    }
    const cacheDir = join(this.#cacheDir, 'builds');
    return judge({
      ...known,
      candidateSource: source,
      device: this.#device,
      gpu: 'h100',
      limits: limitsFor(known.task),
      cacheDir,
      tracesDir: join(this.#cacheDir, 'traces'),
    });
  }

  async close(): Promise<void> {
    await this.#device.close();
    rmSync(this.#cacheDir, { recursive: true, force: true });
  }
}

async function main(filter: string | undefined): Promise<number> {
  const bench = new CorpusBench();
  const counts = { caught: 0, missed: 0, accepted: 0, accused: 0 };
  const started = performance.now();
  try {
    for (const each of corpusCases(filter)) {
      const before = performance.now();
      const verdict = await bench.judge(each);
      const fault = disagreement(each, verdict);
      if (each.kind === 'cheats') counts[fault ? 'missed' : 'caught']++;
      else counts[fault ? 'accused' : 'accepted']++;
      const milliseconds = (performance.now() - before).toFixed(0).padStart(6);
      const how = verdict.outcome === 'correct' ? 'correct' : `${verdict.outcome} by ${verdict.check}`;
      process.stdout.write(
        `${fault ? 'WRONG' : 'ok   '} ${milliseconds} ms  ${each.kind}/${each.name}: ${fault ?? how}\n`,
      );
    }
  } finally {
    await bench.close();
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  process.stdout.write(
    `\ncheats: ${counts.caught} caught, ${counts.missed} missed; honest: ${counts.accepted} accepted, ${counts.accused} falsely accused; ${seconds} s\n`,
  );
  return counts.missed + counts.accused === 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main(process.argv[2]);
