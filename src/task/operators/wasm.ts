/**
 * A small assembler for WebAssembly modules: the binary format of the core specification (5.4) and the SIMD proposal, as far as the loops of
 * this room need it. The modules are put together from their opcodes because they are this small.
 */

/** Bytes of code. */
export type Code = readonly number[];

/** A whole number in LEB128, unsigned. */
export function leb(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >>> 7)];
}

/** A whole number in LEB128, signed, not negative. */
function signedLeb(value: number): number[] {
  return value < 64 ? [value] : [(value & 127) | 128, ...signedLeb(value >>> 7)];
}

const vector = (items: readonly Code[]) => [...leb(items.length), ...items.flat()];
const section = (id: number, content: Code) => [id, ...leb(content.length), ...content];
const name = (text: string) => [...leb(text.length), ...Buffer.from(text)];

const I32 = 0x7f;
const V128 = 0x7b;

export const get = (local: number) => [0x20, ...leb(local)];
export const set = (local: number) => [0x21, ...leb(local)];
/** An i32 constant that is not negative. */
export const i32 = (value: number) => [0x41, ...signedLeb(value)];
export const [addI32, subtractI32, multiplyI32, shiftRightI32, lessI32] = [[0x6a], [0x6b], [0x6c], [0x76], [0x49]];
/** A loop whose body branches back with {@link again}. */
export const loop = (...body: Code[]) => [0x03, 0x40, ...body.flat(), 0x0b];
/** A block, for leaving a loop in it with {@link branchIf}. */
export const block = (...body: Code[]) => [0x02, 0x40, ...body.flat(), 0x0b];
/** Goes to the `depth`-th label outwards if the i32 on the stack is not 0: back to a loop's start, past a block's end. */
export const branchIf = (depth: number) => [0x0d, depth];
export const branch = (depth: number) => [0x0c, depth];

const simd = (opcode: number) => [0xfd, ...leb(opcode)];
export const load = (offset: number) => [...simd(0x00), 2, ...leb(offset)];
export const store = (offset: number) => [...simd(0x0b), 2, ...leb(offset)];
/** Stores the low 64 bits of a vector. */
export const storeLow = (offset: number) => [...simd(0x5b), 2, ...leb(offset), 0];
export const splat32 = (offset: number) => [...simd(0x09), 2, ...leb(offset)];
export const splat64 = (offset: number) => [...simd(0x0a), 2, ...leb(offset)];
export const zeros = [...simd(0x0c), ...new Array<number>(16).fill(0)];
export const [addF64, multiplyF64, addF32, multiplyF32] = [simd(0xf0), simd(0xf2), simd(0xe4), simd(0xe6)];
/** The two low float32 of a vector as two float64, and back with rounding. */
export const [promote, demote] = [simd(0x5f), simd(0x5e)];

export interface WasmFunction {
  name: string;
  /** All parameters are i32, and nothing is returned. */
  parameters: number;
  /** Locals after the parameters: first the i32 ones, then the vectors. All start as 0. */
  integers: number;
  vectors: number;
  code: Code;
}

/** What is used of the WebAssembly JavaScript interface; the compiler's libraries here do not declare it. */
interface Api {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: Record<string, unknown> };
}

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/** Compiles functions that share one memory of `pages` (of 64 KiB) to begin with. */
export function compile<Name extends string>(
  functions: readonly (WasmFunction & { name: Name })[],
  pages: number,
): { memory: WasmMemory } & Record<Name, (...parameters: number[]) => void> {
  const bodies = functions.map(({ integers, vectors, code }) => {
    const locals = [...(integers > 0 ? [[integers, I32]] : []), ...(vectors > 0 ? [[vectors, V128]] : [])];
    const body = [...vector(locals), ...code, 0x0b];
    return [...leb(body.length), ...body];
  });
  const bytes = Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(
      1,
      vector(functions.map(({ parameters }) => [0x60, parameters, ...new Array<number>(parameters).fill(I32), 0])),
    ),
    ...section(3, vector(functions.map((_, i) => [i]))),
    ...section(5, vector([[0, ...leb(pages)]])),
    ...section(7, vector([...functions.map((one, i) => [...name(one.name), 0, i]), [...name('memory'), 2, 0]])),
    ...section(10, vector(bodies)),
  ]);
  const api = (globalThis as unknown as { WebAssembly: Api }).WebAssembly;
  return new api.Instance(new api.Module(bytes)).exports as { memory: WasmMemory } & Record<
    Name,
    (...parameters: number[]) => void
  >;
}
