/**
 * The discrimination report: can this task tell right from wrong? Every mutant against the judge's own checks (admission.ts) on every family of inputs,
 * against the flat check that benchmarks use (flat-check.ts), and what follows: sound, sound only on our inputs, degenerate, or not
 * to be judged at all; each flaw with its reason and what would make the task sound.
 */
import { type HostTensor, mutants, type Task, unusedArguments } from '../task/index.ts';
import { type Admission, admitOn, type MutantResult } from './admission.ts';
import { type FlatReport, type FlatResult, flatReport } from './flat-check.ts';
import type { Oracle } from './oracle.ts';
import { randomOperator } from './random-task.ts';
import { deriveSeed } from './seeds.ts';
import { createOracle } from './task-oracle.ts';
import { num } from './words.ts';

/**
 * `sound`: nothing found. `hidden`: our inputs tell what the file's own do not. `degenerate`: an operator, or the whole answer, does not matter
 * whatever the inputs are, or no inputs tell. `unjudgeable`: there is no single right answer.
 */
export type Fitness = 'sound' | 'hidden' | 'degenerate' | 'unjudgeable';

export interface Flaw {
  fitness: Exclude<Fitness, 'sound'>;
  /** What does not matter: `clamp on line 12`, `the inputs`. */
  what: string;
  reason: string;
  /** What would make the task sound. */
  remedy: string;
}

export interface Discrimination {
  fitness: Fitness;
  flaws: readonly Flaw[];
  /** Absent for a task that cannot be judged. */
  admission?: Admission;
  flat?: FlatReport;
  /** Shapes of the flat check, when they are not those of the rest. */
  flatScaled?: Task['scaled'];
  milliseconds: number;
}

export interface DiscriminationOptions {
  /** The task at larger shapes, for the flat check alone: a mean over more elements is more degenerate. */
  larger?: Task;
  /** Constants of the file that change nothing. */
  idle?: readonly { name: string; value: number; line: number }[];
  signal?: AbortSignal;
}

/** What the inputs should have been, by the family that shows it. */
const drawnAs: Readonly<Record<string, string>> = {
  normal: 'draw it from `torch.randn`',
  uniform: 'draw it from both signs, e.g. `2 * torch.rand(...) - 1`',
  negative: 'let it hold negative values, e.g. from `torch.randn`',
  shifted: 'draw it with a mean far from zero, e.g. `torch.randn(...) + 50`',
  large: 'draw some of it a thousand times as large',
  small: 'draw some of it a thousand times smaller',
  'heavy-tailed': 'let a few elements be a hundred times larger than the others',
  sparse: 'let most of it be zeros',
  'one-hot': 'let one element of each row stand out',
  'constant-lines': 'let some rows be constant',
  sorted: 'sort some rows',
  'clustered-maxima': 'let the largest values of a row lie close together',
  denormal: 'let it hold values near the smallest normal number',
  'small-integers': 'draw it from small whole numbers',
  mixture: 'mix rows of several distributions',
};

/** Puts a task to the question. The secret is public here: what is asked is whether a task is fit, not whether a candidate is right. */
export function discriminate(task: Task, options: DiscriminationOptions = {}): Discrimination {
  const start = performance.now();
  const random = randomOperator(task);
  if (random !== undefined) {
    const flaw: Flaw = {
      fitness: 'unjudgeable',
      what: 'the answer',
      reason: random,
      remedy: 'Make what is random an input, or take it out.',
    };
    return {
      fitness: 'unjudgeable',
      flaws: [flaw, ...unusedFlaws(task, options)],
      milliseconds: performance.now() - start,
    };
  }
  const oracle = createOracle(task);
  const seeds = { sourceHashes: [], secret: '0'.repeat(64), origin: 'given to reproduce' as const };
  const draws = oracle.families.map((family) => {
    let drawn: readonly HostTensor[] | undefined;
    return { family, inputs: () => (drawn ??= oracle.draw(family, deriveSeed(seeds, family))) };
  });
  const admission = admitOn(task, oracle, byCost(draws), options.signal);
  const own = options.larger ?? task;
  const flat = flatReport(own, mutants(own.graph, own.precision).filter(isPlain), options.signal);
  const flaws = [
    ...undefinedFlaws(flat),
    ...deadFlaws(admission),
    ...unseenFlaws(task, admission),
    ...hiddenFlaws(oracle, admission, flat),
    ...unusedFlaws(task, options),
  ];
  return {
    fitness: worstOf(flaws),
    flaws,
    admission,
    flat,
    ...(options.larger ? { flatScaled: own.scaled } : {}),
    milliseconds: performance.now() - start,
  };
}

/** The task's own family, then those that show most mutants, so that few are left for the others. */
function byCost<T extends { family: string }>(draws: readonly T[]): T[] {
  const first = ['normal', 'mixture', 'small', 'heavy-tailed', 'negative'];
  const rank = ({ family }: T) => first.indexOf(family.replace(/\+$|\[0,1\]$/, ''));
  const [own, ...others] = draws;
  if (own === undefined) return [];
  return [own, ...others.toSorted((a, b) => (rank(a) === -1 ? 99 : rank(a)) - (rank(b) === -1 ? 99 : rank(b)))];
}

/** The flat check is asked of what people have passed off as answers, not of every slip. */
const isPlain = ({ kind }: { kind: MutantResult['kind'] }) => kind !== 'precision';

const order: readonly Fitness[] = ['sound', 'hidden', 'degenerate', 'unjudgeable'];

