/**
 * Reading what a child process says, before anything believes it. The child runs our own code, but next to a kernel of a stranger: its answer is looked at field
 * by field against what was asked, and built anew from what was looked at. An answer of another form is a crash of the device, never a result.
 */
import type { DType } from '../../task/index.ts';
import { elementBytes } from '../../task/index.ts';

/** Names the first thing that is not as it must be. */
export class Malformed extends Error {}

export type Fields = Readonly<Record<string, unknown>>;

/** No list in an answer is longer; a list says how long it is before it has anything in it. */
const MOST_ITEMS = 2 ** 20;

/** What `read` makes of an answer, or what was wrong with it: a sentence. `where`: `the virtual GPU`. */
export function reading<Value>(where: string, read: () => Value): { value: Value } | { malformed: string } {
  try {
    return { value: read() };
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    const owner = where.charAt(0).toUpperCase() + where.slice(1);
    return { malformed: `${owner}'s process gave an answer that is none: ${error.message}.` };
  }
}

/** The same for an answer that is a result; `usable`: whoever gave it can be asked again. */
export function orCrash<Result>(
  where: string,
  read: () => Result,
): { result: Result | { status: 'crashed'; message: string }; usable: boolean } {
  const found = reading(where, read);
  if ('value' in found) return { result: found.value, usable: true };
  return { result: { status: 'crashed', message: found.malformed }, usable: false };
}

/** An object's own fields; what it inherits is nobody's answer. */
export function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value))
    throw new Malformed(`${what} is not an object`);
  return value as Fields;
}

export function own(fields: Fields, name: string): unknown {
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}

export function text(fields: Fields, name: string): string {
  const value = own(fields, name);
  if (typeof value !== 'string') throw new Malformed(`\`${name}\` is not text`);
  return value;
}

export function flag(fields: Fields, name: string): boolean {
  const value = own(fields, name);
  if (typeof value !== 'boolean') throw new Malformed(`\`${name}\` is neither true nor false`);
  return value;
}

/** One of a few words. */
export function oneOf<Word extends string>(fields: Fields, name: string, words: readonly Word[]): Word {
  const value = own(fields, name);
  const word = words.find((each) => each === value);
  if (word === undefined) throw new Malformed(`\`${name}\` is not one of ${words.join(', ')}`);
  return word;
}

/** From 0 to `most`. */
export function whole(fields: Fields, name: string, most = Number.MAX_SAFE_INTEGER): number {
  return wholeNumber(own(fields, name), name, most);
}

export function wholeNumber(value: unknown, name: string, most: number): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new Malformed(`\`${name}\` is not a whole number`);
  if (value > most) throw new Malformed(`\`${name}\` is over ${most}`);
  return value;
}

/** A number from 0 on; not infinite. */
export function amount(fields: Fields, name: string): number {
  const value = own(fields, name);
  if (typeof value !== 'number' || !(value >= 0 && Number.isFinite(value)))
    throw new Malformed(`\`${name}\` is no amount that there can be`);
  return value;
}

/** What `read` makes of a field that may be absent. */
export function optional<Value>(
  fields: Fields,
  name: string,
  read: (fields: Fields, name: string) => Value,
): Value | undefined {
  return own(fields, name) === undefined ? undefined : read(fields, name);
}

export function list(fields: Fields, name: string): readonly unknown[] {
  return items(own(fields, name), name);
}

/** `length`: exactly so many. */
export function items(value: unknown, name: string, length?: number): readonly unknown[] {
  if (!Array.isArray(value)) throw new Malformed(`\`${name}\` is not a list`);
  if (length !== undefined && value.length !== length)
    throw new Malformed(`it has ${value.length} ${name}, and ${length} were asked for`);
  if (value.length > MOST_ITEMS) throw new Malformed(`\`${name}\` has over ${MOST_ITEMS} items`);
  // A hole is what no reader expects.
  return Array.from(value);
}

export function bytes(fields: Fields, name: string, length: number): Uint8Array {
  return byteArray(own(fields, name), name, length);
}

export function byteArray(value: unknown, name: string, length: number): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length !== length)
    throw new Malformed(`\`${name}\` is not ${length} bytes`);
  return value;
}

/** A byte for each element: 1 where it was written, else 0. */
export function written(fields: Fields, elements: number): Uint8Array {
  const value = bytes(fields, 'written', elements);
  if (value.some((byte) => byte > 1)) throw new Malformed('an element is written or not, and nothing else');
  return value;
}

/** A copy of what holds nothing but finite numbers, text, flags, lists and objects of these, `depth` levels of them. */
export function plain<Value>(value: unknown, what: string, depth: number): Value {
  checkPlain(value, what, depth);
  return structuredClone(value) as Value;
}

function checkPlain(value: unknown, what: string, depth: number): void {
  if (value === undefined || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) return;
  if (depth === 0 || typeof value !== 'object' || value === null) throw new Malformed(`${what} holds what is no data`);
  const inside = Array.isArray(value) ? items(value, what) : Object.values(value);
  for (const one of inside) checkPlain(one, what, depth - 1);
}

/** A tensor's elements, and their bytes. */
export function sizeOf({ shape, dtype }: { shape: readonly number[]; dtype: DType }): {
  elements: number;
  bytes: number;
} {
  const elements = shape.reduce((product, size) => product * size, 1);
  return { elements, bytes: elements * elementBytes[dtype] };
}
