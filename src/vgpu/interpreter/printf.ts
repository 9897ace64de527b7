/** What kernels print: C's format language over the argument buffer that nvcc lays out for vprintf. */
import type { DeviceMemory } from '../memory.ts';

/** Reads bytes at a generic address of the calling thread; undefined when it points nowhere. */
export type ReadBytes = (address: bigint, bytes: number) => Uint8Array | undefined;

/** A zero-terminated string at a generic address. */
export function readString(memory: DeviceMemory, address: bigint): string | undefined {
  const allocation = memory.find(address);
  if (allocation === undefined || allocation.freed) return undefined;
  const start = Number(address & 0xffff_ffffn);
  const limit = allocation.base + allocation.bytes;
  let end = start;
  while (end < limit && memory.u8[end] !== 0) end++;
  return new TextDecoder().decode(memory.u8.slice(start, end));
}

const DIRECTIVE = /%([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+))?(hh|h|ll|l|j|z|t|L)?([diouxXeEfFgGcsp%])/g;

/** Formats; `next` gives the next argument of that many bytes, `text` a string argument. */
export function format(
  pattern: string,
  read: ReadBytes,
  buffer: bigint,
  text: (address: bigint) => string | undefined,
): string {
  let offset = 0;
  const next = (bytes: 4 | 8): DataView => {
    offset = Math.ceil(offset / bytes) * bytes;
    const data = read(buffer + BigInt(offset), bytes) ?? new Uint8Array(bytes);
    offset += bytes;
    return new DataView(data.buffer, data.byteOffset, bytes);
  };
  return pattern.replace(
    DIRECTIVE,
    (whole, flags: string, widthText?: string, precisionText?: string, length?: string, conversion?: string) => {
      if (conversion === '%') return '%';
      const width = widthText === '*' ? next(4).getInt32(0, true) : Number(widthText ?? 0);
      const precision =
        precisionText === '*'
          ? next(4).getInt32(0, true)
          : precisionText === undefined
            ? undefined
            : Number(precisionText);
      const long = length === 'l' || length === 'll' || length === 'j' || length === 'z' || length === 't';
      let body: string;
      switch (conversion) {
        case 'd':
        case 'i':
          body = signed(long ? next(8).getBigInt64(0, true) : BigInt(next(4).getInt32(0, true)), flags, precision);
          break;
        case 'o':
        case 'u':
        case 'x':
        case 'X': {
          const value = long ? next(8).getBigUint64(0, true) : BigInt(next(4).getUint32(0, true));
          body = unsigned(value, conversion, flags, precision);
          break;
        }
        case 'c':
          body = String.fromCharCode(next(4).getUint32(0, true) & 0xff);
          break;
        case 's':
          body = (text(next(8).getBigUint64(0, true)) ?? '(null)').slice(0, precision);
          break;
        case 'p':
          body = `0x${next(8).getBigUint64(0, true).toString(16)}`;
          break;
        case undefined:
          return whole;
        default:
          body = floating(next(8).getFloat64(0, true), conversion, flags, precision);
      }
      return pad(body, width, flags, conversion, precision);
    },
  );
}

function pad(body: string, width: number, flags: string, conversion: string, precision: number | undefined): string {
  if (body.length >= width) return body;
  if (flags.includes('-')) return body.padEnd(width);
  const integer = 'diouxX'.includes(conversion);
  if (flags.includes('0') && conversion !== 's' && conversion !== 'c' && !(integer && precision !== undefined)) {
    const sign = /^[-+ ]|^0[xX]/.exec(body)?.[0] ?? '';
    return sign + body.slice(sign.length).padStart(width - sign.length, '0');
  }
  return body.padStart(width);
}

function signOf(negative: boolean, flags: string): string {
  return negative ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
}

function signed(value: bigint, flags: string, precision: number | undefined): string {
  const digits = (value < 0n ? -value : value).toString().padStart(precision ?? 1, '0');
  return signOf(value < 0n, flags) + digits;
}

function unsigned(value: bigint, conversion: string, flags: string, precision: number | undefined): string {
  const radix = conversion === 'o' ? 8 : conversion === 'u' ? 10 : 16;
  let digits = value.toString(radix).padStart(precision ?? 1, '0');
  if (conversion === 'X') digits = digits.toUpperCase();
  if (flags.includes('#') && value !== 0n)
    digits = (conversion === 'o' ? '0' : conversion === 'u' ? '' : `0${conversion}`) + digits;
  return digits;
}

function floating(value: number, conversion: string, flags: string, precision = 6): string {
  const negative = value < 0 || Object.is(value, -0);
  const magnitude = Math.abs(value);
  let body: string;
  if (Number.isNaN(value)) body = 'nan';
  else if (magnitude === Number.POSITIVE_INFINITY) body = 'inf';
  else if (conversion === 'f' || conversion === 'F') body = magnitude.toFixed(precision);
  else if (conversion === 'e' || conversion === 'E') body = exponential(magnitude, precision);
  else body = general(magnitude, precision, flags.includes('#'));
  if (conversion === conversion.toUpperCase()) body = body.toUpperCase();
  return signOf(negative && !Number.isNaN(value), flags) + body;
}

/** C writes at least two exponent digits. */
function exponential(value: number, precision: number): string {
  return value.toExponential(precision).replace(/e([+-])(\d)$/, 'e$10$2');
}

function general(value: number, precision: number, keepZeros: boolean): string {
  const digits = Math.max(precision, 1);
  const exponent = value === 0 ? 0 : Number(value.toExponential(digits - 1).split('e')[1]);
  const text =
    exponent < -4 || exponent >= digits ? exponential(value, digits - 1) : value.toFixed(digits - 1 - exponent);
  if (keepZeros || !text.includes('.')) return text;
  return text.replace(/\.?0+(e|$)/, '$1');
}
