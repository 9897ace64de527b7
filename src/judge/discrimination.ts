/**
 * The discrimination report: can this task tell right from wrong? Every mutant against the judge's own checks (admission.ts) on every family of inputs,
 * against the flat check that benchmarks use (flat-check.ts), and what follows: sound, sound only on our inputs, degenerate, or not
 * to be judged at all; each flaw with its reason and what would make the task sound.
 */
import { Equivalence, type HostTensor, mutants, sentenceOf, type Task, unusedArguments } from '../task/index.ts';
import { admitOn } from './admission.ts';
import type { Admission, MutantResult } from './admission-report.ts';
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
      flaws: [flaw, ...omissionFlaws(new Equivalence(task.graph).omitted), ...unusedFlaws(task, options)],
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
      reason: `On inputs as the file draws them ${share} of the answer ${notFinite === elements ? 'is' : 'are'} NaN or infinite.`,
      remedy: 'Draw inputs for which the operators are defined.',
    },
  ];
}

/** Operators, or the answer, that algebra or float64 shows to be without effect. */
function deadFlaws({ omitted, equivalent }: Admission): Flaw[] {
  const constant = equivalent.find(({ id }) => id === 'zeros' || id === 'mean');
  const flaws: Flaw[] = [];
  if (constant !== undefined)
    flaws.push({
      fitness: 'degenerate',
      what: 'the answer',
      reason: `The answer is ${constant.id === 'zeros' ? 'zero' : 'one number'} whatever the inputs are: ${constant.reason}.`,
      remedy: 'Take out what makes it constant, or return what comes before.',
    });
  flaws.push(...omissionFlaws(omitted));
  // What algebra says of an operator is said; what else float64 found is said once, all of it together.
  const found = equivalent.filter(
    ({ by, kind }) =>
      by === 'evidence' &&
      kind !== 'mistaken' &&
      kind !== 'precision' &&
      (constant === undefined || kind === 'dropped'),
  );
  if (found.length > 0)
    flaws.push({
      fitness: 'degenerate',
      what: [...new Set(found.map(({ operator }) => `\`${operator}\``))].join(', '),
      reason: `The answer stays the same with ${found.map(({ description }) => description).join('; ')}: ${found[0]!.reason}.`,
      remedy: 'Take out what has no effect, or what takes its effect away after it.',
    });
  return flaws;
}

/** What algebra leaves out, whatever the inputs are. */
function omissionFlaws(omitted: Admission['omitted']): Flaw[] {
  return omitted.map(
    (omission): Flaw => ({
      fitness: 'degenerate',
      what: `\`${omission.op}\``,
      reason: `${sentenceOf(omission)}.`,
      remedy: `Take \`${omission.op}\` out, or give it values on which it has an effect.`,
    }),
  );
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

/** What the file's own inputs and parameters hide from the flat check, and what shows it: one flaw for all that has the same cause. */
function hiddenFlaws(oracle: Oracle, admission: Admission, { passing, largest }: FlatReport): Flaw[] {
  const equal = new Set(admission.equivalent.map(({ id }) => id));
  const groups = new Map<string, { results: FlatResult[]; shows: string; remedy: string }>();
  for (const result of passing) {
    const { mutant, worst } = result;
    if (equal.has(mutant.id) || !isTelling(mutant.kind)) continue;
    const family = admission.mutants.find(({ id }) => id === mutant.id)?.killedBy;
    const exact = worst <= 1e-6 * largest || largest < 1e-9;
    const { shows, remedy } = causeOf(exact, family, oracle.families[0]!);
    const group = groups.get(`${exact} ${shows}`) ?? { results: [], shows, remedy };
    group.results.push(result);
    groups.set(`${exact} ${shows}`, group);
  }
  return [...groups.values()].map(({ results, shows, remedy }): Flaw => {
    const strictest = Math.max(...results.map(({ passes }) => Math.min(...passes)));
    const whole = results.some(({ mutant }) => mutant.kind === 'answer');
    return {
      fitness: 'hidden',
      what: whole ? 'the answer' : [...new Set(results.map(({ mutant }) => `\`${mutant.operator}\``))].join(', '),
      reason:
        `On the file's own inputs and parameters \`allclose\` at ${strictest} lets pass: ${results.map(({ mutant }) => mutant.description).join('; ')}.` +
        ` Their largest error is ${num(Math.max(...results.map(({ worst }) => worst)))}, the answer at most ${num(largest)}.${shows}`,
      remedy,
    };
  });
}

/** Kinds that people have passed off as answers; the others are slips. */
const isTelling = (kind: MutantResult['kind']) =>
  kind === 'answer' || kind === 'dropped' || kind === 'ignored' || kind === 'subsampled';

/** What shows a mutant here, and what would show it there. */
function causeOf(exact: boolean, family: string | undefined, own: string): { shows: string; remedy: string } {
  if (family !== undefined && family !== own) {
    const advice = drawnAs[family.replace(/\+$|\[0,1\]$/, '')];
    return {
      shows: ` Here inputs drawn as \`${family}\` show it.`,
      remedy: `In \`get_inputs\`, ${advice ?? 'draw other values'}.`,
    };
  }
  if (exact)
    return {
      shows: family === undefined ? '' : ' Here parameters that are not neutral show it.',
      remedy: 'Initialise the parameters at random, not with ones and zeros.',
    };
  return {
    shows: family === undefined ? '' : ' Here a tolerance derived from the answer shows it.',
    remedy:
      'Compare by a tolerance in proportion to the answer, or scale the inputs so that the answer varies by more.',
  };
}

function unusedFlaws(task: Task, { idle = [] }: DiscriminationOptions): Flaw[] {
  // Running statistics are buffers that a model in training does not read: that is no fault of the task.
  const unused = unusedArguments(task.graph).filter(({ role }) => role !== 'buffer');
  const flaws = unused.map(
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
