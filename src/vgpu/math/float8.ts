/** The 8-bit floats of cvt: e4m3 (no infinities, one NaN pattern) and e5m2. */

interface Float8 {
  readonly mantissaBits: number;
  readonly bias: number;
  /** Greatest finite value and its pattern. */
  readonly max: number;
  readonly maxBits: number;
}

const FORMATS: Readonly<Record<'e4m3' | 'e5m2', Float8>> = {
  e4m3: { mantissaBits: 3, bias: 7, max: 448, maxBits: 0x7e },
  e5m2: { mantissaBits: 2, bias: 15, max: 57344, maxBits: 0x7b },
};

/** A number to 8 bits, nearest even, `.satfinite`: too large becomes the greatest finite value, NaN becomes 0x7f. */
export function toFloat8(format: 'e4m3' | 'e5m2', relu: boolean): (x: number) => number {
  const { mantissaBits, bias, max, maxBits } = FORMATS[format];
  return (x) => {
    if (Number.isNaN(x)) return 0x7f;
    const negative = x < 0 || Object.is(x, -0);
    if (relu && negative) return 0;
    const sign = negative ? 0x80 : 0;
    const magnitude = Math.abs(x);
    if (magnitude >= max) return sign | maxBits;
    const exponent = magnitude === 0 ? 1 - bias : Math.max(Math.floor(Math.log2(magnitude)), 1 - bias);
    const scaled = magnitude * 2 ** (mantissaBits - exponent);
    const low = Math.floor(scaled);
    const rest = scaled - low;
    const rounded = low + (rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? 1 : 0);
    // Subnormals have the same quantum as the lowest exponent: the sum below carries by itself.
    const bits = ((exponent + bias - 1) << mantissaBits) + rounded;
    return sign | Math.min(bits, maxBits);
  };
}

/** 8 bits to the value, exactly. */
export function fromFloat8(format: 'e4m3' | 'e5m2'): (bits: number) => number {
  const { mantissaBits, bias } = FORMATS[format];
  return (bits) => {
    const exponent = (bits & 0x7f) >>> mantissaBits;
    const mantissa = bits & ((1 << mantissaBits) - 1);
    let value: number;
    if (format === 'e4m3' && (bits & 0x7f) === 0x7f) value = Number.NaN;
    else if (format === 'e5m2' && exponent === 31) value = mantissa === 0 ? Number.POSITIVE_INFINITY : Number.NaN;
    else if (exponent === 0) value = mantissa * 2 ** (1 - bias - mantissaBits);
    else value = (1 + mantissa / (1 << mantissaBits)) * 2 ** (exponent - bias);
    return (bits & 0x80) !== 0 ? -value : value;
  };
}
