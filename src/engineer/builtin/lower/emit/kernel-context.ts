/**
 * What every kernel of a candidate shares while it is written: names of variables, pointers, reads and stores, and which
 * device helper functions the file needs.
 */
import type { Group } from '../groups.ts';
import type { Program, ProgramValue } from '../program.ts';
import { type ComputeType, literal, storage } from '../scalar.ts';
import { type Affine, product, refineAffine } from '../strides.ts';

/** Shared memory that a kernel may declare, and that a launch may ask for without the kernel having been allowed more, bytes. */
export const STATIC_SHARED = 48 * 1024;

/** A buffer that one launch works in, passed after the tensors. */
export interface Scratch {
  name: string;
  type: 'int' | 'float';
  elements: number;
  /** All zero when the launch begins. */
  zero: boolean;
}

/** One `__global__` function and how it is launched. */
export interface Kernel {
  name: string;
  /** Comment and definition. */
  text: string;
  /** Values passed as pointers, in order; those in `writes` are written. */
  pointers: readonly number[];
  /** For each pointer the element of the value that it points to; absent: the first. */
  offsets?: readonly number[];
  writes: readonly number[];
  grid: readonly [number, number, number];
  block: number;
  /** Shared memory that the launch asks for, beside what the kernel declares, bytes. */
  sharedBytes?: number;
  scratch?: readonly Scratch[];
  /** Blocks that wait for each other: the launch is refused where the GPU cannot hold so many at once. */
  together?: number;
}

/** Device functions and tables above the kernels, by name, in order of first use. */
export class Preamble {
  readonly #texts = new Map<string, string>();

  require(name: string, text: string): void {
    if (!this.#texts.has(name)) this.#texts.set(name, text);
  }

  /** The name under which a definition stands: the one wanted, or with a number where another text has that. */
  define(wanted: string, text: (name: string) => string): string {
    for (let n = 1; ; n++) {
      const name = n === 1 ? wanted : `${wanted}_${n}`;
      const known = this.#texts.get(`define:${name}`);
      if (known !== undefined && known !== text(name)) continue;
      this.#texts.set(`define:${name}`, text(name));
      return name;
    }
  }

  toString(): string {
    return [...this.#texts.values()].map((text) => `${text}\n\n`).join('');
  }
}

/** `Pack<T, N>`: N neighbours that move in one instruction. */
export function requirePack(preamble: Preamble): void {
  preamble.require(
    'Pack',
    `// N neighbouring elements that are read or written by one instruction.
template <typename T, int N>
struct alignas(sizeof(T) * N) Pack {
  T at[N];
};`,
  );
}

export class KernelContext {
  readonly program: Program;
  readonly preamble: Preamble;
  readonly group: Group;
  /** Type of indices: int unless a tensor has 2^31 elements or more. */
  readonly indexType: 'int' | 'long long';
  readonly #pointers = new Set<number>();

  constructor(program: Program, group: Group, preamble: Preamble) {
    this.program = program;
    this.group = group;
    this.preamble = preamble;
    const { dimensions } = group.structure;
    const size = (folded: boolean) =>
      product(dimensions.map((dimension) => (dimension.folded === folded ? dimension.size : 1)));
    // Rows and columns are counted apart; virtual values (products, windows) are nowhere.
    const virtual = new Set(program.steps.flatMap((step) => (step.kind === 'map' && step.virtual ? [step.out] : [])));
    const tensors = program.values.filter(({ id }) => !virtual.has(id)).map(({ shape }) => product(shape));
    const largest = Math.max(size(true), size(false), ...tensors);
    this.indexType = largest < 2 ** 31 - 2 ** 16 ? 'int' : 'long long';
  }

  value(id: number): ProgramValue {
    return this.program.values[id]!;
  }

  computeType(id: number): ComputeType {
    return storage[this.value(id).dtype].compute;
  }

  /** The local variable that holds an element, or a row's value, of this value. */
  variable(id: number): string {
    return `${this.value(id).name}_v`;
  }

  /** An access over a step's shape, restated over the group's dimensions. */
  refine(shape: readonly number[], access: Affine): Affine {
    return refineAffine(
      shape,
      access,
      this.group.structure.dimensions.map((dimension) => dimension.size),
    );
  }

  /** C++ that reads one element. Tables of one element are literals. */
  read(id: number, index: string): string {
    const value = this.value(id);
    if (value.origin.kind === 'table') {
      const { values } = value.origin;
      if (values.length === 1) return literal(values[0]!, this.computeType(id));
      return `${this.#tableName(value, values)}[${index}]`;
    }
    this.#pointers.add(id);
    return storage[value.dtype].load(`${value.name}[${index}]`);
  }

  /** Whether a value lives in memory that packs may be read from. */
  isMemory(id: number): boolean {
    return this.value(id).origin.kind !== 'table';
  }

  /** Names a value as one that the kernel reads through its pointer. */
  usePointer(id: number): void {
    this.#pointers.add(id);
  }

  /** Parameter list, reads first, as they are met in the code; and the values in that order. */
  parameters(stored: readonly number[]): { text: string; pointers: number[] } {
    const reads = [...this.#pointers].filter((id) => !stored.includes(id));
    const declare = (id: number, isConst: boolean) => {
      const { name, dtype } = this.value(id);
      return `${isConst ? 'const ' : ''}${storage[dtype].type}* __restrict__ ${name}`;
    };
    return {
      text: [...reads.map((id) => declare(id, true)), ...stored.map((id) => declare(id, false))].join(', '),
      pointers: [...reads, ...stored],
    };
  }

  #tableName(value: ProgramValue, values: readonly number[]): string {
    const { compute, type } = storage[value.dtype];
    const elementType = compute === 'float' ? 'float' : compute === 'double' ? 'double' : type;
    const items = values.map((item) => literal(item, compute)).join(', ');
    return this.preamble.define(
      value.name,
      (name) =>
        `// A constant tensor of the task, shape [${value.shape}].\n__device__ const ${elementType} ${name}[${values.length}] = {${items}};`,
    );
  }
}
