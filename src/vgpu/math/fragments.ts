/**
 * Where each element of a warp's matrix fragments lives: (lane, element index) -> (row, column), for mma.sync, wmma,
 * ldmatrix/stmatrix and movmatrix.
 *
 * mma.sync layouts are the formulas of PTX ISA 9.7.14.5 ("Matrix Fragments for mma.m16n8k16 ..." and its neighbours). They are all one
 * formula in the number of elements that a 32-bit register holds, e (f64: 1 with a 64-bit register; tf32: 1; f16, bf16: 2; 8-bit: 4;
 * 4-bit: 8; 1-bit: 32), with register r = floor(i / e) and position j = i mod e:
 *   A: row = group + 8 (r mod 2), column = e thread + j + 4 e floor(r / 2)
 *   B: row = e thread + j + 4 e r, column = group
 *   C: row = group + 8 floor(i / 2), column = 2 thread + (i mod 2)
 * where group = lane / 4 and thread = lane mod 4. With m = 8 the row of A has no second half and r counts along k.
 *
 * wmma's layout is unspecified (ISA 9.7.14.4: "distribution of fragments ... is unspecified in PTX and may be target-dependent");
 * the one here is made of the mma tiles, and repeats elements where the ISA's fragment has more room than the matrix.
 */

/** An element's place in its matrix. */
export interface Place {
  row: number;
  column: number;
}

/** A matrix shape by its three sizes: A is m x k, B is k x n, C and D are m x n. */
export interface MatrixShape {
  m: number;
  n: number;
  k: number;
}

export type FragmentName = 'a' | 'b' | 'c';

/** Bits of an element in a fragment, by PTX type name. */
export const ELEMENT_BITS: Readonly<Record<string, number>> = {
  f64: 64,
  f32: 32,
  s32: 32,
  tf32: 32,
  f16: 16,
  bf16: 16,
  e4m3: 8,
  e5m2: 8,
  s8: 8,
  u8: 8,
  s4: 4,
  u4: 4,
  b1: 1,
};

/** Elements of A or B that one register holds: 32-bit registers, and 64-bit ones for f64. */
export function elementsPerRegister(bits: number): number {
  return bits >= 32 ? 1 : 32 / bits;
}

function placeA(lane: number, i: number, e: number, twoHalves: boolean): Place {
  const group = lane >> 2;
  const thread = lane & 3;
  const r = Math.floor(i / e);
  const j = i - r * e;
  if (!twoHalves) return { row: group, column: e * thread + j + 4 * e * r };
  return { row: group + 8 * (r & 1), column: e * thread + j + 4 * e * (r >> 1) };
}

function placeB(lane: number, i: number, e: number): Place {
  const r = Math.floor(i / e);
  return { row: e * (lane & 3) + (i - r * e) + 4 * e * r, column: lane >> 2 };
}

function placeC(lane: number, i: number): Place {
  return { row: (lane >> 2) + 8 * (i >> 1), column: 2 * (lane & 3) + (i & 1) };
}

/** A fragment's layout. */
export interface FragmentLayout {
  rows: number;
  columns: number;
  /** Elements that each lane holds. */
  elements: number;
  /** Where lane 0..31's element 0..elements-1 lives. */
  place: (lane: number, element: number) => Place;
}

/** The shapes of mma.sync by the bits of A's elements (ISA 9.7.14.5, table of shapes), as m, n, k. m8n8k4 with f16 is apart. */
export const MMA_SHAPES: Readonly<Record<number, readonly (readonly [number, number, number])[]>> = {
  64: [
    [8, 8, 4],
    [16, 8, 4],
    [16, 8, 8],
    [16, 8, 16],
  ],
  32: [
    [16, 8, 4],
    [16, 8, 8],
  ],
  16: [
    [16, 8, 8],
    [16, 8, 16],
  ],
  8: [
    [8, 8, 16],
    [16, 8, 16],
    [16, 8, 32],
  ],
  4: [
    [8, 8, 32],
    [16, 8, 32],
    [16, 8, 64],
  ],
  1: [
    [8, 8, 128],
    [16, 8, 128],
    [16, 8, 256],
  ],
};

/**
 * The layout of an mma.sync fragment.
 * @param bits bits of A's and B's elements; C and D are laid out alike for every type
 * @throws Error naming the shape when PTX has no such mma
 */
export function mmaFragment(shape: MatrixShape, fragment: FragmentName, bits: number): FragmentLayout {
  const { m, n, k } = shape;
  if (!MMA_SHAPES[bits]?.some((s) => s[0] === m && s[1] === n && s[2] === k)) {
    throw new Error(`mma.sync has no shape m${m}n${n}k${k} for ${bits}-bit elements; check the instruction's shape.`);
  }
  const e = elementsPerRegister(bits);
  switch (fragment) {
    case 'a':
      return { rows: m, columns: k, elements: (m * k) / 32, place: (lane, i) => placeA(lane, i, e, m === 16) };
    case 'b':
      return { rows: k, columns: n, elements: (k * n) / 32, place: (lane, i) => placeB(lane, i, e) };
    case 'c':
      return { rows: m, columns: n, elements: (m * n) / 32, place: placeC };
  }
}

/**
 * The layouts of mma.m8n8k4 with f16 (ISA 9.7.14.5.1), which computes four products at once: lanes with equal
 * (lane mod 16) / 4 form a quad pair with its own matrices. The place is within that pair's 8 x 8 x 4 product.
 * @param major the instruction's layout of A or B; C depends on its type instead
 */
