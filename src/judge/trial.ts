/**
 * A candidate on trial: the calls it is given, and what comes back. The judge's process never executes a candidate; everything
 * runs through the {@link Device}, and outputs are sealed there before an expected value exists here.
 *
 * Two runs: the first call alone (most wrong candidates end here), then a sequence in which nothing is reset and the inputs change,
 * in the same buffers and in others. A check may ask for one more call, alone and in a fresh state, to tell two explanations apart.
 */
import type { Call, Device, RunLimits, RunRequest, RunResult } from '../device/index.ts';
import type { PreparedCandidate } from '../kernel/index.ts';
import { decode, encode, familyNear, type HostTensor, isFloating, type Task } from '../task/index.ts';
import { numbersComparedWith } from './compared-numbers.ts';
import { examineFullSize, type FullSize } from './full-size.ts';
import type { FullSizeReport } from './full-size-report.ts';
import type { Oracle } from './oracle.ts';
import { canBePartlyNew, halfNew, partlyNew } from './partly-new.ts';
import { type Commitment, derivePoison, deriveSeed } from './seeds.ts';
import { plantSpecialValues } from './special-values.ts';
import { type Comparison, compareOutput, type OutputTolerance } from './tolerance.ts';
import type { CallPlan, JudgedCall } from './types.ts';

/** Index of the call with NaN and infinities: it is made alone, after all others. */
export const SPECIAL = -1;

/** Calls of the sequence before new inputs are drawn: the first call's inputs under other poison, and once more. */
export const OTHER_POISON = 1;
export const REPEATED = 2;

/** Offered to tasks that seek a greatest or a least value, in one of two distances. */
const EXTREMES = ['farthest-below', 'far-below', 'farthest-above', 'far-above'] as const;

/**
 * Ways of drawing inputs that every candidate meets, by what they show (see src/task/inputs), and how many of the others it meets besides; which
 * ones is secret. `again`: its own family once more, at the end. `halves`: how many calls then have half of the elements new. A mixture draws every line from another family, so that it stands for many where each call costs much.
 */
const FAMILIES = {
  full: {
    always: [
      'small-integers',
      'mixture',
      'large',
      'small',
      'tiny',
      'shifted',
      'together',
      'wide',
      'heavy-tailed',
      'whole-lines',
      ...EXTREMES,
    ],
    secret: 2,
    again: true,
    halves: 2,
  },
  light: {
    always: ['small-integers', 'mixture', 'shifted', 'together', 'wide', 'whole-lines', ...EXTREMES],
    secret: 1,
    again: false,
    halves: 1,
  },
} as const;

/** By so many calls the state of device variables is moved on before each of the calls that follow two without a reset. */
const CALLS_SKIPPED = {
  full: [30, 300, 3000, 30_000, 100_000],
  light: [3000],
} as const;

/** What the choice of families rests on. */
type Choice = Pick<Oracle, 'families' | 'effort' | 'revealing'>;

/**
 * The task's own family, some that the secret chooses, then those that every candidate meets. These come last because the call after them has the same
 * inputs but for a part: that must show in the answer, and some of the others (denormals under a bias) would hide it. Small integers are the very last:
 * among them nothing lies far out but what is planted.
 */
function chooseFamilies({ families, effort, revealing }: Choice, commitment: Commitment): string[] {
  const { always, secret } = FAMILIES[effort];
  const base = (family: string) => family.replace(/\+$|\[0,1\]$/, '');
  const [own, ...more] = families;
  const last = (family: string) => Number(base(family) === 'small-integers');
  const common = more
    .filter((family) => (always as readonly string[]).includes(base(family)) || revealing.includes(family))
    .sort((a, b) => last(a) - last(b));
  const others = more
    .filter((family) => !common.includes(family))
    .map((family) => ({ family, order: deriveSeed(commitment, `family ${family}`) }))
    .sort((a, b) => (a.order < b.order ? -1 : 1));
  const chosen = others.slice(0, secret).map(({ family }) => family);
  return own === undefined ? [] : [own, ...chosen, ...common];
}

