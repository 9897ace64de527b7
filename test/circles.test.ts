/**
 * No file of a room imports itself by way of others: a circle has no first file to read, and at run time the order of loading decides what is defined. Imports of types
 * alone are looked at too, but in the rooms that have none yet.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('../src', import.meta.url));

/** Whether imports of types count. */
type Kind = 'values' | 'types too';

/** Circles that are meant: functions that call each other because what they work on holds itself. A file of each, and why. */
const meant: readonly (readonly [file: string, why: string])[] = [
  ['kernel/cpp/statement-parser.ts', 'recursive descent: expressions hold types and lambdas, which hold statements'],
  ['kernel/interpret/statements.ts', 'interpreting an expression can call a function, which is statements'],
  ['kernel/interpret/convert.ts', 'conversion of a value with parts is arithmetic on the parts'],
  ['vgpu/interpreter/in-flight.ts', 'a write that lands completes a barrier, and asking a barrier lands writes'],
  ['vgpu/interpreter/warp.ts', 'a warp holds its accumulators, whose rules ask for a lane of the warp'],
];

/** Rooms with circles of types: syntax trees, and states that hold each other. */
const circlesOfTypes = new Set(['kernel', 'vgpu', 'task']);

/** The files that a file imports, by path. */
function importsOf(file: string, text: string, kind: Kind): string[] {
  const found: string[] = [];
  for (const [, clause, target] of text.matchAll(/^(?:import|export)\s([^;'"]*?)\bfrom\s*'(\.[^']*)'/gm)) {
    const names = /^\{([^}]*)\}\s*$/.exec(clause!)?.[1]?.split(',') ?? [];
    const named = names.map((name) => name.trim()).filter(Boolean);
    const onlyTypes = /^type\s/.test(clause!) || (named.length > 0 && named.every((name) => name.startsWith('type ')));
    if (kind === 'types too' || !onlyTypes) found.push(resolve(file, '..', target!));
  }
  for (const [, target] of text.matchAll(/\bimport\s*\(?\s*'(\.[^']*)'/g)) found.push(resolve(file, '..', target!));
  return found;
}

/** Sets of files that reach each other, by Tarjan's algorithm; each sorted. */
function circles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (file: string) => {
    order.set(file, order.size);
    low.set(file, order.get(file)!);
    stack.push(file);
    for (const next of graph.get(file) ?? []) {
      if (!order.has(next)) visit(next);
      if (stack.includes(next)) low.set(file, Math.min(low.get(file)!, low.get(next)!));
    }
    if (low.get(file) !== order.get(file)) return;
    const set = stack.splice(stack.indexOf(file));
    if (set.length > 1 || graph.get(file)?.includes(file)) found.push(set.sort());
  };
  for (const file of graph.keys()) if (!order.has(file)) visit(file);
  return found;
}

const files = readdirSync(source, { recursive: true })
  .map((name) => join(source, String(name)))
  .filter((name) => name.endsWith('.ts'));

function circlesOf(kind: Kind, among: readonly string[] = files): string[][] {
  const graph = new Map(among.map((file) => [file, importsOf(file, readFileSync(file, 'utf8'), kind)]));
  return circles(graph).map((set) => set.map((file) => relative(source, file)));
}

describe('circles of imports', () => {
  it('are none, but for those that are meant', () => {
    const known = (set: readonly string[]) => meant.some(([file]) => set.includes(file));
    assert.ok(files.length > 100, `only ${files.length} files were found`);
    assert.deepEqual(
      circlesOf('values').filter((set) => !known(set)),
      [],
    );
  });

  it('are none of types either, in most rooms', () => {
    const rest = files.filter((file) => !circlesOfTypes.has(relative(source, file).split('/')[0]!));
    assert.deepEqual(circlesOf('types too', rest), []);
  });

  it('are found: a circle, a file that imports itself, and what only imports types', () => {
    const set = (...pairs: [string, string[]][]) => circles(new Map(pairs));
    assert.deepEqual(set(['a', ['b']], ['b', ['c']], ['c', ['a']], ['d', ['a']]), [['a', 'b', 'c']]);
    assert.deepEqual(set(['a', ['a']]), [['a']]);
    assert.deepEqual(set(['a', ['b', 'c']], ['b', ['c']], ['c', []]), []);
    const text =
      "import type { A } from './a.ts';\nimport { type B } from './b.ts';\nimport { type C, d } from './c.ts';\n";
    const named = (kind: Kind) => importsOf('/x/y.ts', text, kind).map((file) => file.slice(3));
    assert.deepEqual(named('values'), ['c.ts']);
    assert.deepEqual(named('types too'), ['a.ts', 'b.ts', 'c.ts']);
  });
});
