/**
 * The task is judged first. Wrong variants of its graph (zeros, a constant, an input returned, one operator dropped, a precision lowered, ...) are put
 * to the same comparison as a candidate, on the families of inputs that candidates meet. A variant that computes the same function is none: it is left
 * out by proof (algebra) or by evidence (equality.ts), with the reason, and names an operator that is dead whatever the inputs are. Of the
 * others, one that passes in all calls shows an operator that this task cannot see: no claim may rest on it. The share that
 * fails is the judge's mutation score, and is published with every verdict.
 */
import {
  AS_WRITTEN,
  domainOf,
  Equivalence,
  type HostTensor,
  type Mutant,
  sentenceOf,
  type Task,
} from '../task/index.ts';
import type { Admission, EquivalentMutant, FamilyExcess, MutantResult } from './admission-report.ts';
import { EqualityTrial, piecewiseNodes } from './equality.ts';
import { excessOf } from './mutant.ts';
import type { Oracle } from './oracle.ts';
import type { Commitment } from './seeds.ts';
import { planCalls } from './trial.ts';

/** Inputs to put mutants to, drawn when they are wanted. */
export interface Draw {
  family: string;
  inputs: () => readonly HostTensor[];
}

/** Families that evidence of equality needs at least; where a task has fewer, all of them. */
const EVIDENCE_FAMILIES = 6;

/** Puts every mutant of the task to the comparison that candidates are put to, on the inputs that they are given. */
export function admit(task: Task, oracle: Oracle, commitment: Commitment): Admission {
  const draws = planCalls(oracle, commitment)
    .filter((plan, index) => plan.inputsOf === index)
    .map(({ family, inputSeed }) => ({ family, inputs: () => oracle.draw(family, inputSeed) }));
  return admitOn(task, oracle, draws);
}

/** The same, on given draws. `signal` ends it early. */
export function admitOn(task: Task, oracle: Oracle, draws: readonly Draw[], signal?: AbortSignal): Admission {
  const start = performance.now();
  const algebra = new Equivalence(task.graph, domainOf(task.graph, staysNonNegative(oracle.families)));
  const equivalent: EquivalentMutant[] = [];
  const tried = new Map<Mutant, FamilyExcess[]>();
  for (const mutant of oracle.mutants) {
    // A kept answer is the same graph, and a lower precision too, which only values tell.
    const reason = mutant.frozen
      ? algebra.proofOfBlindness()
      : mutant.arithmetic
        ? undefined
        : algebra.proof(mutant.graph);
    if (reason === undefined) tried.set(mutant, []);
    else equivalent.push({ ...named(mutant), by: 'proof', reason });
  }
  const alive = new Set(tried.keys());
  for (const { family, inputs: draw } of draws) {
    if (alive.size === 0) break;
    signal?.throwIfAborted();
    const inputs = draw();
    const { outputs } = oracle.expect(inputs);
    for (const mutant of alive) {
      const excess = excessOf(oracle, mutant, inputs, outputs);
      tried.get(mutant)!.push({ family, excess });
      if (excess > 1) alive.delete(mutant);
    }
  }
  for (const [mutant, reason] of equalInFloat64(task, [...alive], draws, signal)) {
    tried.delete(mutant);
    equivalent.push({ ...named(mutant), by: 'evidence', reason });
  }
  const blind = equivalent.some(({ id }) => id === 'kept');
  for (const [mutant, list] of tried) {
    if (mutant.arithmetic !== undefined && blind && list.every(({ excess }) => excess <= 1)) {
      tried.delete(mutant);
      equivalent.push({
        ...named(mutant),
        by: 'evidence',
        reason: 'nothing that is computed from the inputs reaches the answer',
      });
      continue;
    }
    // Bit by bit the answer in every arithmetic: nothing in it is computed.
    if (mutant.arithmetic === undefined || list.length < draws.length || list.some(({ excess }) => excess !== 0))
      continue;
    tried.delete(mutant);
    const reason = `the answer is the same to the last bit, on ${list.length} draws`;
    equivalent.push({ ...named(mutant), by: 'evidence', reason });
  }
  const own = oracle.families[0];
  const mutants = [...tried].map(([mutant, list]): MutantResult => {
    const caught = list.find(({ excess }) => excess > 1)?.family;
    return {
      ...named(mutant),
      killedByOwnInputs: caught !== undefined && caught === own,
      killedBy: caught,
      tried: list,
    };
  });
  return { ...summary(task, mutants, equivalent, algebra), milliseconds: performance.now() - start };
}