/** The calls of a trial. The first is run alone; the others follow one another without a reset after the third. */
export function planCalls(oracle: Choice, commitment: Commitment): CallPlan[] {
  const [own, ...others] = chooseFamilies(oracle, commitment);
  if (own === undefined) throw new Error('The task offers no way to draw inputs.');
  const first: CallPlan = {
    family: own,
    inputsOf: 0,
    inputSeed: deriveSeed(commitment, 'call 0 inputs'),
    poisonSeed: derivePoison(commitment, 'call 0 poison'),
    resetGlobals: true,
    freshMemory: true,
    purpose: 'the first call',
  };
  const otherPoison = {
    ...first,
    poisonSeed: derivePoison(commitment, 'call 1 poison'),
    purpose: 'the same inputs, other stale memory',
  };
  const repeated = { ...otherPoison, purpose: 'the same call again' };
  const changing = (FAMILIES[oracle.effort].again ? [...others, own] : others).map((family, i): CallPlan => {
    const index = 3 + i;
    const freshMemory = i % 3 === 2;
    const callsSkipped = CALLS_SKIPPED[oracle.effort][i - 2];
    const later = callsSkipped === undefined ? '' : `, as after ${callsSkipped} more calls`;
    return {
      family,
      inputsOf: index,
      inputSeed: deriveSeed(commitment, `call ${index} inputs`),
      poisonSeed: derivePoison(commitment, `call ${index} poison`),
      resetGlobals: false,
      freshMemory,
      ...(callsSkipped && { callsSkipped }),
      purpose: `new inputs in ${freshMemory ? 'other' : 'the same'} buffers, nothing reset${later}`,
    };
  });
  return [first, otherPoison, repeated, ...changing];
}

/**
 * The last call's inputs once more, two elements of them new: what a result kept under a part of the inputs does not notice. Then with half of the elements new, then
 * with the other half new, while the first half stays as it was: whatever element a kept result's key is made of, one of the two calls has it as it was, and most else not.
 * In that call two elements are planted once more, elsewhere: a kernel that probes a few rows for what it may leave out sees one of the first two by chance, and does the whole work.
 */
function planPartlyNew(plans: readonly CallPlan[], halves: number, commitment: Commitment): CallPlan[] {
  const last = plans.at(-1)!;
  const planned = (number: number, purpose: string, part: Pick<CallPlan, 'baseSeed' | 'halves'>): CallPlan => {
    const index = plans.length + number;
    return {
      ...{ family: last.family, inputsOf: index, ...part },
      inputSeed: deriveSeed(commitment, `call ${index} inputs`),
      poisonSeed: derivePoison(commitment, `call ${index} poison`),
      ...{ resetGlobals: false, freshMemory: false },
      purpose: `${purpose} of the inputs new in the same buffers, nothing reset`,
    };
  };
  const made = [planned(0, 'two elements', { baseSeed: last.inputSeed })];
  const seed = deriveSeed(commitment, 'halves');
  for (const half of ([0, 1] as const).slice(0, halves)) {
    const baseSeed = half === 0 ? last.inputSeed : made.at(-1)!.inputSeed;
    const purpose = half === 0 ? 'half' : 'the other half, and two elements far out,';
    made.push(planned(1 + half, purpose, { baseSeed, halves: { seed, half } }));
  }
  return made;
}

/** New inputs of one more family, after all others. */
function planNear(index: number, family: string, commitment: Commitment): CallPlan {
  return {
    ...{ family, inputsOf: index },
    inputSeed: deriveSeed(commitment, `call ${index} inputs`),
    poisonSeed: derivePoison(commitment, `call ${index} poison`),
    ...{ resetGlobals: false, freshMemory: false },
    purpose: 'numbers that the task or the kernels compare with, in the same buffers, nothing reset',
  };
}

/**
 * The family that {@link partlyNew} takes its two elements from: one whose extremes lie far out, where the task has such a one. A kernel that looks at a part
 * of the input to see which shortcut will do for all of it does not see them.
 */
function plantedFamily(families: readonly string[]): string | undefined {
  return ['heavy-tailed', 'large'].flatMap((wanted) => families.filter((family) => family.startsWith(wanted)))[0];
}

