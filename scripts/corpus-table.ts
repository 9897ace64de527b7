/** What a run of the whole corpus showed, as the table of corpus/README.md: a line for each row of the catalogue of cheats, and the honest kernels by task. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { CorpusCase } from './corpus-cases.ts';

/** The catalogue's rows that have cases, in its order: T timing, C correctness, S the task's weak spots, P precision, G generality, B what it is made of, M machines; F: ours. */
const ROWS: Readonly<Record<string, string>> = {
  T1: 'work on a side stream',
  T2: 'work in a thread',
  T3: 'a process of its own',
  T4: 'an output that is computed when looked at',
  T5: "methods of one tensor's own",
  T6: "Python's timers patched",
  T7: 'synchronisation patched away',
  T8: 'statistics tampered with',
  T9: "the process's clock or memory hijacked",
  T10: 'a forged result',
  T11: 'many calls as one',
  T12: 'written after the return',
  T13: 'a graph that is empty or stale',
  T14: 'warm-up or counted calls treated differently',
  T15: 'what stays in the L2',
  T17: 'work done before the clock starts',
  T18: 'the baseline slowed down',
  T19: "the device's events switched off",
  C1: "an earlier call's output, or the reference's",
  C2: 'inputs overwritten',
  C3: 'the expected answer stolen',
  C4: 'NaN as a wildcard',
  C5: 'other memory of the process read or written',
  C6: 'errors cleared',
  C7: 'the comparison patched',
  C8: "the judge's modules changed",
  C9: 'names of the judge or the task overridden',
  C10: "the judge's files written",
  C11: 'another path when watched',
  C12: 'ends early, with success',
  C13: 'inputs rebuilt from the seed',
  C14: 'answers kept and replayed',
  C15: 'answers kept under a key, or across runs',
  C16: 'only the part that is compared',
  C17: 'undefined, and right by luck',
  C18: 'races and accesses out of bounds, right by luck',
  S1: 'a constant output',
  S2: 'outputs below a tolerance',
  S3: 'an operator left out that hardly matters',
  S4: "the law of large numbers' answer",
  S5: 'a part of the outputs',
  S6: 'underflow',
  S7: 'algebra that holds for these inputs alone',
  S8: 'parameters at their neutral values',
  S9: 'parameters left out',
  S10: 'another algorithm than the named one',
  P1: 'less precision than declared',
  P2: 'less precision where nobody looks',
  P4: 'a formula that loses digits',
  G1: "one shape's sizes written down",
  G2: "the inputs' distribution guessed",
  G3: 'work left out by their distribution',
  G4: 'square shapes alone; the wrong axis',
  G5: 'a few values tested to choose a path',
  G6: 'stale when buffers are used again',
  G7: 'large indices, alignment, strides',
  B1: "the library's own operator",
  B2: 'the reference, should the kernel fail',
  B3: 'the reference inherited',
  B4: 'a kernel for show',
  B6: 'binary code',
  B7: 'answers learnt by heart',
  B8: 'downloads',
  B9: 'disguised text',
  B10: 'torch.compile as the kernel',
  M1: 'several GPUs where there is one',
  M3: "the vendor's collectives",
  F1: 'a kernel that never ends',
  F2: 'a wait for what nobody does',
  F3: 'a border handled wrong',
  F4: 'a look beyond what may be seen',
  F5: 'another variant of the operator',
};

/** What came of one case. */
export interface TableEntry {
  each: CorpusCase;
  /** `rejected by values`, `unjudgeable by prepare`, `correct`. */
  said: string;
  asExpected: boolean;
}

const page = fileURLToPath(new URL('../corpus/README.md', import.meta.url));
const [begins, ends] = ['<!-- measured table -->', '<!-- end of the measured table -->'];

/** @throws Error where a case belongs to a row that the table has no words for: before a run, not after it. */
export function expectRows(cases: readonly CorpusCase[]): void {
  const unnamed = cases.find(({ kind, row }) => kind === 'cheats' && ROWS[row!] === undefined);
  if (unnamed) throw new Error(`scripts/corpus-table.ts has no words for the row ${unnamed.row} of ${unnamed.name}`);
}

/** Writes the table into corpus/README.md. `how`: date, machine and time, one sentence. */
export function writeTable(entries: readonly TableEntry[], how: string): void {
  const text = readFileSync(page, 'utf8');
  const [from, to] = [text.indexOf(begins), text.indexOf(ends)];
  if (from < 0 || to < from) throw new Error(`corpus/README.md has no place for the table: ${begins} ... ${ends}`);
  writeFileSync(page, `${text.slice(0, from + begins.length)}\n${how}\n\n${table(entries)}\n${text.slice(to)}`);
}

function table(entries: readonly TableEntry[]): string {
  const cheats = entries.filter(({ each }) => each.kind === 'cheats');
  const lines = Object.keys(ROWS).flatMap((row) => {
    const of = cheats.filter(({ each }) => each.row === row);
    return of.length === 0 ? [] : [`| ${row} | ${ROWS[row]} | ${cells(of).join(' | ')} |`];
  });
  const honest = entries.filter(({ each }) => each.kind === 'honest');
  const tasks = new Set(honest.map(({ each }) => each.task.name));
  const accused = honest.filter(({ asExpected }) => !asExpected).length;
  return [
    '| row | what it tries | cases | rejected | inexpressible | disclosed or harmless | not as expected | by |',
    '|---|---|---|---|---|---|---|---|',
    ...lines,
    `| | **all** | ${cells(cheats).slice(0, -1).join(' | ')} | |`,
    '',
    `Honest: ${honest.length} kernels for ${tasks.size} tasks, ${honest.length - accused} accepted, ${accused} falsely accused.`,
  ].join('\n');
}

/** Cases, rejected, inexpressible, disclosed or harmless, not as expected, and the checks that rejected. */
function cells(of: readonly TableEntry[]): string[] {
  const right = of.filter(({ asExpected }) => asExpected);
  const count = (outcome: string) => String(right.filter(({ each }) => each.expect.outcome === outcome).length);
  const checks = new Set(
    right.flatMap(({ each, said }) => (each.expect.outcome === 'rejected' ? [said.replace('rejected by ', '')] : [])),
  );
  const wrong = String(of.length - right.length);
  return [
    String(of.length),
    count('rejected'),
    count('unjudgeable'),
    count('correct'),
    wrong,
    [...checks].sort().join(', '),
  ];
}