export function mmaM8n8k4F16(
  fragment: FragmentName,
  major: 'row' | 'col',
  accumulator: 'f16' | 'f32' = 'f32',
): FragmentLayout {
  const half = (lane: number): number => (lane < 16 ? 0 : 4);
  switch (fragment) {
    case 'a':
      return {
        rows: 8,
        columns: 4,
        elements: 4,
        place: (lane, i) =>
          major === 'row' ? { row: (lane & 3) + half(lane), column: i } : { row: i + half(lane), column: lane & 3 },
      };
    case 'b':
      return {
        rows: 4,
        columns: 8,
        elements: 4,
        place: (lane, i) =>
          major === 'row' ? { row: lane & 3, column: i + half(lane) } : { row: i, column: (lane & 3) + half(lane) },
      };
    case 'c':
      return {
        rows: 8,
        columns: 8,
        elements: 8,
        place: (lane, i) =>
          accumulator === 'f16'
            ? { row: (lane & 3) + half(lane), column: i }
            : { row: (lane & 1) + (i & 2) + half(lane), column: (i & 4) + (lane & 2) + (i & 1) },
      };
  }
}

/** The quad pair (0 to 3) of a lane in mma.m8n8k4 with f16. */
export function quadPair(lane: number): number {
  return (lane >> 2) & 3;
}

/**
 * Elements a lane holds of a wmma fragment (ISA 9.7.14.4.1). f16's A and B fragments always have 16 elements (8 registers), so
 * elements repeat; all others have exactly their share.
 */
export function wmmaElements(shape: MatrixShape, fragment: FragmentName, type: string): number {
  const { m, n, k } = shape;
  if (fragment === 'c') return (m * n) / 32;
  if (type === 'f16') return 16;
  return ((fragment === 'a' ? m : n) * k) / 32;
}

/** The shapes of wmma by element type of A and B (ISA 9.7.14.4, table of shapes). */
const WMMA_SHAPES: Readonly<Record<string, readonly string[]>> = {
  f16: ['m16n16k16', 'm32n8k16', 'm8n32k16'],
  bf16: ['m16n16k16', 'm32n8k16', 'm8n32k16'],
  s8: ['m16n16k16', 'm32n8k16', 'm8n32k16'],
  u8: ['m16n16k16', 'm32n8k16', 'm8n32k16'],
  tf32: ['m16n16k8'],
  f64: ['m8n8k4'],
  s4: ['m8n8k32'],
  u4: ['m8n8k32'],
  b1: ['m8n8k128'],
};

/**
 * The layout used here for a wmma fragment: tiles of 8 or 16 rows (A), 8 columns (B) one after another, then
 * repetition. C's layout depends on the shape only, so f16 and f32 accumulators agree.
 * @param type the element type of A and B (also for fragment 'c')
 * @throws Error naming the shape when PTX has no such wmma
 */
export function wmmaFragment(shape: MatrixShape, fragment: FragmentName, type: string): FragmentLayout {
  const { m, n, k } = shape;
  if (!WMMA_SHAPES[type]?.includes(`m${m}n${n}k${k}`)) {
    throw new Error(`wmma has no shape m${m}n${n}k${k} for ${type}; check the instruction's shape and type.`);
  }
  const e = elementsPerRegister(ELEMENT_BITS[type]!);
  const elements = wmmaElements(shape, fragment, type);
  switch (fragment) {
    case 'a': {
      const height = m === 8 ? 8 : 16;
      const perTile = (height * k) / 32;
      const distinct = (m * k) / 32;
      return {
        rows: m,
        columns: k,
        elements,
        place: (lane, i) => {
          const tile = Math.floor((i % distinct) / perTile);
          const { row, column } = placeA(lane, (i % distinct) - tile * perTile, e, height === 16);
          return { row: row + tile * height, column };
        },
      };
    }
    case 'b': {
      const perTile = (8 * k) / 32;
      const distinct = (k * n) / 32;
      return {
        rows: k,
        columns: n,
        elements,
        place: (lane, i) => {
          const tile = Math.floor((i % distinct) / perTile);
          const { row, column } = placeB(lane, (i % distinct) - tile * perTile, e);
          return { row, column: column + tile * 8 };
        },
      };
    }
    case 'c':
      return {
        rows: m,
        columns: n,
        elements,
        // 8 x 8 tiles of two elements a lane, downwards first.
        place: (lane, i) => {
          const tile = i >> 1;
          const tilesDown = m / 8;
          const { row, column } = placeC(lane, i & 1);
          return { row: row + 8 * (tile % tilesDown), column: column + 8 * Math.floor(tile / tilesDown) };
        },
      };
  }
}

/**
 * `ldmatrix.m8n8.b16` / `stmatrix.m8n8.b16` (ISA 9.7.14.5.15, .16): which 16-bit element of the r-th 8 x 8 matrix register r of
 * a lane holds in its lower (j = 0) and upper (j = 1) half. Row p of matrix r starts at the address that lane 8 r + p
 * gives. With `.trans` the lane holds the transposed matrix's elements.
 */
export function ldmatrixPlace(lane: number, j: 0 | 1, transposed: boolean): Place {
  const row = lane >> 2;
  const column = 2 * (lane & 3) + j;
  return transposed ? { row: column, column: row } : { row, column };
}

/** The lane whose address operand is the start of `row` of the r-th matrix in ldmatrix/stmatrix. */
export function ldmatrixAddressLane(register: number, row: number): number {
  return 8 * register + row;
}
