/**
 * What the benchmark asks of a batch of task files, in a process of its own: it is sent the paths and answers with one row a file. A file's own program
 * is run only where task files are: in the sandbox, and by real PyTorch behind a wall.
 */
import { discriminate, type Fitness } from '../../src/judge/index.ts';
import { loadVerified, pythonWithTorch, type Task, TaskError, torchOpinions } from '../../src/task/index.ts';

export interface RowRequest {
  paths: string[];
  /** Where traces are kept. */
  traces: string;
}

export interface Row {
  path: string;
  /** Wall-clock of tracing, scaling and trying the mutants, and processor time of this process in it. */
  seconds: number;
  cpuSeconds?: number;
  /** It could not be traced or tried: a sentence. `final`: and never can be. */
  error?: string;
  final?: boolean;
  /** Milliseconds of tracing at full and smaller shapes, with the start of the sandbox. */
  traceMs?: number;
  nodes?: number;
  scaled?: Task['scaled'];
  fitness?: Fitness;
  flaws?: { fitness: Fitness; what: string; reason: string }[];
  killed?: number;
  mutants?: number;
  /** Share that the file's own inputs catch. */
  ownScore?: number;
  equivalent?: number;
  equivalentByProof?: number;
  alive?: { description: string; excess: number }[];
  flat?: { tried: number; at2: number; at4: number };
  /** Largest relative difference from real PyTorch; a sentence where it could not be compared by values. */
  torch?: number | string;
}

async function rowOf(path: string, traces: string): Promise<{ row: Row; task?: Task }> {
  const start = performance.now();
  const cpu = process.cpuUsage();
  const row: Row = { path, seconds: 0 };
  let task: Task | undefined;
  try {
    const { verified, larger, idle } = await loadVerified(path, { cacheDir: traces });
    task = verified;
    row.traceMs = performance.now() - start;
    row.nodes = verified.graph.nodes.length;
    row.scaled = verified.scaled;
    const { fitness, flaws, admission, flat } = discriminate(verified, { larger, idle });
    row.fitness = fitness;
    row.flaws = flaws.map(({ fitness: own, what, reason }) => ({ fitness: own, what, reason }));
    if (admission) {
      const alive = admission.mutants.filter(({ killedBy }) => killedBy === undefined);
      row.mutants = admission.mutants.length;
      row.killed = row.mutants - alive.length;
      row.ownScore = admission.ownScore;
      row.equivalent = admission.equivalent.length;
      row.equivalentByProof = admission.equivalent.filter(({ by }) => by === 'proof').length;
      row.alive = alive.map(({ description, tried }) => ({
        description,
        excess: tried.reduce((most, { excess }) => Math.max(most, excess), 0),
      }));
    }
    if (flat) {
      const passing = (tolerance: number) => flat.passing.filter(({ passes }) => passes.includes(tolerance)).length;
      row.flat = { tried: flat.tried, at2: passing(1e-2), at4: passing(1e-4) };
    }
  } catch (error) {
    row.error = (error as Error).message;
    row.final = error instanceof TaskError && error.kind !== 'timeout' && error.kind !== 'memory';
  }
  const used = process.cpuUsage(cpu);
  row.seconds = (performance.now() - start) / 1000;
  row.cpuSeconds = (used.user + used.system) / 1e6;
  return { row, task };
}

/** Asks PyTorch of all tasks at once, because its start takes longer than they do. */
async function askTorch(found: readonly { row: Row; task?: Task }[]): Promise<void> {
  const python = pythonWithTorch();
  const asked = found.filter((one): one is { row: Row; task: Task } => one.task !== undefined);
  if ('missing' in python || asked.length === 0) {
    for (const { row } of asked) row.torch = 'missing' in python ? `not compared: ${python.missing}` : undefined;
    return;
  }
  try {
    const opinions = await torchOpinions(
      python,
      asked.map(({ task: { source, graph, scaled } }) => ({
        source,
        graph,
        overrides: Object.fromEntries(scaled.map(({ name, to }) => [name, to])),
      })),
    );
    opinions.forEach(({ differs, errors }, i) => {
      asked[i]!.row.torch =
        differs ?? (errors ? Math.max(...errors.map(({ error }) => error)) : 'random: names and shapes agree');
    });
  } catch (error) {
    for (const { row } of asked) row.torch = `not compared: ${(error as Error).message}`;
  }
}

process.once('message', async ({ paths, traces }: RowRequest) => {
  const found: { row: Row; task?: Task }[] = [];
  for (const path of paths) found.push(await rowOf(path, traces));
  await askTorch(found);
  for (const { row } of found) process.send!(row);
  process.disconnect();
});
