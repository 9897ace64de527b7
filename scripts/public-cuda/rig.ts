/** What a drive uses: buffers on a virtual GPU, launches with all checks, comparisons with float64 arithmetic. */
import type { Dim3, LaunchReport, LoadedModule } from '../../src/vgpu/index.ts';
import { VirtualGpu } from '../../src/vgpu/index.ts';

/** Kernels of one file and how to run them. */
export interface FileDrives {
  /** Path in the checkout. */
  readonly file: string;
  /** Text after the file's own: what makes templates and static kernels come out. */
  readonly append?: string;
  readonly flags?: readonly string[];
  /** The file's own floating-point type, where it is not float: {@link Rig.giveX} and its like use it. */
  readonly precision?: 'bf16';
  /** What is really wrong with the kernels as published, by the name of the drive. */
  readonly faults?: Readonly<Record<string, KnownFault>>;
  /** By the name to show; each throws when an answer is wrong. */
  readonly drives: Readonly<Record<string, (rig: Rig) => void>>;
}

/** A fault that the kernel has as published: the drive must find it; a wrong answer is then no surprise. */
export interface KnownFault {
  /** What the finding's kind and message must hold. */
  readonly finding: RegExp;
  readonly why: string;
}

/** The answer is not what float64 arithmetic gives. */
export class WrongAnswer extends Error {}
/** The virtual GPU reported something in a kernel that is taken to be right. */
export class Accused extends Error {}

type Numbers = ArrayLike<number>;
type Typed = Float32Array | Float64Array | Int32Array | Uint32Array | Uint16Array | Uint8Array | BigUint64Array;

/** A buffer of device memory. */
export interface Buffer {
  readonly pointer: bigint;
  readonly bytes: number;
}

/** What a kernel takes: a buffer, a number in the form that the parameter has, or the bytes of a struct. */
export type Argument = Buffer | number | bigint | Uint8Array;

export interface LaunchOptions {
  readonly shared?: number;
  /** Part of the mangled name, to choose between instances. */
  readonly instance?: string;
}

export class Rig {
  readonly gpu = new VirtualGpu({ memoryBytes: 256 << 20 });
  readonly module: LoadedModule;
  /** How many numbers were compared. */
  compared = 0;
  readonly executors = new Set<string>();
  printed = '';
  /** The known fault was reported. */
  faultSeen = false;
  readonly #precision: 'f32' | 'bf16';
  readonly #fault: KnownFault | undefined;
  #seed = 12345;

  constructor(ptx: string, drives: FileDrives, drive: string) {
    this.module = this.gpu.load(ptx, { name: drives.file });
    this.#precision = drives.precision ?? 'f32';
    this.#fault = drives.faults?.[drive];
  }

