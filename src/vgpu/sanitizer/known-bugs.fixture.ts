/** For tests: the known-bug kernels and their repaired twins, compiled in one run of nvcc and run one by one. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compileCuda } from '../nvcc-testing.ts';
import type { Executor } from '../types.ts';
import { type Header, readHeader } from './header.ts';
import { parseArguments, parseLaunch } from './launch-spec.ts';
import { type SanitizeReport, Sanitizer } from './sanitizer.ts';

const folder = fileURLToPath(new URL('../../../corpus/bugs/', import.meta.url));

export interface Pair {
  readonly name: string;
  readonly source: string;
  readonly header: Header;
}

/** All pairs, by name. */
export function knownBugs(): Pair[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.cu'))
    .sort()
    .map((file) => {
      const source = readFileSync(`${folder}${file}`, 'utf8');
      return { name: file.slice(0, -3), source, header: readHeader(source) };
    });
}

/**
 * One translation unit of many pairs, each in a namespace of its own and under its own file name: a compiler run a pair
 * would take minutes. Includes go to the top, because a namespace must not swallow a header.
 */
export function compilePairs(pairs: readonly Pair[]): Sanitizer {
  const includes = new Set(pairs.flatMap(({ source }) => source.match(/^#include .*$/gm) ?? []));
  const bodies = pairs.map(
    ({ name, source }) =>
      `namespace ${scopeOf(name)} {\n#line 1 "${name}.cu"\n${source.replaceAll(/^#include .*$/gm, '')}\n}`,
  );
  return new Sanitizer(compileCuda([...includes, ...bodies, ''].join('\n'), ['-arch=sm_90a', '-std=c++17', '-w']));
}

function scopeOf(name: string): string {
  return `pair_${name.replaceAll(/\W/g, '_')}`;
}

/** Schedules that a pair runs under unless its header says otherwise. */
const SCHEDULES = 3;

/**
 * Runs one twin as its header says, looking for races unless told otherwise: the repaired one under every schedule, the
 * broken one under program order first, and under the others only if its bug did not show.
 */
export function runPair(
  sanitizer: Sanitizer,
  pair: Pair,
  kernel: 'broken' | 'repaired',
  options: { executor?: Executor; races?: boolean } = {},
): SanitizeReport {
  const facts = pair.header.for(kernel);
  const check = (schedules: number): SanitizeReport =>
    sanitizer.check({
      kernel: `${scopeOf(pair.name)}::${kernel}`,
      launch: parseLaunch(facts.launch ?? ''),
      arguments: parseArguments(facts.arguments ?? ''),
      budget: facts.budget ?? 20_000_000,
      schedules,
      ...options,
    });
  if (kernel === 'broken') {
    const first = check(1);
    if (first.findings.some(({ kind }) => pair.header.finds.includes(kind))) return first;
  }
  return check(facts.schedules ?? SCHEDULES);
}
