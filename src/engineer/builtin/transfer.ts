/**
 * One schedule at two sets of shapes: what was chosen for the file's own is written as alike as can be for the smaller shapes at which the judge
 * compares every element. The same fusion and the same forms; packs, lanes and tiles as wide as the smaller sizes allow.
 */
import type { PrecisionPolicy } from '../../task/index.ts';
import { plainChoice, startingChoices } from './first-choices.ts';
import { type GroupFacts, groupFacts, type Hardware, illegal } from './knobs.ts';
import { analyse } from './lower/groups.ts';
import { type KernelChoice, type Outline, outline, type Program, type Schedule, storedValues } from './lower/index.ts';
import type { ReduceStep } from './lower/program.ts';
import { splitChoices, splitReductions } from './lower/split.ts';

/** The outline and choices for `program`, which is the same program at other shapes as that of `own`. */
export function transfer(
  own: Outline,
  schedule: Schedule,
  program: Program,
  precision: PrecisionPolicy,
  hardware?: Hardware,
): { outline: Outline; choices: readonly KernelChoice[] } {
  const alike = sameGroups(own, splitReductions(program, splitsFor(program, schedule.splits)));
  if (alike) {
    const choices = alike.groups.map(({ group, stored }, k) =>
      adapt(groupFacts(alike.program, group, stored, precision, hardware), schedule.kernels[k]!),
    );
    return { outline: alike, choices };
  }
  // At these sizes the program does not take the same form: it has its own kernels.
  const other = outline(program, { fusion: schedule.fusion, splits: {} });
  const choices = other.groups.map(({ group, stored }) => {
    const facts = groupFacts(other.program, group, stored, precision, hardware);
    return startingChoices(facts)[0] ?? plainChoice(facts);
  });
  return { outline: other, choices };
}

/** For each split the number of parts that is nearest to the wanted one and divides here; none where there is none. */
function splitsFor(program: Program, splits: Schedule['splits']): Map<number, number> {
  const parts = new Map<number, number>();
  for (const [value, wanted] of Object.entries(splits)) {
    const step = program.steps.find((one): one is ReduceStep => one.kind === 'reduce' && one.outs[0] === Number(value));
    const [nearest] = step ? splitChoices(step, 64).sort((a, b) => Math.abs(a - wanted) - Math.abs(b - wanted)) : [];
    if (nearest !== undefined) parts.set(Number(value), nearest);
  }
  return parts;
}

/** The same steps grouped alike; undefined where the two programs differ in more than sizes, or a group fits no walk here. */
function sameGroups({ program, groups }: Outline, other: Program): Outline | undefined {
  const { steps } = program;
  if (steps.length !== other.steps.length || steps.some(({ kind }, k) => kind !== other.steps[k]!.kind))
    return undefined;
  const places = new Map(steps.map((step, k) => [step, k]));
  const found = groups.map(({ group }) => {
    const alike = group.steps
      .map((step) => places.get(step))
      .map((k) => (k === undefined ? undefined : other.steps[k]));
    if (alike.some((step) => step === undefined)) return undefined;
    const structure = analyse(alike.map((step) => step!));
    return structure && { steps: alike.map((step) => step!), structure };
  });
  if (found.some((group) => group === undefined)) return undefined;
  const made = found.map((group) => group!);
  return {
    program: other,
    groups: made.map((group, index) => ({ group, stored: storedValues(other, made, index) })),
  };
}

/** A legal choice as near as can be to one that was made for other sizes. */
export function adapt(facts: GroupFacts, choice: KernelChoice): KernelChoice {
  for (const candidate of narrower(choice)) if (illegal(facts, candidate) === undefined) return candidate;
  const alike = startingChoices(facts).find(({ family }) => family === choice.family);
  return alike ?? startingChoices(facts)[0] ?? plainChoice(facts);
}

const halvings = (value: number): number[] => (value <= 1 ? [1] : [value, ...halvings(Math.floor(value / 2))]);

/** The choice itself, then ever narrower ones: packs first, then what is kept, then lanes and rows. */
function* narrower(choice: KernelChoice): Generator<KernelChoice> {
  switch (choice.family) {
    case 'map':
      for (const vector of halvings(choice.vector)) yield { ...choice, vector };
      return;
    case 'row':
      for (const lanes of halvings(choice.lanes))
        for (const rows of halvings(choice.rows))
          for (const keep of [choice.keep, 'reload'] as const)
            for (const vector of halvings(choice.vector)) {
              for (const team of halvings(choice.team))
                for (const room of new Set([choice.room, 0]))
                  yield { ...choice, vector, keep, lanes, rows, team, room };
              const alone = { patch: 1, cluster: 1, team: 1, room: 0 };
              yield { ...choice, vector, keep, lanes, rows, combine: 'shared', ...alone };
            }
      return;
    case 'tile':
    case 'mma':
      for (const vector of halvings(choice.vector)) yield { ...choice, vector };
      return;
    case 'pipeline':
      // Fewer tiles than stages or groups of them are wanted for.
      for (const group of [choice.group, 1]) yield { ...choice, group };
      return;
    case 'scan':
      for (const lanes of halvings(choice.lanes))
        for (const rows of halvings(choice.rows))
          for (const items of halvings(choice.items)) yield { ...choice, items, lanes, rows };
      return;
    case 'window':
      for (const across of [choice.across, 'reads'] as const)
        for (const strip of halvings(choice.strip)) yield { ...choice, strip, across };
      return;
    case 'sort':
      for (const block of halvings(choice.block)) yield { ...choice, block };
      return;
    case 'recurrent':
      for (const block of halvings(choice.block))
        for (const lanes of halvings(choice.lanes)) yield { ...choice, block, lanes };
      return;
    default:
      yield choice;
  }
}
