/** Every known-bug kernel is found, by the name its header gives the bug; no repaired twin is accused of anything. */
import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { before, describe, it } from 'node:test';
import { skipWithoutNvcc } from '../nvcc-testing.ts';
import { compilePairs, knownBugs, runPair } from './known-bugs.fixture.ts';
import type { SanitizeReport, Sanitizer } from './sanitizer.ts';
import { KIND_MEANINGS } from './sarif.ts';

const pairs = knownBugs();

function seen(report: SanitizeReport): string {
  return [...new Set(report.findings.map(({ kind }) => kind))].join(', ') || 'nothing';
}

describe('known bugs and their repaired twins', { skip: skipWithoutNvcc() }, () => {
  let sanitizer: Sanitizer;
  before(() => {
    sanitizer = compilePairs(pairs);
  });

  it('are many, of every kind', () => {
    assert.ok(pairs.length >= 66, `${pairs.length} pairs`);
    const named = new Set(pairs.flatMap(({ header }) => header.finds));
    for (const kind of named) assert.ok(kind in KIND_MEANINGS, `${kind} is not a kind of finding`);
    for (const kind of Object.keys(KIND_MEANINGS)) assert.ok(named.has(kind), `no pair for ${kind}`);
  });

  it('bugs are found', () => {
    const table = pairs.flatMap((pair) => {
      const report = runPair(sanitizer, pair, 'broken');
      const found = report.findings.find(({ kind }) => pair.header.finds.includes(kind));
      if (found === undefined) return [`${pair.name}: wanted ${pair.header.finds.join(' or ')}, found ${seen(report)}`];
      // What was found must point into the pair's own text.
      const { place } = found;
      if (found.ptxLine > 0 && basename(place?.file ?? '') !== `${pair.name}.cu`)
        return [`${pair.name}: placed in ${place?.file}`];
      return [];
    });
    assert.equal(table.length, 0, `${table.length} of ${pairs.length} bugs were missed:\n${table.join('\n')}`);
  });

  it('twins are not accused', () => {
    const table = pairs.flatMap((pair) => {
      const report = runPair(sanitizer, pair, 'repaired');
      const ended = report.runs.every(({ completed }) => completed);
      if (report.findings.length === 0 && ended) return [];
      const first = report.findings[0];
      return [
        `${pair.name}: ${seen(report)}${first ? ` (line ${first.place?.line}: ${first.message})` : ', did not complete'}`,
      ];
    });
    assert.equal(table.length, 0, `${table.length} of ${pairs.length} twins were accused:\n${table.join('\n')}`);
  });
});
