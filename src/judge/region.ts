/**
 * Where in a tensor something is wrong or missing, in the words of its coordinates: `only row 0`, `columns 1000..1023`,
 * `every 4th element`. Kernels fail in regular places (a tail, a tile, a row that no block computed), and the place names the bug.
 */
import { coordinatesOf } from './tolerance.ts';

/** Marked elements of a tensor. */
export interface Region {
  /** How many elements are marked. */
  count: number;
  total: number;
  /** Coordinates of the first marked element, row-major. */
  first: readonly number[];
  /** Where the marked elements are, in words that continue `N of M outputs are wrong: ...`. */
  where: string;
}

/** A tensor seen as a small picture: each cell the fraction of marked elements in it, 0 to 1. */
export interface RegionPicture {
  title: string;
  /** Shape of the tensor, folded to two dimensions: all but the last, and the last. */
  rows: number;
  columns: number;
  cellRows: number;
  cellColumns: number;
  /** cellRows * cellColumns fractions, row-major, two decimals. */
  fractions: readonly number[];
}

/** `out[1][0]`: an element by its name and coordinates; a scalar is just `out`. */
export function elementName(name: string, coordinates: readonly number[]): string {
  return name + coordinates.map((c) => `[${c}]`).join('');
}

/** `16,128`. */
export function count(n: number): string {
  return n.toLocaleString('en-US');
}

/** The dimension's name: rows and columns for the last two, else by number. */
function dimensionName(dimension: number, rank: number): { one: string; many: string } {
  if (rank >= 2 && dimension === rank - 1) return { one: 'column', many: 'columns' };
  if (rank >= 2 && dimension === rank - 2) return { one: 'row', many: 'rows' };
  if (rank === 1) return { one: 'element', many: 'elements' };
  return { one: `index ${dimension} =`, many: `index ${dimension} =` };
}

/** A set of indices along a dimension as words: `row 0`, `rows 1..511`, `every 2nd row from 1`; undefined when irregular. */
function describeIndices(marked: Uint8Array, name: { one: string; many: string }): string | undefined {
  const indices: number[] = [];
  marked.forEach((mark, i) => {
    if (mark) indices.push(i);
  });
  const [first, last] = [indices[0]!, indices.at(-1)!];
  if (indices.length === 1) return `${name.one} ${first}`;
  if (last - first + 1 === indices.length) {
    const tail = last === marked.length - 1 && first > 0 ? ` (the last ${count(indices.length)})` : '';
    return `${name.many} ${first}..${last}${tail}`;
  }
  const step = indices[1]! - first;
  const regular = indices.every((index, i) => index === first + i * step);
  if (regular && last + step >= marked.length && indices.length > 2)
    return `every ${ordinal(step)} ${name.one} from ${first}`;
  if (indices.length <= 4) return `${name.many} ${indices.slice(0, -1).join(', ')} and ${last}`;
  return undefined;
}

function ordinal(n: number): string {
  const suffix = n % 100 >= 11 && n % 100 <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][n % 10] ?? 'th');
  return `${n}${suffix}`;
}

/** For each dimension, which indices have a marked element. */
function shadows(mask: Uint8Array, shape: readonly number[], marked: 0 | 1): Uint8Array[] {
  const result = shape.map((size) => new Uint8Array(size));
  const coordinates = new Array<number>(shape.length).fill(0);
  for (let i = 0; i < mask.length; i++) {
    if (mask[i] === marked) for (let d = 0; d < shape.length; d++) result[d]![coordinates[d]!] = 1;
    for (let d = shape.length - 1; d >= 0; d--) {
      if (++coordinates[d]! < shape[d]!) break;
      coordinates[d] = 0;
    }
  }
  return result;
}

const sum = (bytes: Uint8Array) => bytes.reduce((n, byte) => n + byte, 0);

/** Words for a set that is a box (a product of one index set a dimension); undefined when it is not one. */
function describeBox(mask: Uint8Array, shape: readonly number[], marked: 0 | 1, marks: number): string | undefined {
  const sets = shadows(mask, shape, marked);
  if (sets.reduce((n, set) => n * sum(set), 1) !== marks) return undefined;
  const parts: string[] = [];
  for (let d = 0; d < shape.length; d++) {
    const set = sets[d]!;
    if (sum(set) === shape[d]) continue;
    const words = describeIndices(set, dimensionName(d, shape.length));
    if (words === undefined) return undefined;
    parts.push(words);
  }
  return parts.length === 0 ? 'all of it' : parts.join(', ');
}

