/** What the task's admission comes to: how its mutants fared, and what no inputs can see. */
import type { MutantKind, Omission } from '../task/index.ts';

/** How a mutant fared on one family. */
export interface FamilyExcess {
  family: string;
  /** Error over what is allowed; over 1 is caught. Infinity for a NaN or an infinity out of place. */
  excess: number;
}

export interface MutantResult {
  id: string;
  kind: MutantKind;
  description: string;
  /** The operator that the mutant changes, for the report. */
  operator: string;
  /** It fails on inputs drawn as the task file draws them. */
  killedByOwnInputs: boolean;
  /** The first family on which it fails; absent when it survives all of them. */
  killedBy?: string;
  /** Every family it was put to, in order; the last one is the one that caught it, if one did. */
  tried: readonly FamilyExcess[];
}

/** A variant that is no mutant: it computes what the task computes. */
export interface EquivalentMutant {
  id: string;
  kind: MutantKind;
  description: string;
  operator: string;
  /** `proof`: by algebra. `evidence`: equal in float64 on every family of inputs, although the operator's own values differ. */
  by: 'proof' | 'evidence';
  reason: string;
}

export interface Admission {
  /** Variants that compute another function than the task, as far as is known. */
  mutants: readonly MutantResult[];
  equivalent: readonly EquivalentMutant[];
  /** What algebra leaves out of the task's own graph. */
  omitted: readonly Omission[];
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