const named = ({ id, kind, description, operator }: Mutant) => ({ id, kind, description, operator });

/** The families of a task whose inputs must not be negative carry it in their names: see src/task/inputs/draw.ts. */
function staysNonNegative(families: readonly string[]): boolean {
  const others = families.filter((family) => family !== AS_WRITTEN);
  return others.length > 0 && others.every((family) => /(\+|\[0,1\])$/.test(family));
}

/** Which of these mutants equal the task in float64 on every draw, and why that is believed. */
function equalInFloat64(
  task: Task,
  survivors: readonly Mutant[],
  draws: readonly Draw[],
  signal?: AbortSignal,
): Map<Mutant, string> {
  const equal = new Set(survivors.filter(({ arithmetic }) => arithmetic === undefined));
  const changed = new Set<Mutant>();
  const families = new Set<string>();
  const unseen = new Set(piecewiseNodes(task.graph));
  for (const { family, inputs: draw } of draws) {
    if (equal.size === 0) break;
    signal?.throwIfAborted();
    const trial = new EqualityTrial(task.graph, draw());
    families.add(family);
    for (const node of trial.exercised()) unseen.delete(node);
    for (const mutant of equal) {
      const { differsInside, sameOutside } = trial.compare(mutant) ?? { differsInside: false, sameOutside: false };
      if (!sameOutside) equal.delete(mutant);
      if (differsInside) changed.add(mutant);
    }
  }
  if (unseen.size > 0 || families.size < Math.min(EVIDENCE_FAMILIES, draws.length)) return new Map();
  return new Map(
    [...equal]
      .filter((mutant) => changed.has(mutant))
      .map((mutant) => [
        mutant,
        `it computes from other values, and yet every output is the task's to float64's rounding, on ${draws.length} draws from ${families.size} families`,
      ]),
  );
}

function summary(
  task: Task,
  mutants: readonly MutantResult[],
  equivalent: readonly EquivalentMutant[],
  algebra: Equivalence,
): Omit<Admission, 'milliseconds'> {
  const share = (killed: number) => (mutants.length === 0 ? 1 : killed / mutants.length);
  const survivors = mutants.filter((result) => result.killedBy === undefined);
  const hidden = mutants.filter((result) => result.killedBy !== undefined && !result.killedByOwnInputs);
  const unnecessary = equivalent.filter(({ kind }) => kind === 'answer' || kind === 'dropped' || kind === 'ignored');
  const dead = [
    ...algebra.omitted.map((omission) => ({ operator: omission.op, reason: `${sentenceOf(omission)}.` })),
    ...unnecessary
      .filter(({ by }) => by === 'evidence' || algebra.omitted.length === 0)
      .map(({ operator, description, reason }) => ({
        operator,
        reason: `${description}: the answer stays the same (${reason}).`,
      })),
    ...survivors.map(({ operator, description }) => ({
      operator,
      reason: `${task.name} cannot tell: ${description} changes no output on any inputs tried.`,
    })),
  ];
  return {
    mutants,
    equivalent,
    omitted: algebra.omitted,
    score: share(mutants.length - survivors.length),
    ownScore: share(mutants.filter((result) => result.killedByOwnInputs).length),
    dead,
    hiddenByOwnInputs: hidden.map(({ operator, description, killedBy }) => ({
      operator,
      reason: `on inputs drawn as the task file draws them, ${description} changes nothing; inputs drawn as \`${killedBy}\` show it.`,
    })),
  };
}
