/**
 * Why a measurement says nothing, and which cheats of the catalogue each reason points to. A pointer is not an accusation: a broken clock or a busy machine
 * looks the same from outside, and the answer is the same, no claim.
 */
import type { Sample } from './records.ts';

export interface CauseRow {
  /** `void`: what was seen cannot come from a right kernel on working clocks. `undecided`: it can, but nothing follows from it. */
  readonly outcome: 'void' | 'undecided';
  /** Ids of the catalogue that would look like this. */
  readonly cheats: readonly string[];
  readonly means: string;
}

export const causes = {
  'wrong-output': {
    outcome: 'void',
    cheats: ['T2', 'T4', 'T7', 'T11', 'T12', 'T13', 'C1', 'C11', 'C14', 'C15', 'C16', 'P2'],
    means: 'a timed call gave a wrong output: fast when timed, right elsewhere, or a cached answer',
  },
  'unchecked-output': {
    outcome: 'void',
    cheats: ['C14', 'C16', 'T2', 'T12'],
    means: 'a timed call whose outputs nobody checked',
  },
  'reused-operands': {
    outcome: 'void',
    cheats: ['C14', 'T11', 'T13', 'T16', 'T17'],
    means: 'a call was timed on operands that an earlier call had',
  },
  'impossible-sample': {
    outcome: 'void',
    cheats: ['T6', 'T8', 'T9'],
    means: 'a time of zero, less than zero, or no number',
  },
  'identical-samples': {
    outcome: 'void',
    cheats: ['T6', 'T8', 'T9', 'T10'],
    means: 'the same time again and again on both clocks: copied, not read',
  },
  'clocks-disagree': {
    outcome: 'void',
    cheats: ['T1', 'T2', 'T3', 'T6', 'T7', 'T9', 'T12', 'T19'],
    means: 'device clock and host clock differ by more than a null plan costs',
  },
  'below-floor': {
    outcome: 'void',
    cheats: ['T1', 'T6', 'T7', 'T8', 'T9', 'T11', 'T13', 'T15', 'T16', 'C14', 'S11'],
    means: 'a time in which the bytes cannot have moved or the operations cannot have been done',
  },
  'changes-with-calls': {
    outcome: 'undecided',
    cheats: ['T14', 'T17', 'C14'],
    means: 'the ratio of early calls is not that of late ones',
  },
  'no-window': { outcome: 'void', cheats: ['C12', 'C17'], means: 'a call, or a fresh process, gave no time' },
  'clock-unstable': {
    outcome: 'undecided',
    cheats: ['T18'],
    means:
      'too few windows of candidate and baseline ran at the same clock, alone on a device that did not have to protect itself',
  },
  budget: { outcome: 'undecided', cheats: [], means: 'the least number of windows does not fit the budget' },
} as const satisfies Record<string, CauseRow>;

export type Cause = keyof typeof causes;

/** Nothing follows from the times, and why. */
export interface Refusal {
  readonly cause: Cause;
  /** Whose times; absent: all. */
  readonly subject?: string;
  /** The one window that shows it, where one does. */
  readonly window?: Sample;
  readonly reason: string;
}
