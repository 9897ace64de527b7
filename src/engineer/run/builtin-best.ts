/** The built-in engineer's best kernel of a task, from the archive: what another kernel of that task must beat. */
import type { Archive } from '../../archive/index.ts';
import { factsOf, type PreparedCandidate, prepareCandidate } from '../../kernel/index.ts';
import type { Task } from '../../task/index.ts';
import type { GpuTarget } from '../../vgpu/index.ts';

/** How many of the fastest are looked through for one of the built-in engineer's. */
const LOOKED_AT = 50;

/** By measured times where there are some, else by modelled ones; undefined where the archive holds none. */
export async function builtinBest(
  archive: Archive,
  task: Pick<Task, 'hash' | 'signature'>,
  target: GpuTarget,
  cacheDir: string,
  device?: string,
): Promise<PreparedCandidate | undefined> {
  const found = [
    ...(device === undefined ? [] : await archive.best(task.hash, 'measured', device, LOOKED_AT)),
    ...(await archive.best(task.hash, 'modelled', target.id, LOOKED_AT)),
  ].find(({ engineer }) => engineer === 'builtin');
  if (!found) return undefined;
  return prepareCandidate(found.source, task.signature, { arch: target.arch, facts: factsOf(target), cacheDir });
}
