/**
 * Failures in few words: of a long compiler's or judge's message the part that says what to do, once; with advice by rule for each check. A model
 * that reads less hallucinates less.
 */
import type { Evaluation } from '../ports.ts';

/** What usually helps, by the check that decided. */
const advice: Readonly<Record<string, string>> = {
  prepare:
    'The host function is interpreted, not compiled: keep it plain (sizes, torch::empty, launches). Mend the first error; later ones often follow from it.',
  'launches-kernels': 'Compute the outputs by kernels of your own: PyTorch operators do not count.',
  'output-shape': 'Return tensors of exactly the shapes and types that were asked for.',
  completes: 'A kernel does not end: look at loop bounds, and at threads that wait at a barrier others never reach.',
  'device-findings':
    'Look at the line that is named: index bounds at the edges, alignment of vector loads, __syncthreads() between writing and reading shared memory.',
  'every-output-written':
    'The grid or a loop does not cover the output: compare grid size, block size and strides with its shape.',
  'inputs-unchanged': 'Inputs and parameters must not be written.',
  repeatable: 'The same call gave another result: a race, or an order of atomics that matters.',
  'poison-independent':
    'The result depends on what memory held: something is read before it is written; accumulators must be set to zero in every call.',
  'calls-independent': 'A call depends on calls before it: no state may stay in device variables or workspaces.',
  values:
    'Compare the arithmetic with the graph: indices, missing operators, order of reduction, precision of intermediate results.',
};

const longest = 700;

/** The findings of a failed candidate, shortened, with advice. */
export function failureInWords(evaluation: Evaluation): string {
  const { check, reason, feedback } = evaluation;
  const said = feedback?.findings.length ? feedback.findings : [reason];
  const lines = [...new Set(said.map((text) => shortened(text)))].slice(0, 4).map((text) => `- ${text}`);
  const help = check === undefined ? undefined : advice[check];
  return [`Failed at: ${check ?? evaluation.outcome}`, ...lines, ...(help ? [`What usually helps: ${help}`] : [])].join(
    '\n',
  );
}

/** A failure in one line, for lists. */
export function failureInBrief({ check, reason, feedback }: Evaluation): string {
  const [first = ''] = (feedback?.findings[0] ?? reason).split('\n');
  const text = first.length > 200 ? `${first.slice(0, 197)}...` : first;
  return `${check ?? 'failed'}: ${text}`;
}

/** Repeated lines once, notes of compilers left out, cut in the middle where it is long. */
function shortened(text: string): string {
  const seen = new Set<string>();
  const lines = text.split('\n').filter((line) => {
    const bare = line.trim();
    if (bare === '' || seen.has(bare) || /^(note:|In file included|\d+ errors? detected)/i.test(bare)) return false;
    seen.add(bare);
    return true;
  });
  const kept = lines.join('\n  ');
  return kept.length <= longest ? kept : `${kept.slice(0, longest - 200)} ... ${kept.slice(-180)}`;
}
