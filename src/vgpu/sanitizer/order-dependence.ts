/** Two results of the same launch under different schedules: where they differ, and by how much, in words. */
import { bf16ToNumber, f16ToNumber } from '../math/index.ts';
import { type ElementType, elementSize } from './element-types.ts';
import type { Content } from './sanitizer.ts';

export interface Difference {
  readonly message: string;
  /** Offset of the first byte that differs. */
  readonly firstByte: number;
  /** How many elements differ. */
  readonly elements: number;
}

/** Relative differences up to this, in units of the type's precision, are what another order of summation makes. */
const ROUNDING_UNITS = 1024;

/** Undefined when the written bytes, and which bytes are written, are the same. */
export function describeDifference(before: Content, now: Content, seed: number): Difference | undefined {
  const size = elementSize(now.spec.type);
  let elements = 0;
  let firstByte = -1;
  let largest = 0;
  for (let at = 0; at < now.bytes.length; at += size) {
    let differs = false;
    for (let byte = at; byte < at + size; byte++) {
      if (before.written[byte] !== now.written[byte]) differs = true;
      else if (now.written[byte] === 1 && before.bytes[byte] !== now.bytes[byte]) differs = true;
      if (differs && firstByte < 0) firstByte = byte;
    }
    if (!differs) continue;
    elements++;
    largest = Math.max(largest, relativeDifference(now.spec.type, before.bytes, now.bytes, at));
  }
  if (elements === 0) return undefined;
  const { name, count, type } = now.spec;
  const first = Math.floor(firstByte / size);
  const rounding = largest <= ROUNDING_UNITS * unitOf(type);
  const cause = rounding
    ? `The largest relative difference is ${largest.toExponential(1)}: a floating-point result whose order of operations is not fixed, most likely a sum by atomics.`
    : 'The kernel has no race that was found, and still its result is whoever comes first or last.';
  return {
    message: `${elements} of ${count} elements of ${name} (the first is ${name}[${first}]) differ between schedule 0 and schedule ${seed}. ${cause}`,
    firstByte,
    elements,
  };
}

/** The spacing of a floating-point type's numbers at 1; 0 for other types, which do not round. */
function unitOf({ kind, bytes }: ElementType): number {
  if (kind === 'bfloat') return 2 ** -7;
  if (kind !== 'float') return 0;
  return bytes === 8 ? 2 ** -52 : bytes === 4 ? 2 ** -23 : 2 ** -10;
}

/** |a - b| / max(|a|, |b|) of the first component; infinite where one is no number, or for integers. */
function relativeDifference(type: ElementType, before: Uint8Array, now: Uint8Array, at: number): number {
  if (type.kind !== 'float' && type.kind !== 'bfloat') return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let c = 0; c < type.components; c++) {
    const a = floatAt(type, before, at + c * type.bytes);
    const b = floatAt(type, now, at + c * type.bytes);
    if (Object.is(a, b)) continue;
    const difference = Math.abs(a - b) / Math.max(Math.abs(a), Math.abs(b));
    largest = Math.max(largest, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
  }
  return largest;
}

function floatAt(type: ElementType, bytes: Uint8Array, at: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (type.kind === 'bfloat') return bf16ToNumber(view.getUint16(at, true));
  if (type.bytes === 8) return view.getFloat64(at, true);
  return type.bytes === 4 ? view.getFloat32(at, true) : f16ToNumber(view.getUint16(at, true));
}
