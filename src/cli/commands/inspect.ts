/** `assay task inspect task.py`: the graph, the signature a candidate must have, the floor, and whether the task can tell right from wrong. */
import { type Discrimination, discriminate, type EquivalentMutant } from '../../judge/index.ts';
import {
  type Floor,
  floor,
  graphOperations,
  graphText,
  loadVerified,
  signatureText,
  specText,
  type Task,
  type VerifiedTask,
} from '../../task/index.ts';
import { gpuTarget } from '../../vgpu/index.ts';
import type { Places } from '../places.ts';
import { loadOptions, type TaskOptions } from '../task-options.ts';
import { printable, significant, time, wrap } from '../terminal/format.ts';

export interface InspectOptions extends TaskOptions {
  gpu: string;
  /** Put the mutants to the task's checks. */
  mutants: boolean;
  json: boolean;
}

/** Prints; always 0, as a task that cannot be read is an error. */
export async function inspect(
  taskFile: string,
  options: InspectOptions,
  places: Places,
  signal: AbortSignal,
): Promise<number> {
  const target = gpuTarget(options.gpu);
  const loaded = await loadVerified(taskFile, loadOptions(options, places));
  const { task, verified, larger, idle } = loaded;
  const least = floor(task, target);
  const out = (line = '') => process.stdout.write(`${printable(line)}\n`);
  if (!options.json) describe(task, least, target.name, out);
  const report = options.mutants ? discriminate(verified, { larger, idle, signal }) : undefined;
  if (options.json) process.stdout.write(`${JSON.stringify(objectOf(loaded, least, report), spelled, 2)}\n`);
  else if (report) discrimination(report, verified, task, out);
  return 0;
}

/** What `--json` prints. */
function objectOf({ task, verified, idle }: VerifiedTask, least: Floor, report: Discrimination | undefined): object {
  const { name, hash, mode, signature, graph, scaled } = task;
  const flat = report?.flat && {
    ...report.flat,
    scaled: report.flatScaled ?? verified.scaled,
    passing: report.flat.passing.map(({ mutant, worst, passes }) => ({
      id: mutant.id,
      description: mutant.description,
      worst,
      passes,
    })),
  };
  return {
    name,
    hash,
    mode,
    scaled,
    signature,
    cSignature: signatureText(task),
    graph,
    operations: graphOperations(graph),
    floor: least,
    discrimination: report && {
      ...report,
      flat,
      flatScaled: undefined,
      scaled: verified.scaled,
      idle,
    },
  };
}

/** JSON knows no infinities; they are spelled as in graphs and evidence. */
function spelled(_key: string, value: unknown): unknown {
  if (typeof value !== 'number' || Number.isFinite(value)) return value;
  return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
}

function describe(task: Task, least: Floor, gpu: string, out: (line?: string) => void): void {
  out(`${task.name}   (${task.hash.slice(0, 12)})`);
  if (task.mode === 'eval') out('  in evaluation mode (`model.eval()`)');
  for (const { name, from, to } of task.scaled) out(`  scaled: ${name} ${from} -> ${to}`);
  out();
  out('signature');
  for (const line of signatureText(task).split('\n')) out(`  ${line}`);
  for (const { name, role, spec } of task.signature.tensors) out(`    ${name}: ${role} ${specText(spec)}`);
  for (const { name, value } of task.signature.scalars)
    out(`    ${name} = ${JSON.stringify(value)} (by name, if wanted)`);
  task.signature.outputs.forEach((spec, o) => {
    const of = task.signature.gradientsOf?.[o];
    out(`    returns ${of === undefined ? '' : `the gradient of ${of}: `}${specText(spec)}`);
  });
  out();
  out('graph');
  for (const line of graphText(task.graph)) out(`  ${line}`);
  out();
  const { arithmetic, special, contraction } = graphOperations(task.graph);
  out(
    `cost: ${quantity(contraction)} operations in products and convolutions, ${quantity(arithmetic)} others, ${quantity(special)} special functions`,
  );
  out(`floor on ${gpu}: ${time(least.microseconds)}, limited by ${least.limitedBy}`);
}

const quantity = (x: number) => (x < 1e4 ? String(x) : x.toExponential(2));

const verdicts = {
  sound: 'sound: every wrong variant is caught, on its own inputs too',
  hidden: 'sound here, not on its own inputs',
  degenerate: 'degenerate',
  unjudgeable: 'cannot be judged',
} as const;

const MOST_FLAWS = 12;
const WIDTH = 110;

function discrimination(report: Discrimination, verified: Task, task: Task, out: (line?: string) => void): void {
  const { admission, flat, flaws } = report;
  out();
  out(`can it tell right from wrong? ${verdicts[report.fitness]}   (${significant(report.milliseconds / 1000)} s)`);
  if (verified.scaled.length > 0 && verified.hash !== task.hash)
    out(
      `  asked at smaller shapes: ${verified.scaled.map(({ name, from, to }) => `${name} ${from} -> ${to}`).join(', ')}`,
    );
  if (admission) {
    const killed = admission.mutants.filter(({ killedBy }) => killedBy !== undefined).length;
    out(
      `  the judge's checks: ${killed} of ${admission.mutants.length} wrong variants caught` +
        ` (${Math.round(100 * admission.ownScore)} % on the file's own inputs), ${admission.equivalent.length} others are the task itself`,
    );
  }
  if (flat && admission) {
    const passing = (tolerance: number) => flat.passing.filter(({ passes }) => passes.includes(tolerance)).length;
    const at = report.flatScaled
      ? ` (at ${report.flatScaled.map(({ name, to }) => `${name} = ${to}`).join(', ')})`
      : '';
    out(
      `  KernelBench's own check${at} lets pass: ${passing(1e-2)} of ${flat.tried} at 1e-2, ${passing(1e-4)} at 1e-4`,
    );
  }
  for (const { what, reason, remedy } of flaws.slice(0, MOST_FLAWS)) {
    out();
    out(`  ${wrap(`${what}: ${reason}`, WIDTH, '    ')}`);
    out(`    ${wrap(`-> ${remedy}`, WIDTH, '       ')}`);
  }
  if (flaws.length > MOST_FLAWS) out(`  ... and ${flaws.length - MOST_FLAWS} more; --json has all`);
  if (!admission) return;
  out();
  out('wrong variants, each by how many times what is allowed it is off, and on which inputs');
  for (const { description, killedBy, tried } of admission.mutants) {
    const excess = killedBy === undefined ? Math.max(...tried.map((t) => t.excess)) : tried.at(-1)!.excess;
    out(
      `  ${killedBy === undefined ? 'ALIVE ' : 'caught'} ${ratio(excess).padStart(8)}  ${description}   (${killedBy ?? 'no inputs'})`,
    );
  }
  const reasonOf = ({ by, reason }: EquivalentMutant) => `by ${by}: ${reason}`;
  for (const reason of new Set(admission.equivalent.map(reasonOf))) {
    out();
    out(wrap(`equal to the task, ${reason}`, WIDTH, '  '));
    for (const one of admission.equivalent) if (reasonOf(one) === reason) out(`  ${one.description}`);
  }
}

function ratio(x: number): string {
  if (!Number.isFinite(x)) return 'inf';
  return x >= 1e4 || (x < 1e-3 && x > 0) ? x.toExponential(1) : significant(x);
}
