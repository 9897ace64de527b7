/**
 * A run of `assay optimize` that is killed with SIGKILL again and again and resumed each time, beside one that was left alone: what must be the same,
 * and what must not be there. `optimize.test.ts` kills a few times, `npm run bench:kill` many.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { type JudgedCandidate, openArchive } from '../src/archive/index.ts';
import { type Ended, start } from './program.ts';

/** A task that is optimised in seconds. */
export const smallSoftmax = `import torch
import torch.nn as nn

class Model(nn.Module):
    def forward(self, x):
        return torch.softmax(x * 0.5, dim=-1)

def get_inputs():
    return [torch.randn(96, 160)]

def get_init_inputs():
    return []
`;

export interface KillReport {
  kills: number;
  /** Kills that came before the run was recorded, while a judgement was under way, and so on: verdicts that stood at each kill. */
  verdictsAtKills: readonly number[];
  /** Milliseconds until the last process of a killed run was gone. */
  longest: number;
  candidates: number;
  best: string;
}

/** A process by its id and when it began, so that a new one with its id is not taken for it. */
interface Process {
  id: number;
  began: string;
}

/** All descendants of a process, from /proc; none where there is no /proc. */
function descendants(of: number): Process[] {
  const children = new Map<number, Process[]>();
  for (const name of readdirSync('/proc').filter((one) => /^\d+$/.test(one))) {
    const status = statusOf(Number(name));
    if (!status) continue;
    const { parent, began } = status;
    children.set(parent, [...(children.get(parent) ?? []), { id: Number(name), began }]);
  }
  const below = (id: number): Process[] => (children.get(id) ?? []).flatMap((one) => [one, ...below(one.id)]);
  return below(of);
}

function statusOf(id: number): { parent: number; began: string; state: string } | undefined {
  try {
    // After the program's name in parentheses: state, parent, ...; the 22nd field in all is the start time.
    const fields = readFileSync(`/proc/${id}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    return { state: fields[0]!, parent: Number(fields[1]), began: fields[19]! };
  } catch {
    return undefined;
  }
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * Fails if a process stays on after its parent was killed. A compiler ends with its work, and other children when they next look whether anybody is
 * there, which they cannot before their work is done: so they are given a minute of a busy machine. Gives the milliseconds that it took.
 */
async function assertGone(processes: readonly Process[]): Promise<number> {
  const began = Date.now();
  const deadline = began + 60_000;
  const alive = () =>
    processes.filter(({ id, began }) => {
      const status = statusOf(id);
      return status && status.began === began && status.state !== 'Z';
    });
  while (alive().length > 0 && Date.now() < deadline) await pause(50);
  assert.deepEqual(
    alive().map(({ id }) => readFileSync(`/proc/${id}/cmdline`, 'utf8').replaceAll('\0', ' ')),
    [],
    'processes outlived the killed run',
  );
  return Date.now() - began;
}

async function candidatesIn(home: string): Promise<JudgedCandidate[]> {
  const archive = await openArchive(home);
  try {
    const runs = await archive.runs();
    assert.ok(runs.length <= 1, 'a killed run is resumed, and no other is begun');
    return runs[0] ? await archive.candidates(runs[0].id) : [];
  } finally {
    await archive.close();
  }
}

/** What two runs of one seed have in common: what was proposed, and what became of it. */
const history = (candidates: readonly JudgedCandidate[]) =>
  candidates.map(({ number, generation, strategy, source, verdict }) => {
    return { number, generation, strategy, source, outcome: verdict?.outcome };
  });

/** Runs a search to its end and gives its candidates and the best of them. */
export async function runWhole(home: string, parameters: readonly string[]) {
  return outcomeOf(home, await start(['--home', home, ...parameters, '--json']).ended);
}

async function outcomeOf(home: string, { code, stdout, stderr }: Ended) {
  assert.equal(code, 0, stdout + stderr);
  const { best, run } = JSON.parse(stdout);
  const candidates = await candidatesIn(home);
  return { candidates, best: candidates.find(({ id }) => id === best.candidate)!, stopped: run.stopped as string };
}

/**
 * Kills the same search in `home` after each of `delays` (milliseconds), resuming it each time, lets the last life end, and holds it to `whole`.
 * A life that ends before its delay ends the killing.
 */
export async function killOften(
  home: string,
  parameters: readonly string[],
  delays: readonly number[],
  whole: Awaited<ReturnType<typeof runWhole>>,
): Promise<KillReport> {
  const verdictsAtKills: number[] = [];
  let before: JudgedCandidate[] = [];
  let longest = 0;
  let last: Ended | undefined;
  for (const delay of delays) {
    const { child, ended } = start(['--home', home, ...parameters, '--resume', '--json']);
    last = await Promise.race([ended, pause(delay).then(() => undefined)]);
    if (last) break;
    const family = descendants(child.pid!);
    child.kill('SIGKILL');
    await ended;
    longest = Math.max(longest, await assertGone(family));
    const now = await candidatesIn(home);
    assertKept(before, now);
    before = now;
    verdictsAtKills.push(now.filter(({ verdict }) => verdict).length);
  }
  const { candidates, best } = await (last ? outcomeOf(home, last) : runWhole(home, [...parameters, '--resume']));
  assertKept(before, candidates, best.id);
  assert.equal(new Set(candidates.map(({ source }) => source)).size, candidates.length, 'no duplicates');
  assert.deepEqual(history(candidates), history(whole.candidates), 'the run that was left alone');
  assert.equal(best.source, whole.best.source, 'the same best');
  return { kills: verdictsAtKills.length, verdictsAtKills, longest, candidates: candidates.length, best: best.summary };
}

/** Nothing that was recorded is lost or done again; the winner alone is judged once more. */
function assertKept(before: readonly JudgedCandidate[], now: readonly JudgedCandidate[], winner?: string): void {
  for (const [index, candidate] of before.entries()) {
    const kept = now[index];
    assert.equal(kept?.id, candidate.id, `${candidate.id} was lost`);
    assert.equal(kept.source, candidate.source);
    if (!candidate.verdict || candidate.id === winner) continue;
    assert.equal(kept.verdict?.milliseconds, candidate.verdict.milliseconds, `${candidate.id} was judged again`);
  }
}
