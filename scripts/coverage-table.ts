/** What coverage.ts prints: a line for each program, and at the end a table of what was taken and what stopped each other program, within 80 columns. */
import type { CandidateErrorKind } from '../src/kernel/index.ts';
import type { Fitted } from './coverage-signature.ts';

/** `python`: by the submission that the program is part of, run in the sandbox. */
type Arguments = Fitted['how'] | 'python';

/** How far one program came. */
export interface Row {
  name: string;
  /** How the arguments of its functions were found; the weakest of them. */
  arguments?: Arguments;
  stage: 'no task' | 'no host function' | 'not planned' | 'planned' | 'not compiled' | 'compiled' | 'judged';
  /** Of what stopped it. */
  kind?: CandidateErrorKind;
  /** Where a program is not taken and nvcc was asked: does its device code compile? */
  compiles?: boolean;
  outcome?: string;
  check?: string;
  /** What stopped it, or the verdict's reason. */
  why: string;
  milliseconds: number;
}

export interface Totals {
  programs: number;
  withoutTask: number;
  withoutHostFunction: number;
  /** Not taken with made-up arguments, and never called by the Python around it. */
  notLaunched: number;
  /** nvcc refuses the device code. */
  nvccRefuses: number;
  /** Of the others: those that are planned and, where that was asked, compiled as they are. */
  taken: number;
  tried: number;
  takenBy: Record<Arguments, number>;
  judged: number;
  /** `correct`, `rejected by values`, ...: how many. */
  verdicts: Record<string, number>;
  stopped: readonly { group: string; causes: readonly { count: number; cause: string; first: string }[] }[];
}

const WIDTH = 80;
/** A reason is cut here: some name every parameter of a model. */
const LONGEST = 400;
/** Of a submission that computes with PyTorch alone for its task's inputs: nothing of the program's was asked for. */
export const LAUNCHES_NOTHING = 'its Python launches no kernel for these inputs';
const isLaunched = (row: Row): boolean => row.why !== LAUNCHES_NOTHING || isTaken(row);
const isTaken = (row: Row): boolean => ['planned', 'compiled', 'judged'].includes(row.stage);

/** Like things fall to like: numbers and quoted words are taken out. */
function causeOf({ why }: Row): string {
  const [first = ''] = why.split('\n');
  return first
    .slice(0, LONGEST)
    .replace(/^line \d+: /, '')
    .replace(/"[^"]*"/g, '"..."')
    .replace(/-?\d+(\.\d+)?(e[-+]?\d+)?/g, 'N');
}

function groupOf(row: Row): string | undefined {
  if (isTaken(row) || row.stage === 'no host function') return undefined;
  if (row.stage === 'no task') return 'No task';
  if (!isLaunched(row)) return 'Not launched by the Python around it';
  if (row.compiles === false) return 'nvcc refuses the device code';
  if (row.kind === 'refused') return 'Refused on purpose';
  if (row.kind === 'invalid' || row.kind === 'fails')
    return row.arguments === 'guessed' ? 'At odds with arguments that were guessed' : "The program's own fault";
  return row.kind === 'limit' ? 'Over a limit' : 'Unsupported';
}

function count<T>(items: readonly T[], keyOf: (item: T) => string | undefined): Map<string, T[]> {
  const found = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    if (key !== undefined) found.set(key, [...(found.get(key) ?? []), item]);
  }
  return new Map([...found].sort(([, a], [, b]) => b.length - a.length));
}

export function totalsOf(rows: readonly Row[]): Totals {
  const at = (stage: Row['stage']): number => rows.filter((r) => r.stage === stage).length;
  const taken = rows.filter(isTaken);
  const by = (how: Arguments): number => taken.filter((r) => r.arguments === how).length;
  const nvccRefuses = rows.filter((r) => r.compiles === false).length;
  const notLaunched = rows.filter((r) => r.compiles !== false && !isLaunched(r)).length;
  const judged = rows.filter((r) => r.stage === 'judged');
  const verdicts = count(judged, (r) => (r.check ? `${r.outcome} by ${r.check}` : r.outcome));
  return {
    programs: rows.length,
    withoutTask: at('no task'),
    withoutHostFunction: at('no host function'),
    notLaunched,
    nvccRefuses,
    taken: taken.length,
    tried: rows.length - at('no task') - at('no host function') - notLaunched - nvccRefuses,
    takenBy: { own: by('own'), fitted: by('fitted'), guessed: by('guessed'), python: by('python') },
    judged: judged.length,
    verdicts: Object.fromEntries([...verdicts].map(([verdict, all]) => [verdict, all.length])),
    stopped: [...count(rows, groupOf)].map(([group, all]) => ({
      group,
      causes: [...count(all, causeOf)].map(([cause, of]) => ({ count: of.length, cause, first: of[0]!.name })),
    })),
  };
}

/** `taken`, how its arguments were found, its name; on a second line what stopped it, or the verdict. */
export function lineOf(row: Row): string {
  const how = row.arguments ?? '';
  const verdict = row.outcome ? ` ${row.check ? `${row.outcome} by ${row.check}` : row.outcome}` : '';
  const [reason = ''] = row.why.split('\n');
  const why = reason.length > LONGEST ? `${reason.slice(0, LONGEST)} ...` : reason;
  const head = `${row.stage.padEnd(16)} ${how.padEnd(7)} ${row.name}${verdict}\n`;
  return why && row.outcome !== 'correct' ? `${head}${wrapped(why, '    ')}` : head;
}

export function tableOf(totals: Totals): string {
  const { programs, withoutTask, withoutHostFunction, notLaunched, nvccRefuses, taken, tried, takenBy, judged } =
    totals;
  const share = tried > 0 ? ((100 * taken) / tried).toFixed(1) : '0';
  const lines = [
    `\n${programs} distinct programs with kernels: ${withoutTask} without a task, ${withoutHostFunction} without a host function, ${notLaunched} that the Python around them never launches, ${nvccRefuses} whose device code nvcc refuses.`,
    `${taken} of the ${tried} others are taken as they are (${share} %): ${takenBy.own} with the task's own arguments, ${takenBy.python} with those of the Python around them, ${takenBy.fitted} with arguments fitted by name, ${takenBy.guessed} with some guessed.`,
  ].map((line) => wrapped(line, ''));
  if (judged > 0) {
    lines.push(`${judged} are judged:\n`);
    for (const [verdict, n] of Object.entries(totals.verdicts)) lines.push(`${String(n).padStart(5)}  ${verdict}\n`);
  }
  for (const { group, causes } of totals.stopped) {
    lines.push(`\n${group}\n`);
    for (const { count: n, cause, first } of causes)
      lines.push(wrapped(`${cause} [${first}]`, '       ', `${String(n).padStart(5)}  `));
  }
  return lines.join('');
}

/** Text broken at spaces so that no line is wider than a terminal; a word that is longer stays whole. */
function wrapped(text: string, indent: string, first = indent): string {
  let result = '';
  let line = first;
  for (const word of text.split(/\s+/)) {
    if (line.trim() !== '' && line.length + word.length >= WIDTH) {
      result += `${line.trimEnd()}\n`;
      line = indent;
    }
    line += `${word} `;
  }
  return `${result}${line.trimEnd()}\n`;
}
