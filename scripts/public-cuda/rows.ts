/** Functions of rows in float64, from their definitions: what drives of several files compare with. */

/** Softmax of each row of a matrix with `width` columns. */
export function softmaxRows(x: ArrayLike<number>, width: number): Float64Array {
  const out = new Float64Array(x.length);
  for (let row = 0; row < x.length; row += width) {
    let total = 0;
    let most = Number.NEGATIVE_INFINITY;
    for (let j = 0; j < width; j++) most = Math.max(most, x[row + j]!);
    for (let j = 0; j < width; j++) total += Math.exp(x[row + j]! - most);
    for (let j = 0; j < width; j++) out[row + j] = Math.exp(x[row + j]! - most) / total;
  }
  return out;
}

export interface Normalised {
  readonly out: Float64Array;
  readonly mean: Float64Array;
  readonly rstd: Float64Array;
}

/** Layer normalisation of each row (epsilon 1e-5), with its statistics. */
export function normaliseRows(x: ArrayLike<number>, weight: ArrayLike<number>, bias: ArrayLike<number>): Normalised {
  const width = weight.length;
  const rows = x.length / width;
  const [out, mean, rstd] = [new Float64Array(x.length), new Float64Array(rows), new Float64Array(rows)];
  for (let row = 0; row < rows; row++) {
    let total = 0;
    let squares = 0;
    for (let j = 0; j < width; j++) total += x[row * width + j]!;
    mean[row] = total / width;
    for (let j = 0; j < width; j++) squares += (x[row * width + j]! - mean[row]!) ** 2;
    rstd[row] = 1 / Math.sqrt(squares / width + 1e-5);
    for (let j = 0; j < width; j++)
      out[row * width + j] = (x[row * width + j]! - mean[row]!) * rstd[row]! * weight[j]! + bias[j]!;
  }
  return { out, mean, rstd };
}

/** a (rows x inner) times b (inner x columns), each given by a rule of its two indices. */
export function product(
  [rows, inner, columns]: readonly [number, number, number],
  a: (row: number, k: number) => number,
  b: (k: number, column: number) => number,
): Float64Array {
  const out = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < inner; k++) {
      const left = a(i, k);
      for (let j = 0; j < columns; j++) out[i * columns + j]! += left * b(k, j);
    }
  }
  return out;
}
