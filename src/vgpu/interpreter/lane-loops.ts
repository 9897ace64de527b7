/**
 * Steps that apply a scalar function to the active lanes. The operand classes pick the view of the register file:
 * `i` int32 words (also 16-bit values, zero-extended), `f` f32, `d` f64, `l` 64-bit integers as bigint. The common
 * combinations have loops of their own, because a loop that sees one kind of array is several times faster.
 */
import type { Ref, RegisterFile } from './registers.ts';
import type { Warp } from './warp.ts';

/** Executes one instruction for the lanes of `mask`. */
export type Step = (warp: Warp, mask: number) => void;

export type LaneClass = 'i' | 'f' | 'd' | 'l';

export type LaneFunction =
  | ((a: number) => number)
  | ((a: number, b: number) => number)
  | ((a: number, b: number, c: number) => number);

// One signature for the table; each entry is used with arguments of its declared classes only.
export type AnyLaneFunction = (...values: never[]) => number | bigint;

/** How operands are read, as a string: result class, then the sources', e.g. `f=fff`. */
export interface LaneOperation {
  readonly signature: string;
  readonly f: AnyLaneFunction;
}

type Unary<T> = (a: T) => T;
type Binary<T> = (a: T, b: T) => T;
type Ternary<T> = (a: T, b: T, c: T) => T;

function at(ref: Ref, base: number): number {
  return ref.slot + (base & ref.mask);
}

/** The step for an operation on these places. */
export function laneStep(file: RegisterFile, operation: LaneOperation, dst: Ref, src: readonly Ref[]): Step {
  const { signature, f } = operation;
  const [a, b, c] = src as [Ref, Ref, Ref];
  switch (signature) {
    case 'i=i':
      return unaryI(file, f as unknown as Unary<number>, dst, a);
    case 'i=ii':
      return binaryI(file, f as unknown as Binary<number>, dst, a, b);
    case 'i=iii':
      return ternaryI(file, f as unknown as Ternary<number>, dst, a, b, c);
    case 'f=f':
      return unaryF(file, f as unknown as Unary<number>, dst, a);
    case 'f=ff':
      return binaryF(file, f as unknown as Binary<number>, dst, a, b);
    case 'f=fff':
      return ternaryF(file, f as unknown as Ternary<number>, dst, a, b, c);
    case 'd=dd':
      return binaryD(file, f as unknown as Binary<number>, dst, a, b);
    case 'd=ddd':
      return ternaryD(file, f as unknown as Ternary<number>, dst, a, b, c);
    case 'l=ll':
      return binaryL(file, f as unknown as Binary<bigint>, dst, a, b);
    default:
      return anyClasses(file, signature, f, dst, src);
  }
}

function unaryI(file: RegisterFile, f: Unary<number>, dst: Ref, a: Ref): Step {
  return (warp, mask) => {
    const r = file.i32;
    const d = at(dst, warp.base);
    const x = at(a, warp.base);
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) if ((m & 1) !== 0) r[d + l] = f(r[x + l]!);
  };
}

function binaryI(file: RegisterFile, f: Binary<number>, dst: Ref, a: Ref, b: Ref): Step {
  return (warp, mask) => {
    const r = file.i32;
    const d = at(dst, warp.base);
    const x = at(a, warp.base);
    const y = at(b, warp.base);
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) if ((m & 1) !== 0) r[d + l] = f(r[x + l]!, r[y + l]!);
  };
}

function ternaryI(file: RegisterFile, f: Ternary<number>, dst: Ref, a: Ref, b: Ref, c: Ref): Step {
  return (warp, mask) => {
    const r = file.i32;
    const d = at(dst, warp.base);
    const x = at(a, warp.base);
    const y = at(b, warp.base);
    const z = at(c, warp.base);
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) if ((m & 1) !== 0) r[d + l] = f(r[x + l]!, r[y + l]!, r[z + l]!);
  };
}

function unaryF(file: RegisterFile, f: Unary<number>, dst: Ref, a: Ref): Step {
  return (warp, mask) => {
    const r = file.f32;
    const d = at(dst, warp.base);
    const x = at(a, warp.base);
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) if ((m & 1) !== 0) r[d + l] = f(r[x + l]!);
  };
}