/** The task's own inputs with NaN and infinities planted in them. */
function planSpecial(families: readonly string[], commitment: Commitment): CallPlan {
  return {
    family: families[0]!,
    inputsOf: SPECIAL,
    inputSeed: deriveSeed(commitment, 'special inputs'),
    poisonSeed: derivePoison(commitment, 'special poison'),
    resetGlobals: true,
    freshMemory: true,
    purpose: 'NaN and infinities planted',
  };
}

type Inputs = readonly HostTensor[];

/**
 * Inputs that are made of drawn ones, by those, for as long as the oracle keeps them: candidates that were frozen together meet the very same
 * tensors, and what is right for them is computed once.
 */
const halfNewOf = new WeakMap<Inputs, Inputs>();
const plantedOf = new WeakMap<Inputs, Inputs>();
const specialOf = new WeakMap<Inputs, Inputs>();

function madeOnce(known: WeakMap<Inputs, Inputs>, drawn: Inputs, make: () => Inputs): Inputs {
  const made = known.get(drawn) ?? make();
  known.set(drawn, made);
  return made;
}

export interface TrialOptions {
  task: Task;
  candidate: PreparedCandidate;
  oracle: Oracle;
  device: Device;
  gpu: string;
  limits: RunLimits;
  commitment: Commitment;
  signal?: AbortSignal;
  /** The task at its file's own shapes, where it was scaled. */
  full?: FullSize;
}

/** A comparison with the call and output it is of. */
export interface JudgedComparison {
  call: number;
  output: number;
  comparison: Comparison;
}

export class Trial {
  readonly task: Task;
  readonly candidate: PreparedCandidate;
  readonly oracle: Oracle;
  readonly plans: readonly CallPlan[];
  /** Undefined when no input is floating-point. */
  readonly special: CallPlan | undefined;
  /** Calls that completed, by index. */
  readonly calls: JudgedCall[] = [];
  /** How each run ended, in order. */
  readonly runs: RunResult[] = [];
  /** What was seen at the task's own shapes; undefined until {@link fullSize} has looked. */
  fullSizeReport: FullSizeReport | undefined;
  readonly #options: TrialOptions;
  readonly #comparisons = new Map<string, JudgedComparison>();

  constructor(options: TrialOptions) {
    this.task = options.task;
    this.candidate = options.candidate;
    this.oracle = options.oracle;
    const { oracle, commitment, task } = options;
    const plans = planCalls(oracle, commitment);
    const changeable = canBePartlyNew(task.graph);
    const more = changeable ? planPartlyNew(plans, FAMILIES[oracle.effort].halves, commitment) : [];
    const near = familyNear(task, numbersComparedWith(options.candidate.build.ptx));
    const last = near === undefined ? [] : [planNear(plans.length + more.length, near, commitment)];
    this.plans = [...plans, ...more, ...last];
    const floating = task.signature.tensors.some((one) => one.role === 'input' && isFloating(one.spec.dtype));
    this.special = floating ? planSpecial(oracle.families, commitment) : undefined;
    this.#options = options;
  }

  /** Makes the first call, and looks for races in it. */
  async runFirst(): Promise<RunResult> {
    return this.#run([0], { races: true });
  }

  /** Makes all other calls, one after another; the first of them, which has the first call's inputs, is profiled for the target GPU. */
  async runSequence(): Promise<RunResult> {
    return this.#run(this.plans.map((_, index) => index).slice(1), { profile: { gpu: this.#options.gpu } });
  }

  /** Makes one call alone with everything reset; undefined when it does not complete. */
  async runAlone(index: number): Promise<JudgedCall | undefined> {
    const plan: CallPlan = { ...this.#planOf(index), resetGlobals: true, freshMemory: true, callsSkipped: undefined };
    const result = await this.#send([plan], {});
    return result.status === 'completed' ? this.#judgedCall(index, plan, result.calls[0]!) : undefined;
  }

  /** Looks at the candidate at the task's own shapes; undefined where those were not given. */
  async fullSize(): Promise<FullSizeReport | undefined> {
    const { full, device, commitment, signal } = this.#options;
    if (full) this.fullSizeReport ??= await examineFullSize({ full, device, commitment, signal });
    return this.fullSizeReport;
  }

  #planOf(index: number): CallPlan {
    const plan = index === SPECIAL ? this.special : this.plans[index];
    if (plan === undefined) throw new Error(`There is no call ${index}.`);
    return plan;
  }