/** Words for a triangle of the last two dimensions. */
function describeTriangle(mask: Uint8Array, shape: readonly number[]): string | undefined {
  if (shape.length < 2 || shape.at(-1)! < 3 || shape.at(-2)! < 3) return undefined;
  const [rows, columns] = [shape.at(-2)!, shape.at(-1)!];
  const tests: [string, (row: number, column: number) => boolean][] = [
    ['the elements above the diagonal', (row, column) => column > row],
    ['the elements below the diagonal', (row, column) => column < row],
    ['the diagonal and what is above it', (row, column) => column >= row],
    ['the diagonal and what is below it', (row, column) => column <= row],
    ['the diagonal', (row, column) => column === row],
  ];
  for (const [words, test] of tests) {
    if (mask.every((mark, i) => (mark === 1) === test(Math.floor(i / columns) % rows, i % columns))) return words;
  }
  return undefined;
}

/** Words for a run of flat indices, or for every k-th one. */
function describeFlat(mask: Uint8Array): string | undefined {
  const words = describeIndices(mask, { one: 'element', many: 'elements' });
  return words === undefined ? undefined : `${words} in row-major order`;
}

/**
 * Describes the marked elements of a tensor.
 * @param mask one byte an element, 1 where marked.
 * @returns undefined when none is marked.
 */
export function describeRegion(mask: Uint8Array, shape: readonly number[]): Region | undefined {
  const marks = sum(mask);
  if (marks === 0) return undefined;
  const total = mask.length;
  const first = coordinatesOf(mask.indexOf(1), shape);
  const region = (where: string): Region => ({ count: marks, total, first, where });
  if (marks === total) return region('all of it');
  const box = describeBox(mask, shape, 1, marks);
  if (box !== undefined) return region(box);
  const rest = describeBox(mask, shape, 0, total - marks);
  if (rest !== undefined) return region(`everything but ${rest}`);
  return region(describeTriangle(mask, shape) ?? describeFlat(mask) ?? scattered(mask, shape));
}

function scattered(mask: Uint8Array, shape: readonly number[]): string {
  const examples: string[] = [];
  for (let i = mask.indexOf(1); i >= 0 && examples.length < 3; i = mask.indexOf(1, i + 1)) {
    examples.push(elementName('', coordinatesOf(i, shape)));
  }
  const sets = shadows(mask, shape, 1);
  const parts = sets.flatMap((set, d) => {
    const hit = sum(set);
    if (hit === shape[d]) return [];
    const words = describeIndices(set, dimensionName(d, shape.length));
    return words === undefined ? [] : [words];
  });
  const inside = parts.length === 0 ? '' : ` inside ${parts.join(', ')}`;
  return `scattered${inside}, first at ${examples.join(', ')}`;
}

/** Where the unmarked elements are, when that is the shorter thing to say: `only row 0 has values`. */
export function describeRest(mask: Uint8Array, shape: readonly number[]): string | undefined {
  const marks = sum(mask);
  if (marks === 0 || marks === mask.length) return undefined;
  return describeBox(mask, shape, 0, mask.length - marks);
}

const LARGEST_PICTURE = 64;

/** The mask as a picture of at most 64 by 64 cells. */
export function pictureOf(title: string, mask: Uint8Array, shape: readonly number[]): RegionPicture {
  const columns = Math.max(1, shape.at(-1) ?? 1);
  const rows = Math.max(1, mask.length / columns);
  const cellRows = Math.min(rows, LARGEST_PICTURE);
  const cellColumns = Math.min(columns, LARGEST_PICTURE);
  const marked = new Float64Array(cellRows * cellColumns);
  const sizes = new Float64Array(cellRows * cellColumns);
  for (let i = 0; i < mask.length; i++) {
    const row = Math.floor((Math.floor(i / columns) * cellRows) / rows);
    const column = Math.floor(((i % columns) * cellColumns) / columns);
    marked[row * cellColumns + column]! += mask[i]!;
    sizes[row * cellColumns + column]!++;
  }
  const fractions = Array.from(marked, (n, i) => Math.ceil((100 * n) / sizes[i]!) / 100);
  return { title, rows, columns, cellRows, cellColumns, fractions };
}
