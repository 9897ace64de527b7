/**
 * Is each call answered from its own inputs? Calls follow one another on new inputs with nothing reset. A wrong answer that is
 * right when the call is made alone, in a fresh state, was made from what an earlier call left behind: in a device global, or in memory.
 */

import type { Proof } from '../proof.ts';
import { type Check, type CheckContext, passed } from '../question.ts';
import { compareOutput } from '../tolerance.ts';
import { plural } from '../words.ts';

/** The earlier call whose output this one repeats, bit for bit. */
function replayOf({ trial }: CheckContext, index: number, output: number): number | undefined {
  const bytes = trial.calls[index]!.bytes[output]!;
  const inputsOf = trial.plans[index]!.inputsOf;
  for (let earlier = index - 1; earlier >= 0; earlier--) {
    if (trial.plans[earlier]!.inputsOf === inputsOf) continue;
    const before = trial.calls[earlier]?.bytes[output];
    if (before !== undefined && Buffer.compare(before, bytes) === 0) return earlier;
  }
  return undefined;
}

async function proofOf(context: CheckContext, index: number, output: number): Promise<Proof | undefined> {
  const { trial } = context;
  const comparison = trial.comparison(index, output);
  const alone = await trial.runAlone(index);
  if (alone === undefined) return undefined;
  if (!compareOutput(alone.outputs[output]!.values, trial.expected(index)[output]!).accepted) return undefined;
  const replayed = replayOf(context, index, output);
  const what =
    replayed === undefined
      ? `Call ${index} gives ${plural(comparison.wrong, 'wrong output')} after other calls, and the right answer when it is made alone with everything reset`
      : `Call ${index} returns the answer of call ${replayed}, though its inputs are new; made alone with everything reset, it is right`;
  return {
    reason: `${what}: state is carried from call to call. Keep no results, counters or flags in \`__device__\` variables or old memory.`,
    details: { call: index, output, wrong: comparison.wrong, replayed: replayed ?? null },
  };
}

export const callsIndependent: Check = {
  id: 'calls-independent',
  question: 'Is every call answered from its own inputs, whatever was called before?',
  catches: ['C14', 'C15', 'G6', 'T11', 'T13', 'T14', 'T17', 'result cached in a device global', 'first-call flag'],
  stages: ['sequence'],
  devices: ['virtual', 'cuda'],
  cost: 5,
  async run(context) {
    const { trial, calls } = context;
    for (const index of calls) {
      for (let output = 0; output < trial.task.signature.outputs.length; output++) {
        if (trial.comparison(index, output).accepted) continue;
        const proof = await proofOf(context, index, output);
        return proof === undefined
          ? passed('A wrong answer is just as wrong when its call is made alone.')
          : { status: 'rejected', proof };
      }
    }
    return passed();
  },
};