function worstOf(flaws: readonly Flaw[]): Fitness {
  return flaws.reduce<Fitness>(
    (worst, { fitness }) => (order.indexOf(fitness) > order.indexOf(worst) ? fitness : worst),
    'sound',
  );
}

function undefinedFlaws({ notFinite, elements }: FlatReport): Flaw[] {
  if (notFinite === 0) return [];
  const share = notFinite === elements ? 'every element' : `${notFinite} of ${elements} elements`;
  return [
    {
      fitness: notFinite === elements ? 'unjudgeable' : 'hidden',
      what: 'the answer',
      reason: `On inputs as the file draws them ${share} of the answer ${notFinite === 1 ? 'is' : 'are'} NaN or infinite.`,
      remedy: 'Draw inputs for which the operators are defined.',
    },
  ];
}

/** Operators, or the answer, that algebra or float64 shows to be without effect. */
function deadFlaws({ dead, equivalent, mutants: all }: Admission): Flaw[] {
  const constant = equivalent.find(({ id }) => id === 'zeros' || id === 'mean');
  const flaws: Flaw[] = [];
  if (constant !== undefined)
    flaws.push({
      fitness: 'degenerate',
      what: 'the answer',
      reason: `The answer is ${constant.id === 'zeros' ? 'zero' : 'one number'} whatever the inputs are: ${constant.reason}.`,
      remedy: 'Take out what makes it constant, or return what comes before.',
    });
  const survivors = all.filter(({ killedBy }) => killedBy === undefined).map(({ description }) => description);
  for (const { operator, reason } of dead) {
    if (survivors.some((description) => reason.includes(description))) continue;
    if (constant !== undefined && reason.startsWith(constant.description)) continue;
    flaws.push({
      fitness: 'degenerate',
      what: `\`${operator}\``,
      reason: reason[0]!.toUpperCase() + reason.slice(1),
      remedy: `Take \`${operator}\` out, or give it values on which it has an effect.`,
    });
  }
  return flaws;
}

/** Mutants that no inputs of ours tell from the task, and that are not known to be equal to it. */
function unseenFlaws(task: Task, { mutants: all }: Admission): Flaw[] {
  return all
    .filter(({ killedBy }) => killedBy === undefined)
    .map(({ description, operator, tried }): Flaw => {
      const nearest = tried.reduce((most, { excess }) => Math.max(most, excess), 0);
      return {
        fitness: 'degenerate',
        what: `\`${operator}\``,
        reason: `No inputs tell ${task.name} from itself with ${description}: the largest error is ${num(nearest)} of what is allowed.`,
        remedy: `Make the effect of \`${operator}\` larger, or take it out.`,
      };
    });
}

/** What the file's own inputs and parameters hide from the flat check, and what shows it. */
function hiddenFlaws(oracle: Oracle, admission: Admission, { passing, largest }: FlatReport): Flaw[] {
  const equal = new Set(admission.equivalent.map(({ id }) => id));
  return passing
    .filter(({ mutant }) => !equal.has(mutant.id) && isTelling(mutant.kind))
    .map(({ mutant, passes, worst }: FlatResult): Flaw => {
      const result = admission.mutants.find(({ id }) => id === mutant.id);
      const strictest = Math.min(...passes);
      const how =
        worst === 0
          ? 'passes exactly'
          : `passes \`allclose\` at ${strictest} with an error of ${num(worst)} (the answer is at most ${num(largest)})`;
      const family = result?.killedBy;
      const by =
        family === undefined
          ? ''
          : family === oracle.families[0]
            ? 'a derived tolerance and parameters that are not neutral show'
            : `inputs drawn as \`${family}\` show`;
      return {
        fitness: 'hidden',
        what: mutant.kind === 'answer' ? 'the answer' : `\`${mutant.operator}\``,
        reason: `On the file's own inputs, ${mutant.description}: ${how}.${by === '' ? '' : ` Here ${by} it.`}`,
        remedy: remedyFor(worst, family, oracle.families[0]!),
      };
    });
}

const isTelling = (kind: MutantResult['kind']) =>
  kind === 'answer' || kind === 'dropped' || kind === 'ignored' || kind === 'subsampled';

function remedyFor(worst: number, family: string | undefined, own: string): string {
  const advice = family === undefined || family === own ? undefined : drawnAs[family.replace(/\+$|\[0,1\]$/, '')];
  if (advice !== undefined) return `In \`get_inputs\`, ${advice}.`;
  return worst === 0
    ? 'Initialise the parameters at random, not with ones and zeros.'
    : 'Compare by a tolerance in proportion to the answer, not a flat one, or scale the inputs so that the answer is of order one.';
}

function unusedFlaws(task: Task, { idle = [] }: DiscriminationOptions): Flaw[] {
  const flaws = unusedArguments(task.graph).map(
    ({ name, role }): Flaw => ({
      fitness: role === 'input' ? 'degenerate' : 'hidden',
      what: `the ${role} \`${name}\``,
      reason: `The ${role} \`${name}\` reaches no output.`,
      remedy: `Use \`${name}\`, or take it out.`,
    }),
  );
  for (const { name, line, value } of idle)
    flaws.push({
      fitness: 'hidden',
      what: `the constant \`${name}\``,
      reason: `\`${name}\` (${value}, line ${line}) changes nothing in what is computed.`,
      remedy: `See whether \`${name}\` reaches the argument it is meant for.`,
    });
  return flaws;
}
