/**
 * The numbers that a candidate's kernels compare values with, read from their PTX: operands of comparisons, minima and maxima that are numbers, or registers which a number
 * is put into. A kernel that takes another path at such a number, or beyond it, is given inputs near it (src/task/inputs/near.ts); which path is right, the reference knows.
 * Numbers that a kernel is passed, loads or computes are not seen.
 */

/** Instructions that compare two of their operands: their type and their operands. */
const COMPARING = /^\s*(?:@!?%\w+\s+)?(?:set|setp|min|max|slct)\.[\w.]*?\.?(\w+)\s+([^;]*);/gm;

/** A number put into a register. */
const MOVED = /^\s*(?:@!?%\w+\s+)?mov\.\w+\s+(%\w+),\s*(-?\w+);/gm;

const float64Word = new Float64Array(1);
const words = new Uint32Array(float64Word.buffer);
const float32Word = new Float32Array(words.buffer, 0, 1);

function float32Of(bits: number): number {
  words[0] = bits;
  return float32Word[0]!;
}

function float64Of(high: number, low: number): number {
  [words[1], words[0]] = [high, low];
  return float64Word[0]!;
}

function float16Of(bits: number): number {
  const size =
    bits & 0x7c00 ? ((bits & 0x3ff) / 1024 + 1) * 2 ** (((bits >> 10) & 31) - 15) : (bits & 0x3ff) * 2 ** -24;
  return bits & 0x8000 ? -size : size;
}

/** Whole numbers from here on are more likely the bits of a float32. */
const BITS = 2 ** 23;

interface Compared {
  value: number;
  floating: boolean;
}

/** A number as PTX writes it, for an instruction of this type; undefined for registers and names. */
function numberOf(operand: string, type: string): Compared | undefined {
  const single = /^0[fF]([0-9a-fA-F]{8})$/.exec(operand)?.[1];
  if (single !== undefined) return { value: float32Of(Number.parseInt(single, 16)), floating: true };
  const double = /^0[dD]([0-9a-fA-F]{8})([0-9a-fA-F]{8})$/.exec(operand);
  if (double) {
    return { value: float64Of(Number.parseInt(double[1]!, 16), Number.parseInt(double[2]!, 16)), floating: true };
  }
  if (!/^-?(?:0[xX][0-9a-fA-F]+|\d+)U?$/.test(operand)) return undefined;
  const whole = Number(operand.replace('U', ''));
  if (type === 'f16') return { value: float16Of(whole & 0xffff), floating: true };
  if (type === 'bf16') return { value: float32Of((whole & 0xffff) * 2 ** 16), floating: true };
  const bits = Math.abs(whole) >= BITS && Math.abs(whole) < 2 ** 32;
  return { value: bits ? float32Of(whole >>> 0) : whole, floating: bits };
}

/** Each number once, in the order of the text; neither zero nor infinity. */
export function numbersComparedWith(ptx: string): { floating: number[]; whole: number[] } {
  const moved = new Map<string, string[]>();
  for (const [, register, number] of ptx.matchAll(MOVED)) {
    moved.set(register!, [...(moved.get(register!) ?? []), number!]);
  }
  const numbers = [...ptx.matchAll(COMPARING)]
    .flatMap(([, type, list]) =>
      list!
        .split(',')
        .map((one) => one.trim())
        .flatMap((one) => moved.get(one) ?? [one])
        .map((one) => numberOf(one, type!)),
    )
    .filter((one): one is Compared => one !== undefined && one.value !== 0 && Math.abs(one.value) < Infinity);
  const those = (floating: boolean) => [...new Set(numbers.filter((n) => n.floating === floating).map((n) => n.value))];
  return { floating: those(true), whole: those(false) };
}
