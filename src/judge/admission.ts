/**
 * The task is judged first. Wrong variants of its graph (zeros, a constant, an input returned, one operator dropped, ...) are put to the
 * same comparison as a candidate. One that passes in all calls shows an operator that this task cannot
 * see: no claim may rest on it. The share of variants that fail is the judge's mutation score, and is published with every verdict.
 */
import type { Task } from '../task/index.ts';
import { shows } from './mutant.ts';
import type { Oracle } from './oracle.ts';
import type { Commitment } from './seeds.ts';
import { planCalls } from './trial.ts';
import type { CallPlan } from './types.ts';

export interface MutantResult {
  id: string;
  description: string;
  /** The operator that the mutant changes, for the report. */
  operator: string;
  /** It fails on inputs drawn as the task file draws them. */
  killedByOwnInputs: boolean;
  /** The first family on which it fails; absent when it survives all of them. */
  killedBy?: string;
}

export interface Admission {
  mutants: readonly MutantResult[];
  /** Share of mutants that fail on some family, 0 to 1; 1 when there are none. */
  score: number;
  /** Share that fail on the task's own inputs. */
  ownScore: number;
  /** Operators that no family can see: the task is degenerate there. */
  dead: readonly { operator: string; reason: string }[];
  /** Operators that the task's own inputs cannot see, but the judge's can. */
  hiddenByOwnInputs: readonly { operator: string; reason: string }[];
  milliseconds: number;
}

/** Puts every mutant of the task to the comparison that candidates are put to, on the inputs that they are given. */
export function admit(task: Task, oracle: Oracle, commitment: Commitment): Admission {
  const start = performance.now();
  const calls = planCalls(oracle, commitment).filter((plan, index) => plan.inputsOf === index);
  const results = oracle.mutants.map((mutant): MutantResult => {
    const killed = ({ family, inputSeed }: CallPlan) => {
      const inputs = oracle.draw(family, inputSeed);
      return shows(oracle, mutant, inputs, oracle.expect(inputs).outputs);
    };
    const killedBy = calls.find(killed)?.family;
    return {
      id: mutant.id,
      description: mutant.description,
      operator: mutant.operator,
      killedByOwnInputs: killedBy !== undefined && killedBy === oracle.families[0],
      killedBy,
    };
  });
  const share = (killed: number) => (results.length === 0 ? 1 : killed / results.length);
  const dead = results.filter((result) => result.killedBy === undefined);
  const hidden = results.filter((result) => result.killedBy !== undefined && !result.killedByOwnInputs);
  return {
    mutants: results,
    score: share(results.length - dead.length),
    ownScore: share(results.filter((result) => result.killedByOwnInputs).length),
    dead: dead.map(({ operator, description }) => ({
      operator,
      reason: `${task.name} cannot tell: ${description} changes no output on any inputs tried.`,
    })),
    hiddenByOwnInputs: hidden.map(({ operator, description, killedBy }) => ({
      operator,
      reason: `on inputs drawn as the task file draws them, ${description} changes nothing; inputs drawn as \`${killedBy}\` show it.`,
    })),
    milliseconds: performance.now() - start,
  };
}