  /** Numbers in [low, high) that the file's own type has, the same in every run. */
  random(count: number, low = -1, high = 1): Float32Array {
    const values = Float32Array.from({ length: count }, () => low + (high - low) * this.#next());
    return this.#precision === 'f32' ? values : fromBf16(toBf16(values));
  }

  /** Numbers rounded to the file's own type. */
  roundX(values: ArrayLike<number>): Float32Array {
    const rounded = Float32Array.from(values);
    return this.#precision === 'f32' ? rounded : fromBf16(toBf16(rounded));
  }

  /** A buffer that holds these numbers in the file's own type. */
  giveX(values: Float32Array): Buffer {
    return this.give(this.#precision === 'f32' ? values : toBf16(values));
  }

  /** A buffer for numbers of the file's own type. */
  roomX(count: number): Buffer {
    return this.room(count * this.#bytesX);
  }

  /** Zeros of the file's own type. */
  zerosX(count: number): Buffer {
    return this.zeros(count * this.#bytesX);
  }

  /** The numbers of a buffer of the file's own type. */
  x(buffer: Buffer): Float32Array {
    if (this.#precision === 'f32') return this.f32(buffer);
    return fromBf16(new Uint16Array(this.gpu.read(buffer.pointer, buffer.bytes).buffer));
  }

  /** How many numbers of the file's own type 16 bytes hold. */
  get perVector(): number {
    return 16 / this.#bytesX;
  }

  get #bytesX(): number {
    return this.#precision === 'f32' ? 4 : 2;
  }

  /** Whole numbers in [low, high). */
  integers(count: number, low: number, high: number): Int32Array {
    return Int32Array.from({ length: count }, () => Math.floor(low + (high - low) * this.#next()));
  }

  #next(): number {
    this.#seed = (Math.imul(this.#seed, 1664525) + 1013904223) >>> 0;
    return this.#seed / 2 ** 32;
  }

  /** A buffer that holds these numbers. */
  give(values: Typed): Buffer {
    const buffer = this.room(values.byteLength);
    this.gpu.write(buffer.pointer, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    return buffer;
  }

  /** Sets a variable of the module. */
  constant(name: string, values: Typed): void {
    const found = this.gpu.global(this.module, name);
    if (found === undefined) throw new Error(`the module has no variable ${name}`);
    this.gpu.write(found.pointer, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }

  /** A buffer with undefined content. */
  room(bytes: number): Buffer {
    const pointer = this.gpu.allocate(bytes);
    this.gpu.poison(pointer, bytes);
    return { pointer, bytes };
  }

  /** A buffer of zeros. */
  zeros(bytes: number): Buffer {
    return this.give(new Uint8Array(bytes));
  }

  f32(buffer: Buffer): Float32Array {
    return new Float32Array(this.gpu.read(buffer.pointer, buffer.bytes).buffer);
  }
  f64(buffer: Buffer): Float64Array {
    return new Float64Array(this.gpu.read(buffer.pointer, buffer.bytes).buffer);
  }
  i32(buffer: Buffer): Int32Array {
    return new Int32Array(this.gpu.read(buffer.pointer, buffer.bytes).buffer);
  }
  u32(buffer: Buffer): Uint32Array {
    return new Uint32Array(this.gpu.read(buffer.pointer, buffer.bytes).buffer);
  }
  u8(buffer: Buffer): Uint8Array {
    return this.gpu.read(buffer.pointer, buffer.bytes);
  }

  /** The mangled name of a kernel, by its name in the source. */
  entry(name: string, instance = ''): string {
    const names = [...this.module.ptx.functions.values()].filter(({ entry }) => entry).map((fn) => fn.name);
    const encoded = `${name.length}${name}`;
    const found = names.filter((each) => {
      if (each === name) return true;
      const at = each.indexOf(encoded);
      return at >= 0 && !/\d/.test(each[at - 1] ?? '') && each.includes(instance);
    });
    if (found.length !== 1)
      throw new Error(`${found.length} kernels are called ${name}${instance}: the module has ${names.join(', ')}`);
    return found[0]!;
  }

  /** Runs a kernel with all checks and the race detector; whatever they find is thrown as {@link Accused}. */
  launch(name: string, grid: Size, block: Size, args: readonly Argument[], options: LaunchOptions = {}): LaunchReport {
    const entry = this.entry(name, options.instance);
    const { params } = this.module.ptx.functions.get(entry)!;
    if (params.length !== args.length) throw new Error(`${name} takes ${params.length} arguments, not ${args.length}`);
    const report = this.gpu.launch(this.module, entry, {
      grid: three(grid),
      block: three(block),
      dynamicSharedBytes: options.shared ?? 0,
      arguments: params.map((parameter, index) => {
        if (parameter.kind !== 'variable') throw new Error(`parameter ${index} of ${name} is no variable`);
        return encode(args[index]!, parameter.variable.type, parameter.variable.bytes);
      }),
      races: true,
      stopAtFault: this.#fault === undefined,
    });
    this.executors.add(report.executor);
    this.printed += report.printed;
    const known = report.findings.filter(({ kind, message }) => this.#fault?.finding.test(`${kind}: ${message}`));
    if (known.length > 0) this.faultSeen = true;
    const [first] = report.findings.filter((finding) => !known.includes(finding));
    if (first) {
      const where = first.source ? ` (line ${first.source.line})` : '';
      throw new Accused(`${name}: ${first.kind}${where}: ${first.message} [${report.executor}]`);
    }
    if (!report.completed) throw new Accused(`${name} did not complete`);
    return report;
  }

  /** As {@link close}, for numbers that were rounded to the file's own type, up to `roundings` times. */
  closeX(
    what: string,
    got: Numbers,
    expected: Numbers,
    near = { relative: 1e-5, absolute: 1e-6 },
    roundings = 1,
  ): void {
    const unit = this.#precision === 'f32' ? 0 : roundings * 2 ** -8;
    const absolute = Math.max(near.absolute, unit / 4);
    this.close(what, got, expected, { relative: near.relative + unit, absolute });
  }

  /** Each number within `relative` of the expected one's size, or within `absolute`. */
  close(what: string, got: Numbers, expected: Numbers, { relative = 1e-5, absolute = 1e-6 } = {}): void {
    if (got.length !== expected.length)
      throw new WrongAnswer(`${what}: ${got.length} numbers instead of ${expected.length}`);
    for (let i = 0; i < got.length; i++) {
      const allowed = Math.max(absolute, relative * Math.abs(expected[i]!));
      if (got[i] !== expected[i] && !(Math.abs(got[i]! - expected[i]!) <= allowed))
        throw new WrongAnswer(`${what}[${i}] is ${got[i]}, not ${expected[i]}`);
    }
    this.compared += got.length;
  }

  /** Exactly the same. */
  same(what: string, got: Numbers, expected: Numbers): void {
    this.close(what, got, expected, { relative: 0, absolute: 0 });
  }
}

/** The nearest bfloat16s, ties to even. */
function toBf16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, (each) => (each + 0x7fff + ((each >>> 16) & 1)) >>> 16);
}

function fromBf16(values: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(values, (each) => each << 16).buffer);
}

export type Size = number | readonly [number, number] | Dim3;

function three(size: Size): Dim3 {
  return typeof size === 'number' ? [size, 1, 1] : [size[0], size[1], size[2] ?? 1];
}

function encode(value: Argument, type: string, bytes: number): Uint8Array {
  if (value instanceof Uint8Array) return value;
  const out = new Uint8Array(bytes);
  const view = new DataView(out.buffer);
  if (typeof value === 'object' || typeof value === 'bigint')
    view.setBigUint64(0, typeof value === 'object' ? value.pointer : BigInt.asUintN(64, value), true);
  else if (type === 'f32') view.setFloat32(0, value, true);
  else if (type === 'f64') view.setFloat64(0, value, true);
  else if (bytes === 8) view.setBigInt64(0, BigInt(value), true);
  else if (bytes === 4) view.setUint32(0, value >>> 0, true);
  else if (bytes === 2) view.setUint16(0, value & 0xffff, true);
  else if (bytes === 1) view.setUint8(0, value & 0xff);
  else throw new Error(`a number for a parameter of ${bytes} bytes`);
  return out;
}

/** Blocks of `size` that cover `count`. */
export const blocksFor = (count: number, size: number): number => Math.ceil(count / size);

/** `count` numbers from a rule of their index, in float64. */
export const table = (count: number, rule: (index: number) => number): Float64Array =>
  Float64Array.from({ length: count }, (_, index) => rule(index));

/** The sum of a rule over `count` indices, in float64. */
export function sum(count: number, rule: (index: number) => number): number {
  let total = 0;
  for (let i = 0; i < count; i++) total += rule(i);
  return total;
}
