/**
 * The language in which a person says how a kernel is launched:
 *
 *     <<<(64, 2), 256, 1024>>>                     grid, block (numbers or (x, y, z)), dynamic shared bytes
 *
 *     x: const float[1000] = ramp,                 an array; const: the kernel may not write it
 *     w: float[64, 33],                            no initial value: reading it before writing is a finding
 *     o: freed float[256],                         memory that has been freed before the launch
 *     v: @x + 16,                                  a pointer into x, 16 elements from its start
 *     b: null,                                     a null pointer
 *     n: int = 64*33                               a scalar
 *
 * An array's initial values: `zero`, `one`, `index` (0, 1, 2, ...), `ramp` (from -1 to 1; for integers like index),
 * `random` or `random(low, high)` (high excluded), a number, or a list `{3, 9, -1, 0}` of exactly that many.
 */
import type { Dim3 } from '../types.ts';
import { type ElementType, elementType, type SpecNumber } from './element-types.ts';

export interface LaunchShape {
  readonly grid: Dim3;
  readonly block: Dim3;
  readonly dynamicSharedBytes: number;
}

export type Fill =
  | { readonly kind: 'uninitialised' | 'index' | 'ramp' }
  | { readonly kind: 'constant'; readonly value: SpecNumber }
  | { readonly kind: 'random'; readonly low: number | undefined; readonly high: number | undefined }
  | { readonly kind: 'list'; readonly values: readonly SpecNumber[] };

export type ArgumentSpec = { readonly name: string } & (
  | {
      readonly kind: 'array';
      readonly type: ElementType;
      readonly count: number;
      readonly readOnly: boolean;
      /** It has been freed before the launch. */
      readonly freed: boolean;
      readonly fill: Fill;
    }
  | { readonly kind: 'alias'; readonly of: string; readonly offset: number }
  | { readonly kind: 'null' }
  | { readonly kind: 'scalar'; readonly type: ElementType; readonly value: SpecNumber }
);

/** A launch specification that cannot be read: the message says where and what was expected. */
export class LaunchSpecError extends Error {
  override readonly name = 'LaunchSpecError';
  /** Marks the message as a sentence for people. */
  readonly kind = 'launch-spec';
}

/** Elements of one array, at most: 2^31 bytes of the largest memory there is. */
const MAX_ELEMENTS = 2 ** 31;

/** Reads `<<<grid, block[, dynamic shared bytes[, stream]]>>>`; the stream is ignored. Throws {@link LaunchSpecError}. */
export function parseLaunch(text: string): LaunchShape {
  const cursor = new Cursor(text, 'launch');
  cursor.expect('<<<');
  const grid = dimensions(cursor);
  cursor.expect(',');
  const block = dimensions(cursor);
  let dynamicSharedBytes = 0;
  if (cursor.accept(',')) {
    dynamicSharedBytes = size(cursor, new Map());
    if (cursor.accept(',')) size(cursor, new Map());
  }
  cursor.expect('>>>');
  cursor.end();
  return { grid, block, dynamicSharedBytes };
}

function dimensions(cursor: Cursor): Dim3 {
  const none: ReadonlyMap<string, SpecNumber> = new Map();
  cursor.acceptWord('dim3');
  if (!cursor.accept('(')) return [size(cursor, none), 1, 1];
  const given = [size(cursor, none)];
  while (given.length < 3 && cursor.accept(',')) given.push(size(cursor, none));
  cursor.expect(')');
  return [given[0]!, given[1] ?? 1, given[2] ?? 1];
}

/** Reads a list of arguments in the order of the kernel's parameters. Throws {@link LaunchSpecError}. */
export function parseArguments(text: string): ArgumentSpec[] {
  const cursor = new Cursor(text, 'arguments');
  const specs: ArgumentSpec[] = [];
  const scalars = new Map<string, SpecNumber>();
  if (cursor.atEnd()) return specs;
  do {
    const name = cursor.word("an argument's name");
    if (specs.some((spec) => spec.name === name)) throw cursor.error(`there are two arguments named ${name}`);
    cursor.expect(':');
    const spec = argument(cursor, name, specs, scalars);
    if (spec.kind === 'scalar') scalars.set(name, spec.value);
    specs.push(spec);
  } while (cursor.accept(',') && !cursor.atEnd());
  cursor.end();
  return specs;
}

function argument(
  cursor: Cursor,
  name: string,
  before: readonly ArgumentSpec[],
  scalars: ReadonlyMap<string, SpecNumber>,
): ArgumentSpec {
  if (cursor.accept('@')) {
    const of = cursor.word('the name of an array');
    if (!before.some((spec) => spec.name === of && spec.kind === 'array')) {
      throw cursor.error(`${of} is not an array named before ${name}`);
    }
    return { name, kind: 'alias', of, offset: cursor.accept('+') ? size(cursor, scalars) : 0 };
  }
  if (cursor.acceptWord('null') || cursor.acceptWord('nullptr')) return { name, kind: 'null' };
  const freed = cursor.acceptWord('freed');
  const readOnly = cursor.acceptWord('const');
  const type = typeName(cursor);
  if (!cursor.sees('[')) {
    if (freed) throw cursor.error('only an array (`freed float[256]`) can have been freed');
    if (!cursor.accept('=')) {
      throw cursor.error(`a scalar needs a value (\`${name}: ${type.name} = 1\`), an array its size (\`[256]\`)`);
    }
    if (type.components > 1) throw cursor.error(`a ${type.name} cannot be passed by value here`);
    return { name, kind: 'scalar', type, value: number(cursor, scalars) };
  }
  const count = elementCount(cursor, scalars);
  return { name, kind: 'array', type, count, readOnly, freed, fill: fill(cursor, scalars, count * type.components) };
}

