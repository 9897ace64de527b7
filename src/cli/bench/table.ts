/** The bench in a terminal of 80 columns: a line a task as it is done, and below them what they come to. */
import { clip, clock, printable, significant, time, wrap } from '../terminal/format.ts';
import type { Row } from './row.ts';
import { type BenchSummary, overDirect, percentOfFloor, type Shares, type Spread } from './summary.ts';

const WIDTH = 79;
/** Columns after the task's name: their heads, and how wide they are. */
const COLUMNS = [
  ['time', 7],
  ['% floor', 7],
  ['x direct', 8],
  ['x base', 6],
  ['took', 5],
] as const;
/** What they leave to the task's name, beside the count of tasks. */
const LEFT = WIDTH - COLUMNS.reduce((sum, [, width]) => sum + width + 2, 0);

/** The heads of the columns. `of`: how many tasks there are. */
export function head(of: number): string {
  return lineOf(
    `${' '.repeat(counted(of, of).length)} task`,
    COLUMNS.map(([name]) => name),
  );
}

/** A task's line, and below it the reason, where no kernel is correct. */
export function rowLines(row: Row, done: number, of: number): string[] {
  const { outcome, microseconds, reason, overBaseline, seconds } = row;
  const [share, direct] = [percentOfFloor(row), overDirect(row)];
  const number = (value: number | undefined) => (value === undefined ? '' : significant(value));
  const cells =
    outcome === 'correct'
      ? [time(microseconds!), number(share), number(direct), number(overBaseline)]
      : [outcome, '', '', ''];
  const name = printable(row.task.replace(/\.py$/, ''));
  const line = lineOf(`${counted(done, of)} ${name}`, [...cells, clock(seconds)]);
  if (outcome === 'correct' || !reason) return [line];
  const indent = ' '.repeat(counted(of, of).length + 1);
  return [line, indent + wrap(printable(reason), WIDTH - indent.length, indent)];
}

const counted = (done: number, of: number) => `${String(done).padStart(String(of).length)}/${of}`;

function lineOf(name: string, cells: readonly string[]): string {
  const right = cells.map((cell, i) => cell.padStart(COLUMNS[i]![1])).join('  ');
  return `${clip(name, LEFT).padEnd(LEFT)}  ${right}`;
}

const NAME = 24;

/** The sums as lines. */
export function sumLines(summary: BenchSummary): string[] {
  return sums(summary).map(([name, value, more]) => {
    const text = more === '' ? value : `${value}; ${more}`;
    return name.padEnd(NAME) + wrap(text, WIDTH - NAME).replaceAll('\n', `\n${' '.repeat(NAME)}`);
  });
}

const percent = (share: number) => `${significant(100 * share)} %`;

/** The sums in words: name, value, what it is of. */
export function sums(summary: BenchSummary): [name: string, value: string, more: string][] {
  const { tasks, waiting, correct, percentOfFloor: floor, seconds, dollars } = summary;
  const spread = (name: string, own: Spread | undefined, unit: string): [string, string, string][] =>
    own === undefined
      ? []
      : [
          [
            name,
            `${significant(own.geometricMean)} ${unit}`,
            `geometric mean of ${own.count}; median ${significant(own.median)}, ${significant(own.least)} to ${significant(own.most)}`,
          ],
        ];
  const shares = (name: string, own: Shares | undefined): [string, string, string][] =>
    own === undefined ? [] : [[name, percent(own.faster), `of all tasks; twice as fast: ${percent(own.twiceAsFast)}`]];
  const left = waiting > 0 ? `; ${waiting} more are not done` : '';
  return [
    ['correct', `${correct} of ${tasks}`, percent(correct / Math.max(1, tasks)) + left],
    ...spread('of the floor', floor, '%'),
    ...spread('over direct translation', summary.overDirect, 'times'),
    ...shares('faster than it', summary.overDirect),
    ...spread('over the best baseline', summary.overBaseline, 'times'),
    ...shares('faster than all of them', summary.overBaseline),
    ['times', summary.kinds.join(' and ') || 'none', summary.devices.join(' ')],
    ['took', clock(seconds), 'wall clock of all tasks, added up'],
    ...(dollars > 0 ? ([['models', `$${dollars.toFixed(2)}`, '']] as [string, string, string][]) : []),
  ];
}