  /** Inputs of a call, in the order of the signature. */
  inputs(index: number): readonly HostTensor[] {
    return this.#draw(this.#planOf(index));
  }

  #draw(plan: CallPlan): readonly HostTensor[] {
    const { graph, signature } = this.task;
    const { baseSeed, inputSeed, halves } = plan;
    if (baseSeed !== undefined) {
      const before = this.oracle.draw(plan.family, baseSeed);
      if (halves === undefined) return this.#planted(before, plan);
      const fresh = this.oracle.draw(plan.family, inputSeed);
      const made = madeOnce(halfNewOf, fresh, () => halfNew(before, fresh, graph, halves.seed, halves.half));
      return halves.half === 1 ? this.#planted(made, plan) : made;
    }
    const drawn = this.oracle.draw(plan.family, inputSeed);
    if (plan !== this.special && plan.inputsOf !== SPECIAL) return drawn;
    return madeOnce(specialOf, drawn, () => plantSpecialValues(drawn, signature, inputSeed));
  }

  /** Inputs with two elements far out, at places that follow from the call's seed. */
  #planted(inputs: Inputs, { family, inputSeed }: CallPlan): Inputs {
    const fresh = this.oracle.draw(plantedFamily(this.oracle.families) ?? family, inputSeed);
    return madeOnce(plantedOf, fresh, () => partlyNew(inputs, fresh, this.task.graph, inputSeed));
  }

  /** What is right for a call. */
  expected(index: number): readonly OutputTolerance[] {
    return this.oracle.expect(this.inputs(index)).outputs;
  }

  /** A completed call's output against what is right; computed once. */
  comparison(call: number, output: number): Comparison {
    const key = `${call} ${output}`;
    const known = this.#comparisons.get(key);
    if (known) return known.comparison;
    const made = this.calls[call];
    if (!made) throw new Error(`Call ${call} has not been made.`);
    const comparison = compareOutput(made.outputs[output]!.values, this.expected(call)[output]!);
    this.#comparisons.set(key, { call, output, comparison });
    return comparison;
  }

  /** All comparisons made, in the order of the calls. */
  comparisons(): JudgedComparison[] {
    return [...this.#comparisons.values()].sort((a, b) => a.call - b.call || a.output - b.output);
  }

  /** `out` for a task with one output, `out0`, `out1` ... for more. */
  outputName(output: number): string {
    return this.task.signature.outputs.length === 1 ? 'out' : `out${output}`;
  }

  async #run(indices: readonly number[], extra: Partial<RunRequest>): Promise<RunResult> {
    const plans = indices.map((index) => this.plans[index]!);
    let result = await this.#send(plans, extra);
    // A child that dies is not the candidate's verdict: it gets one more chance before that is reported.
    if (result.status === 'crashed') result = await this.#send(plans, extra);
    this.runs.push(result);
    if (result.status === 'completed') {
      indices.forEach((index, i) => {
        this.calls[index] = this.#judgedCall(index, plans[i]!, result.calls[i]!);
      });
    }
    return result;
  }

  #send(plans: readonly CallPlan[], extra: Partial<RunRequest>): Promise<RunResult> {
    const { device, candidate, limits, signal } = this.#options;
    const calls = plans.map(
      (plan): Call => ({
        inputs: this.#draw(plan).map(encode),
        poisonSeed: plan.poisonSeed,
        resetGlobals: plan.resetGlobals,
        freshMemory: plan.freshMemory,
        callsSkipped: plan.callsSkipped,
      }),
    );
    return device.run({ plan: candidate.plan, build: candidate.build, calls, limits, ...extra }, signal);
  }

  #judgedCall(
    index: number,
    plan: CallPlan,
    result: Extract<RunResult, { status: 'completed' }>['calls'][number],
  ): JudgedCall {
    return {
      index,
      plan,
      outputs: result.outputs.map(({ bytes }, o) => decode(bytes, this.task.signature.outputs[o]!)),
      bytes: result.outputs.map(({ bytes }) => bytes),
      written: result.outputs.map(({ written }) => written),
      changedInputs: result.changedInputs,
      threadInstructions: result.threadInstructions,
    };
  }
}
