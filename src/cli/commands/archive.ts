/** `assay archive ls|show|best|export`: what was tried, what became of it, and what was best, over all runs. */
import { writeFileSync } from 'node:fs';
import { type Archive, openArchive } from '../../archive/index.ts';
import { exportArchive } from '../archive/export.ts';
import { find, findTask } from '../archive/find.ts';
import { bestRows, show } from '../archive/show.ts';
import type { Places } from '../places.ts';
import { time } from '../terminal/format.ts';
import { table } from '../terminal/table.ts';

export interface ArchiveOptions {
  gpu: string;
  json: boolean;
}

/** Lists the tasks. Exit code 0. */
export function archiveLs({ gpu, json }: ArchiveOptions, places: Places): Promise<number> {
  return withArchive(places, async (archive) => {
    const tasks = [];
    for (const task of await archive.tasks()) {
      const [best] = await archive.best(task.hash, 'modelled', gpu, 1);
      tasks.push({ ...task, best: best && { candidate: best.id, time: best.verdict!.times[0]! } });
    }
    const lines = table(
      [
        { name: 'task', rest: true },
        { name: 'hash' },
        { name: 'runs', right: true },
        { name: 'tried', right: true },
        { name: 'correct', right: true },
        { name: `best on ${gpu}`, right: true },
      ],
      tasks.map(({ name, hash, runs, candidates, correct, best }) => {
        const fastest = best ? time(best.time.microseconds) : '-';
        return [name, hash.slice(0, 8), String(runs), String(candidates), String(correct), fastest];
      }),
    );
    const modelled = 'Times are modelled.';
    say(json, { gpu, tasks }, tasks.length > 0 ? [...lines, '', modelled] : ['The archive is empty.']);
    return 0;
  });
}

/** Shows a task, a run or a candidate. Exit code 0. */
export function archiveShow(name: string, { gpu, json }: ArchiveOptions, places: Places): Promise<number> {
  return withArchive(places, async (archive) => {
    const shown = await show(archive, await find(archive, name), gpu);
    say(json, shown.json, shown.lines);
    return 0;
  });
}

export interface BestOptions extends ArchiveOptions {
  most: number;
  /** Where to write the best one's source. */
  output?: string;
}

/** The fastest correct candidates of a task. Exit code 0, 1 where there is none. */
export function archiveBest(name: string, { gpu, json, most, output }: BestOptions, places: Places): Promise<number> {
  return withArchive(places, async (archive) => {
    const task = await findTask(archive, name);
    const best = await archive.best(task.hash, 'modelled', gpu, most);
    if (output !== undefined && best[0]) writeFileSync(output, best[0].source);
    const none = `Nothing correct is known for ${task.name} on ${gpu}.`;
    say(json, { task, gpu, best, output }, best.length > 0 ? [...bestRows(best), '', 'Times are modelled.'] : [none]);
    return best.length > 0 ? 0 : 1;
  });
}

/** Writes the archive, or one task of it, for others. Exit code 0. */
export function archiveExport(
  to: string,
  { task: name, json }: { task?: string; json: boolean },
  places: Places,
): Promise<number> {
  return withArchive(places, async (archive) => {
    const tasks = name === undefined ? await archive.tasks() : [await findTask(archive, name)];
    const exported = await exportArchive(archive, tasks, to);
    say(json, { to, ...exported }, [`${exported.candidates} candidates of ${exported.tasks} tasks are in ${to}.`]);
    return 0;
  });
}

async function withArchive(places: Places, work: (archive: Archive) => Promise<number>): Promise<number> {
  const archive = await openArchive(places.archive);
  try {
    return await work(archive);
  } finally {
    await archive.close();
  }
}

function say(json: boolean, object: unknown, lines: readonly string[]): void {
  process.stdout.write(json ? `${JSON.stringify(object, null, 2)}\n` : `${lines.join('\n')}\n`);
}
