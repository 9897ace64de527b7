/** The middle of a list: what a block is summed up by, since half of its windows may be disturbed without moving it far. */

/** Median; the mean of the middle two of an even number. @throws RangeError on an empty list. */
export function median(values: readonly number[] | Float64Array): number {
  if (values.length === 0) throw new RangeError('An empty list has no median.');
  const sorted = values.length > SHORT ? Float64Array.from(values).sort() : sortShort(values);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Up to here, sorting by insertion is faster than setting up a sort. Most lists are a cell's few windows. */
const SHORT = 16;

function sortShort(values: readonly number[] | Float64Array): number[] {
  const sorted: number[] = [];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    let at = i;
    for (; at > 0 && sorted[at - 1]! > value; at--) sorted[at] = sorted[at - 1]!;
    sorted[at] = value;
  }
  return sorted;
}

/** Mean. @throws RangeError on an empty list. */
export function mean(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('An empty list has no mean.');
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}
