/**
 * The timing protocol's error rates and power, counted on simulated clocks: how often equal kernels are called faster or slower, how often a kernel that is 3 % faster
 * is found to be, how often the A/A interval contains 1. A table per kind of noise (src/judge/timing/noise.ts); every comparison is the whole protocol with its
 * default plan.
 *
 *     npm run bench:timing -- [--comparisons 10000] [--gains 1100] [--kind NAME] [--seed TEXT] [--json]
 *
 * `--comparisons` of equal kernels and `--gains` of kernels that differ are shared out over the kinds. Exit code 1 where a promise is broken: over 1 % false
 * `faster` or false `slower`, under 90 % of gains found, under 95 % of A/A intervals with 1 in them, of any kind or of all
 * together (but for power under a noise that names why it has none).
 */
import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';
import { compareTimes, deviceOf, type NoiseKind, noiseKinds, simulate } from '../src/judge/timing/index.ts';

const { values: options } = parseArgs({
  options: {
    comparisons: { type: 'string', default: '10000' },
    gains: { type: 'string', default: '1100' },
    kind: { type: 'string' },
    seed: { type: 'string', default: 'bench' },
    json: { type: 'boolean', default: false },
  },
});

const GAIN = 1.03;

interface Tally {
  comparisons: number;
  faster: number;
  slower: number;
  asFast: number;
  undecided: number;
  void: number;
  /** A/A intervals that contain 1, of those made (two a comparison). */
  aaWithOne: number;
  aa: number;
  /** Intervals of the ratio that contain the true one, of those made. */
  covered: number;
  intervals: number;
  /** Sums, for means: noise floor less 1, fresh processes. */
  floor: number;
  processes: number;
}

function emptyTally(): Tally {
  return {
    comparisons: 0,
    faster: 0,
    slower: 0,
    asFast: 0,
    undecided: 0,
    void: 0,
    aaWithOne: 0,
    aa: 0,
    covered: 0,
    intervals: 0,
    floor: 0,
    processes: 0,
  };
}

async function count(kind: NoiseKind, gain: number, comparisons: number): Promise<Tally> {
  const tally = emptyTally();
  const device = deviceOf(kind, gain);
  for (let i = 0; i < comparisons; i++) {
    const seed = createHash('sha256').update(`${options.seed} ${kind.name} ${gain} ${i}`).digest('hex');
    const report = await compareTimes(simulate(device, kind.noise, seed), { seed });
    tally.comparisons++;
    tally.processes += report.processes;
    tally[report.outcome === 'as-fast' ? 'asFast' : report.outcome]++;
    for (const { aa, speedup, noiseFloor } of report.comparisons) {
      tally.aa += aa.length;
      tally.aaWithOne += aa.filter(({ low, high }) => low <= 1 && high >= 1).length;
      tally.intervals++;
      tally.covered += Number(speedup.low <= gain && speedup.high >= gain);
      tally.floor += noiseFloor.ratio - 1;
    }
  }
  return tally;
}

function add(tallies: readonly Tally[]): Tally {
  const sum = emptyTally();
  for (const tally of tallies) for (const key of Object.keys(sum) as (keyof Tally)[]) sum[key] += tally[key];
  return sum;
}

const percent = (part: number, whole: number, digits = 2) =>
  whole === 0 ? '-' : `${((100 * part) / whole).toFixed(digits)} %`;

interface Row {
  kind: string;
  /** Why no power is promised here, where none is. */
  powerless?: string;
  equal: Tally;
  gain: Tally;
}

const columns: readonly (readonly [title: string, of: (row: Row) => string])[] = [
  ['noise', ({ kind }) => kind],
  ['equal', ({ equal }) => String(equal.comparisons)],
  ['false faster', ({ equal }) => percent(equal.faster, equal.comparisons)],
  ['false slower', ({ equal }) => percent(equal.slower, equal.comparisons)],
  ['as fast', ({ equal }) => percent(equal.asFast, equal.comparisons, 0)],
  ['no claim', ({ equal }) => percent(equal.undecided + equal.void, equal.comparisons, 1)],
  ['A/A has 1', ({ equal, gain }) => percent(equal.aaWithOne + gain.aaWithOne, equal.aa + gain.aa, 1)],
  ['ratio covered', ({ equal, gain }) => percent(equal.covered + gain.covered, equal.intervals + gain.intervals)],
  ['noise floor', ({ equal }) => percent(equal.floor, equal.intervals)],
  ['processes', ({ equal }) => (equal.processes / equal.comparisons).toFixed(1)],
  ['3 % gains', ({ gain }) => String(gain.comparisons)],
  ['found', ({ gain }) => percent(gain.faster, gain.comparisons, 1)],
  ['processes', ({ gain }) => (gain.processes / gain.comparisons).toFixed(1)],
];

/** Promises that a row breaks. */
function broken({ kind, powerless, equal, gain }: Row): string[] {
  const said: string[] = [];
  const check = (ok: boolean, what: string) => {
    if (!ok) said.push(`${kind}: ${what}`);
  };
  check(equal.faster <= 0.01 * equal.comparisons, 'over 1 % of equal kernels are called faster');
  check(equal.slower <= 0.01 * equal.comparisons, 'over 1 % of equal kernels are called slower');
  check(powerless !== undefined || gain.faster >= 0.9 * gain.comparisons, 'under 90 % of 3 % gains are found');
  check(equal.aaWithOne + gain.aaWithOne >= 0.95 * (equal.aa + gain.aa), 'under 95 % of A/A intervals contain 1');
  return said;
}

function wholeNumber(name: 'comparisons' | 'gains'): number {
  const n = Number(options[name]);
  if (!Number.isSafeInteger(n) || n < 1)
    throw new Error(`--${name} is a whole number of comparisons, not "${options[name]}".`);
  return n;
}

const kinds = noiseKinds.filter(({ name }) => options.kind === undefined || name === options.kind);
if (kinds.length === 0) {
  throw new Error(`There is no noise "${options.kind}"; there are ${noiseKinds.map(({ name }) => name).join(', ')}.`);
}
const share = (n: number) => Math.ceil(n / kinds.length);
const rows: Row[] = [];
for (const kind of kinds) {
  if (!options.json) process.stderr.write(`${kind.name}: ${kind.what} (${kind.source})\n`);
  const equal = await count(kind, 1, share(wholeNumber('comparisons')));
  rows.push({
    kind: kind.name,
    powerless: kind.powerless,
    equal,
    gain: await count(kind, GAIN, share(wholeNumber('gains'))),
  });
}
const all: Row = {
  kind: 'all',
  equal: add(rows.map(({ equal }) => equal)),
  gain: add(rows.map(({ gain }) => gain)),
};
const promises = [...rows, all].flatMap(broken);
if (options.json) {
  console.log(JSON.stringify({ seed: options.seed, gain: GAIN, rows, all, broken: promises }, null, 2));
} else {
  const lines = [columns.map(([title]) => title), ...[...rows, all].map((row) => columns.map(([, of]) => of(row)))];
  const widths = columns.map((_, c) => Math.max(...lines.map((line) => line[c]!.length)));
  for (const line of lines) {
    console.log(line.map((cell, c) => (c === 0 ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!))).join('  '));
  }
  for (const { kind, powerless } of rows) if (powerless) console.log(`${kind}: no power is promised: ${powerless}`);
  for (const line of promises) console.log(`BROKEN ${line}`);
}
process.exitCode = promises.length > 0 ? 1 : 0;
