import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeRegion, describeRest, pictureOf } from './region.ts';

/** A mask of a shape, by a predicate of the coordinates. */
function mask(shape: readonly number[], marked: (...coordinates: number[]) => boolean): Uint8Array {
  const out = new Uint8Array(shape.reduce((n, size) => n * size, 1));
  for (let i = 0; i < out.length; i++) {
    let rest = i;
    const coordinates = shape.map(() => 0);
    for (let d = shape.length - 1; d >= 0; d--) {
      coordinates[d] = rest % shape[d]!;
      rest = Math.floor(rest / shape[d]!);
    }
    out[i] = marked(...coordinates) ? 1 : 0;
  }
  return out;
}

const cases: [string, readonly number[], (...c: number[]) => boolean, string][] = [
  ['everything', [4, 8], () => true, 'all of it'],
  ['rows that no block computed', [128, 16], (r) => r! > 0, 'rows 1..127 (the last 127)'],
  ['one column', [128, 16], (_, c) => c === 3, 'column 3'],
  ['a tail of columns', [6, 1000], (_, c) => c! >= 992, 'columns 992..999 (the last 8)'],
  ['a corner', [100, 100], (r, c) => r! >= 96 && c! >= 96, 'rows 96..99 (the last 4), columns 96..99 (the last 4)'],
  [
    'all but a corner',
    [100, 100],
    (r, c) => !(r! >= 96 && c! >= 96),
    'everything but rows 96..99 (the last 4), columns 96..99 (the last 4)',
  ],
  ['one batch', [4, 8, 8], (b) => b === 2, 'index 0 = 2'],
  ['every second row', [10, 8], (r) => r! % 2 === 1, 'every 2nd row from 1'],
  ['the tail of a vector', [1000], (i) => i! >= 768, 'elements 768..999 (the last 232)'],
  ['above the diagonal', [9, 9], (r, c) => c! > r!, 'the elements above the diagonal'],
  ['a flat tail', [10, 10], (r, c) => r! * 10 + c! >= 77, 'elements 77..99 (the last 23) in row-major order'],
];
for (const [name, shape, marked, where] of cases) {
  test(`names ${name}`, () => assert.equal(describeRegion(mask(shape, marked), shape)?.where, where));
}

test('scattered elements are shown by examples, inside what bounds them', () => {
  const region = describeRegion(
    mask([10, 10], (r, c) => r === 4 && [1, 2, 5, 6, 9].includes(c!)),
    [10, 10],
  );
  assert.match(region!.where, /row 4|inside row 4/);
  const wild = describeRegion(
    mask([50, 50], (r, c) => (r! * 7 + c! * 13) % 11 === 3),
    [50, 50],
  );
  assert.match(wild!.where, /^scattered, first at \[0\]/);
});

test('counts and finds the first', () => {
  const region = describeRegion(
    mask([128, 128], (r) => r! > 0),
    [128, 128],
  );
  assert.equal(region?.count, 16256);
  assert.deepEqual(region?.first, [1, 0]);
  assert.equal(
    describeRest(
      mask([128, 128], (r) => r! > 0),
      [128, 128],
    ),
    'row 0',
  );
});

test('a scalar', () => {
  const region = describeRegion(Uint8Array.of(1), []);
  assert.equal(region?.where, 'all of it');
  assert.deepEqual(region?.first, []);
});

test('nothing marked is no region', () => assert.equal(describeRegion(new Uint8Array(6), [2, 3]), undefined));

test('a picture keeps the marked fraction of each cell, and never rounds a mark away', () => {
  const picture = pictureOf(
    'missing',
    mask([256, 1000], (r, c) => r === 255 && c === 999),
    [256, 1000],
  );
  assert.equal(picture.cellRows, 64);
  assert.equal(picture.fractions.at(-1)! > 0, true);
  assert.equal(picture.fractions.filter((x) => x > 0).length, 1);
});