function binaryF(file: RegisterFile, f: Binary<number>, dst: Ref, a: Ref, b: Ref): Step {
  return (warp, mask) => {
    const r = file.f32;
    const d = at(dst, warp.base);
    const x = at(a, warp.base);
    const y = at(b, warp.base);
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) if ((m & 1) !== 0) r[d + l] = f(r[x + l]!, r[y + l]!);
  };
}

function ternaryF(file: RegisterFile, f: Ternary<number>, dst: Ref, a: Ref, b: Ref, c: Ref): Step {
  return (warp, mask) => {
    const r = file.f32;
    const d = at(dst, warp.base);
    const x = at(a, warp.base);
    const y = at(b, warp.base);
    const z = at(c, warp.base);
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) if ((m & 1) !== 0) r[d + l] = f(r[x + l]!, r[y + l]!, r[z + l]!);
  };
}

function binaryD(file: RegisterFile, f: Binary<number>, dst: Ref, a: Ref, b: Ref): Step {
  return (warp, mask) => {
    const r = file.f64;
    const d = at(dst, warp.base) >>> 1;
    const x = at(a, warp.base) >>> 1;
    const y = at(b, warp.base) >>> 1;
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) if ((m & 1) !== 0) r[d + l] = f(r[x + l]!, r[y + l]!);
  };
}

function ternaryD(file: RegisterFile, f: Ternary<number>, dst: Ref, a: Ref, b: Ref, c: Ref): Step {
  return (warp, mask) => {
    const r = file.f64;
    const d = at(dst, warp.base) >>> 1;
    const x = at(a, warp.base) >>> 1;
    const y = at(b, warp.base) >>> 1;
    const z = at(c, warp.base) >>> 1;
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) if ((m & 1) !== 0) r[d + l] = f(r[x + l]!, r[y + l]!, r[z + l]!);
  };
}

function binaryL(file: RegisterFile, f: Binary<bigint>, dst: Ref, a: Ref, b: Ref): Step {
  return (warp, mask) => {
    const r = file.i64;
    const d = at(dst, warp.base) >>> 1;
    const x = at(a, warp.base) >>> 1;
    const y = at(b, warp.base) >>> 1;
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) if ((m & 1) !== 0) r[d + l] = f(r[x + l]!, r[y + l]!);
  };
}

function reader(file: RegisterFile, kind: string, ref: Ref): (base: number, lane: number) => number | bigint {
  switch (kind) {
    case 'f':
      return (base, lane) => file.f32[at(ref, base) + lane]!;
    case 'd':
      return (base, lane) => file.f64[(at(ref, base) >>> 1) + lane]!;
    case 'l':
      return (base, lane) => file.i64[(at(ref, base) >>> 1) + lane]!;
    default:
      return (base, lane) => file.i32[at(ref, base) + lane * ref.words]!;
  }
}

/** Stores a value of a class into a register, extending to 64 bits where the register is wider (i only). */
function writer(
  file: RegisterFile,
  kind: string,
  ref: Ref,
): (base: number, lane: number, value: number | bigint) => void {
  switch (kind) {
    case 'f':
      return (base, lane, value) => {
        file.f32[at(ref, base) + lane] = value as number;
      };
    case 'd':
      return (base, lane, value) => {
        file.f64[(at(ref, base) >>> 1) + lane] = value as number;
      };
    case 'l':
      return (base, lane, value) => {
        file.i64[(at(ref, base) >>> 1) + lane] = value as bigint;
      };
    default:
      return (base, lane, value) => {
        file.i32[at(ref, base) + lane * ref.words] = value as number;
      };
  }
}

function anyClasses(file: RegisterFile, signature: string, f: AnyLaneFunction, dst: Ref, src: readonly Ref[]): Step {
  const call = f as unknown as (...values: (number | bigint)[]) => number | bigint;
  const write = writer(file, signature[0]!, dst);
  const readers = src.map((ref, i) => reader(file, signature[i + 2]!, ref));
  return (warp, mask) => {
    const { base } = warp;
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      write(base, l, call(...readers.map((read) => read(base, l))));
    }
  };
}
