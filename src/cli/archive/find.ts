/** What a name on the command line means in an archive: a task by its name or the start of its hash, a run, a candidate. */
import type { Archive, JudgedCandidate, RunRecord, TaskSummary } from '../../archive/index.ts';

/** The task of that name, or whose hash begins so; the one worked on last, where several files have the name. Throws where there is none. */
export async function findTask(archive: Archive, name: string): Promise<TaskSummary> {
  const found = await taskNamed(archive, name);
  if (!found) throw new Error(`The archive has no task ${name}. \`assay archive ls\` lists what it has.`);
  return found;
}

export type Found =
  | { kind: 'task'; task: TaskSummary }
  | { kind: 'run'; run: RunRecord }
  | { kind: 'candidate'; candidate: JudgedCandidate };

/** Whatever has that name. Throws where nothing has. */
export async function find(archive: Archive, name: string): Promise<Found> {
  const candidate = await archive.candidate(name);
  if (candidate) return { kind: 'candidate', candidate };
  const run = await archive.run(name);
  if (run) return { kind: 'run', run };
  const task = await taskNamed(archive, name);
  if (task) return { kind: 'task', task };
  throw new Error(`The archive has no task, run or candidate ${name}. \`assay archive ls\` lists what it has.`);
}

async function taskNamed(archive: Archive, name: string): Promise<TaskSummary | undefined> {
  const tasks = await archive.tasks();
  const byHash = /^[0-9a-f]{6,64}$/.test(name) ? tasks.find(({ hash }) => hash.startsWith(name)) : undefined;
  return tasks.find((task) => task.name === name) ?? byHash;
}
