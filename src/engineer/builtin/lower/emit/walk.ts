/**
 * A kernel's walk over its domain: coordinates of rows and of elements in a row, and the index of each access as C++ text.
 *
 * Dimensions that every access walks as one are merged first, so the usual kernel has one row and one column coordinate
 * and no division.
 */
import type { Dimension } from '../groups.ts';
import { type Affine, coalesce, product } from '../strides.ts';

interface Split {
  outer: readonly number[];
  inner: readonly number[];
  offset: number;
}

export class Walk {
  readonly outerSizes: readonly number[];
  readonly innerSizes: readonly number[];
  readonly #split = new Map<Affine, Split>();
  readonly #row: string;
  readonly #column: string;
  readonly #indexType: string;

  /** Accesses are over the group's refined dimensions. `row` and `column` name the linear coordinates. */
  constructor(
    dimensions: readonly Dimension[],
    accesses: readonly Affine[],
    names: { row: string; column: string; indexType: string },
  ) {
    this.#row = names.row;
    this.#column = names.column;
    this.#indexType = names.indexType;
    const part = (folded: boolean) => {
      const chosen = dimensions.flatMap((dimension, d) => (dimension.folded === folded ? [d] : []));
      const own = accesses.map((access) => ({
        access,
        offset: access.offset,
        strides: chosen.map((d) => access.strides[d]!),
      }));
      return coalesce(
        chosen.map((d) => dimensions[d]!.size),
        own,
      );
    };
    const outer = part(false);
    const inner = part(true);
    this.outerSizes = outer.sizes;
    this.innerSizes = inner.sizes;
    accesses.forEach((access, k) => {
      this.#split.set(access, {
        outer: outer.accesses[k]!.strides,
        inner: inner.accesses[k]!.strides,
        offset: access.offset,
      });
    });
  }

  /** Declarations of those of the row's coordinates that these accesses use; none when the linear row is the only one. */
  rowDeclarations(users: readonly Affine[]): string[] {
    const used = this.outerSizes.map((_, d) => users.some((access) => this.#split.get(access)!.outer[d] !== 0));
    return declarations(this.#indexType, this.#row, this.outerSizes, used);
  }

  /**
   * Coordinates of rows that a block takes as a patch of `height` x `width` over the last two outer dimensions, one a thread, and the grid for it.
   * `outside` is C++ that is true for threads beyond the edge; empty where there are none.
   */
  patch(height: number, width: number): { lines: string[]; outside: string; grid: [number, number, number] } {
    const sizes = this.outerSizes;
    const [high, wide] = [sizes.at(-2)!, sizes.at(-1)!];
    const name = (d: number) => coordinate(this.#row, sizes, d);
    const last = sizes.length - 1;
    const lead = sizes.slice(0, -2);
    const lines = [
      `const ${this.#indexType} ${name(last)} = blockIdx.x * ${width} + threadIdx.x % ${width};`,
      `const ${this.#indexType} ${name(last - 1)} = blockIdx.y * ${height} + threadIdx.x / ${width};`,
    ];
    let divisor = 1;
    for (let d = lead.length - 1; d >= 0; d--) {
      const quotient = divisor === 1 ? 'blockIdx.z' : `blockIdx.z / ${divisor}`;
      lines.push(`const ${this.#indexType} ${name(d)} = ${d === 0 ? quotient : `(${quotient}) % ${lead[d]}`};`);
      divisor *= lead[d]!;
    }
    const tests = [
      wide % width === 0 ? '' : `${name(last)} >= ${wide}`,
      high % height === 0 ? '' : `${name(last - 1)} >= ${high}`,
    ];
    return {
      lines,
      outside: tests.filter(Boolean).join(' || '),
      grid: [Math.ceil(wide / width), Math.ceil(high / height), divisor],
    };
  }

  /** Declarations of the outer coordinates, but of those that one of `skipped` walks alone, from a linear index over the others. */
  coordinatesWithout(skipped: readonly Affine[], linear: string): string[] {
    const without = new Set(
      skipped.map((access) => this.#split.get(access)!.outer.findIndex((stride) => stride !== 0)),
    );
    const kept = this.outerSizes.flatMap((_, d) => (without.has(d) ? [] : [d]));
    const lines: string[] = [];
    let divisor = 1;
    for (const d of kept.toReversed()) {
      const size = this.outerSizes[d]!;
      const quotient = divisor === 1 ? linear : `${linear} / ${divisor}`;
      const text = d === kept[0] ? quotient : divisor === 1 ? `${linear} % ${size}` : `(${quotient}) % ${size}`;
      lines.unshift(`const ${this.#indexType} ${coordinate(this.#row, this.outerSizes, d)} = ${text};`);
      divisor *= size;
    }
    return lines;
  }

  columnDeclarations(users: readonly Affine[]): string[] {
    const used = this.innerSizes.map((_, d) => users.some((access) => this.#split.get(access)!.inner[d] !== 0));
    return declarations(this.#indexType, this.#column, this.innerSizes, used);
  }

  /** Loop headers over the inner coordinates one inside the other, for one thread that walks a whole row. */
  nestedLoops(): string[] {
    return this.innerSizes.map((size, d) => {
      const name = coordinate(this.#column, this.innerSizes, d);
      return `for (${this.#indexType} ${name} = 0; ${name} < ${size}; ++${name}) {`;
    });
  }

  /** The linear column from nested coordinates. */
  linearColumn(): string {
    if (this.innerSizes.length === 0) return '0';
    return this.innerSizes
      .map((_, d) => coordinate(this.#column, this.innerSizes, d))
      .reduce((text, name, d) => (d === 0 ? name : `(${text}) * ${this.innerSizes[d]} + ${name}`), '');
  }

  /** The access's index. `k`: an addition to the last inner coordinate, for one element of a pack. */
  index(access: Affine, k?: string): string {
    const split = this.#split.get(access)!;
    const terms: string[] = [];
    const add = (name: string, stride: number) => {
      if (stride === 0) return;
      const sign = stride < 0 ? '-' : terms.length > 0 ? '+' : '';
      const factor = Math.abs(stride) === 1 ? '' : ` * ${Math.abs(stride)}`;
      terms.push(terms.length > 0 ? ` ${sign} ${name}${factor}` : `${sign}${name}${factor}`);
    };
    split.outer.forEach((stride, d) => {
      add(coordinate(this.#row, this.outerSizes, d), stride);
    });
    split.inner.forEach((stride, d) => {
      const name = coordinate(this.#column, this.innerSizes, d);
      const last = d === split.inner.length - 1;
      add(k !== undefined && last ? `(${name} + ${k})` : name, stride);
    });
    if (split.offset !== 0 || terms.length === 0) {
      if (terms.length === 0) return `${split.offset}`;
      terms.push(split.offset < 0 ? ` - ${-split.offset}` : ` + ${split.offset}`);
    }
    return terms.join('');
  }

  /** Stride of the access along the last inner coordinate; 0 where there is none. */
  innermostStride(access: Affine): number {
    return this.#split.get(access)!.inner.at(-1) ?? 0;
  }

  /** Whether the access is the same along the whole row. */
  isRowwise(access: Affine): boolean {
    return this.#split.get(access)!.inner.every((stride) => stride === 0);
  }

  /** Whether `width` neighbours along a row lie next to each other, aligned to their size. */
  isPacked(access: Affine, width: number): boolean {
    const split = this.#split.get(access)!;
    return (
      split.inner.at(-1) === 1 &&
      split.offset % width === 0 &&
      [...split.outer, ...split.inner.slice(0, -1)].every((stride) => stride % width === 0)
    );
  }

  /** A key that is equal for accesses that walk alike. */
  key(access: Affine): string {
    const { outer, inner, offset } = this.#split.get(access)!;
    return `${outer}|${inner}|${offset}`;
  }
}

function coordinate(base: string, sizes: readonly number[], d: number): string {
  return sizes.length === 1 ? base : `${base}_${d}`;
}

function declarations(type: string, base: string, sizes: readonly number[], used: readonly boolean[]): string[] {
  if (sizes.length <= 1) return [];
  // Divisions of 64 bits are slow: where only addresses need so many, coordinates are found with 32.
  const narrow = type !== 'int' && product(sizes) < 2 ** 31;
  const linear = narrow ? `static_cast<int>(${base})` : base;
  let divisor = 1;
  const lines: string[] = [];
  for (let d = sizes.length - 1; d >= 0; d--) {
    const quotient = divisor === 1 ? linear : `${linear} / ${divisor}`;
    const text = d === 0 ? quotient : divisor === 1 ? `${linear} % ${sizes[d]}` : `(${quotient}) % ${sizes[d]}`;
    if (used[d]) lines.unshift(`const ${type} ${coordinate(base, sizes, d)} = ${text};`);
    divisor *= sizes[d]!;
  }
  return lines;
}