function typeName(cursor: Cursor): ElementType {
  const words = [cursor.word('a type')];
  while (cursor.seesWord()) words.push(cursor.word('a type'));
  const found = elementType(words.join(' '));
  if (found === undefined) {
    throw cursor.error(
      `\`${words.join(' ')}\` is not a type that can be used here: float, double, half, bfloat16, int, unsigned, long long, short, char, bool and their vectors (float4) can`,
    );
  }
  return found;
}

function elementCount(cursor: Cursor, scalars: ReadonlyMap<string, SpecNumber>): number {
  let count = 1;
  while (cursor.accept('[')) {
    do count *= size(cursor, scalars);
    while (cursor.accept(','));
    cursor.expect(']');
  }
  if (count > MAX_ELEMENTS) throw cursor.error(`${count} elements are more than the virtual GPU's memory holds`);
  return count;
}

function fill(cursor: Cursor, scalars: ReadonlyMap<string, SpecNumber>, components: number): Fill {
  if (!cursor.accept('=')) return { kind: 'uninitialised' };
  if (cursor.accept('{')) {
    const values = [number(cursor, scalars)];
    while (cursor.accept(',')) values.push(number(cursor, scalars));
    cursor.expect('}');
    if (values.length !== components) {
      throw cursor.error(`the list has ${values.length} values and the array ${components}`);
    }
    return { kind: 'list', values };
  }
  if (cursor.acceptWord('zero')) return { kind: 'constant', value: 0n };
  if (cursor.acceptWord('one')) return { kind: 'constant', value: 1n };
  if (cursor.acceptWord('index')) return { kind: 'index' };
  if (cursor.acceptWord('ramp')) return { kind: 'ramp' };
  if (cursor.acceptWord('random')) {
    if (!cursor.accept('(')) return { kind: 'random', low: undefined, high: undefined };
    const low = Number(number(cursor, scalars));
    cursor.expect(',');
    const high = Number(number(cursor, scalars));
    cursor.expect(')');
    if (!(low < high)) throw cursor.error('random(low, high) needs low < high');
    return { kind: 'random', low, high };
  }
  return { kind: 'constant', value: number(cursor, scalars) };
}

/** A whole number, the name of an integer scalar given before, or sums and products of these. */
function size(cursor: Cursor, scalars: ReadonlyMap<string, SpecNumber>): number {
  const factor = (): number => {
    const value = number(cursor, scalars);
    if (typeof value !== 'bigint' || value < 0n) throw cursor.error('a whole number was expected');
    return Number(value);
  };
  const product = (): number => {
    let value = factor();
    while (cursor.accept('*')) value *= factor();
    return value;
  };
  let total = product();
  while (cursor.accept('+')) total += product();
  return total;
}

const LITERAL = /^[+-]?(?:0x[0-9a-f]+|inf(?:inity)?|nan|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)/i;

function number(cursor: Cursor, scalars: ReadonlyMap<string, SpecNumber>): SpecNumber {
  const literal = cursor.match(LITERAL);
  if (literal !== undefined) {
    cursor.match(/^(?:ull|ll|ul|u|l|f)\b/i);
    return numberOf(literal);
  }
  if (cursor.acceptWord('true')) return 1n;
  if (cursor.acceptWord('false')) return 0n;
  const name = cursor.word('a number');
  const value = scalars.get(name);
  if (value === undefined) {
    throw cursor.error(
      `\`${name}\` is neither a number, nor a scalar given before, nor zero, one, index, ramp or random`,
    );
  }
  return value;
}

function numberOf(literal: string): SpecNumber {
  const negative = literal.startsWith('-');
  const digits = literal.replace(/^[+-]/, '').toLowerCase();
  if (digits.startsWith('inf')) return negative ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (digits === 'nan') return Number.NaN;
  if (/^(?:0x[0-9a-f]+|\d+)$/.test(digits)) return negative ? -BigInt(digits) : BigInt(digits);
  return negative ? -Number(digits) : Number(digits);
}

/** A place in the text, and what is read from there. */
class Cursor {
  readonly #text: string;
  readonly #what: string;
  #at = 0;

  constructor(text: string, what: string) {
    this.#text = text;
    this.#what = what;
  }

  error(reason: string): LaunchSpecError {
    const place = `${this.#text.slice(0, this.#at)} <-- here --> ${this.#text.slice(this.#at)}`
      .replaceAll(/\s+/g, ' ')
      .trim();
    return new LaunchSpecError(`The ${this.#what} cannot be understood: ${reason}, at ${place}`);
  }

  #skip(): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at++;
  }

  match(pattern: RegExp): string | undefined {
    this.#skip();
    const found = pattern.exec(this.#text.slice(this.#at))?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  sees(text: string): boolean {
    this.#skip();
    return this.#text.startsWith(text, this.#at);
  }

  seesWord(): boolean {
    this.#skip();
    return /^[A-Za-z_]/.test(this.#text.slice(this.#at));
  }

  accept(text: string): boolean {
    if (!this.sees(text)) return false;
    this.#at += text.length;
    return true;
  }

  acceptWord(word: string): boolean {
    this.#skip();
    const found = /^[A-Za-z_]\w*/.exec(this.#text.slice(this.#at))?.[0];
    if (found !== word) return false;
    this.#at += word.length;
    return true;
  }

  expect(text: string): void {
    if (!this.accept(text)) throw this.error(`\`${text}\` was expected`);
  }

  word(what: string): string {
    const found = this.match(/^[A-Za-z_]\w*/);
    if (found === undefined) throw this.error(`${what} was expected`);
    return found;
  }

  atEnd(): boolean {
    this.#skip();
    return this.#at >= this.#text.length;
  }

  end(): void {
    if (!this.atEnd()) throw this.error('nothing more was expected');
  }
}
