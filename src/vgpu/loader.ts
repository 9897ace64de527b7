/** A module made resident: its global and constant variables placed and initialised, shared memory laid out per kernel. */
import { EXTERNAL_FUNCTIONS } from './device-runtime.ts';
import { type Allocation, DeviceMemory } from './memory.ts';
import { FUNCTION_TAG, LOCAL_TAG, SHARED_TAG } from './memory-layout.ts';
import { type Instruction, type Operand, PtxError, type PtxFunction, type PtxModule, type Variable } from './ptx/ir.ts';

/**
 * Shared memory of one kernel: offsets in the block's shared area, where red zones lie between the variables. Dynamic
 * arrays (`x[]`) all start at `dynamicOffset`.
 */
export interface SharedLayout {
  readonly offsets: ReadonlyMap<Variable, number>;
  /** End of the last static variable in the area. */
  readonly staticBytes: number;
  /** Where dynamic shared memory starts in the area. */
  readonly dynamicOffset: number;
  /** What a GPU would need, without the red zones: static bytes, and where dynamic memory would start. */
  /** Shared memory that the system reserves for cooperative groups, when the kernel uses it. */
  readonly reserved: SharedRegion | undefined;
  readonly declared: { readonly staticBytes: number; readonly dynamicOffset: number };
}

/** Bytes that the system reserves in every block's shared memory (CUDA guide, compute capability 8.0 and later). */
const RESERVED_BYTES = 1024;

/** A variable's place in the shared area. */
export interface SharedRegion {
  /** As the kernel's text calls it. */
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/**
 * Between shared variables lies this much that no access may touch. A multiple of the 32 banks' 128 bytes, so that every
 * variable keeps its banks.
 */
const SHARED_RED_ZONE = 128;

/** An instruction that is not understood. A kernel that may reach it cannot be launched; the others can. */
export interface UnsupportedInstruction {
  readonly function: string;
  readonly reason: string;
  readonly line: number;
  readonly text: string;
}

export class LoadedModule {
  readonly ptx: PtxModule;
  /** Everything in the module that is not understood, in order of its lines. */
  readonly unsupported: readonly UnsupportedInstruction[];
  /** Global and const variables. */
  readonly allocations: ReadonlyMap<Variable, Allocation>;
  /** Functions by index, for addresses of functions. */
  readonly functionTable: readonly string[];
  readonly #layouts = new Map<PtxFunction, SharedLayout>();

  /** The text, for other threads to load. */
  source: { readonly ptx: string; readonly name: string | undefined } | undefined;

  /** @param place the memory to put variables into, or where they lie already */
  constructor(ptx: PtxModule, place: DeviceMemory | readonly Allocation[]) {
    this.ptx = ptx;
    this.unsupported = [...ptx.functions.values()].flatMap((fn) => unsupportedIn(ptx, fn));
    this.functionTable = [...ptx.functions.keys(), ...ptx.externals];
    const allocations = new Map<Variable, Allocation>();
    const memory = place instanceof DeviceMemory ? place : undefined;
    let placed = 0;
    const scoped = [...ptx.functions.values()].flatMap((fn) => fn.variables);
    for (const variable of [...ptx.variables, ...scoped]) {
      if (variable.space !== 'global' && variable.space !== 'const') continue;
      if (variable.linkage === 'extern') {
        throw new PtxError('an extern variable has no definition here', variable.ptxLine, variable.name);
      }
      allocations.set(
        variable,
        memory?.allocate(variable.bytes, { name: `${variable.name}`, readOnly: variable.space === 'const' }) ??
          (place as readonly Allocation[])[placed++]!,
      );
    }
    this.allocations = allocations;
    if (memory) this.resetGlobals(memory);
  }

  /** Puts every global and constant variable back to its initial content (zeros where none is given). */
  resetGlobals(memory: DeviceMemory): void {
    for (const [variable, { base, bytes }] of this.allocations) {
      if (variable.initial === undefined) memory.u8.fill(0, base, base + bytes);
      else memory.u8.set(variable.initial, base);
      for (const { offset, bytes: size, symbol, addend, shift } of variable.relocations) {
        const value = (this.#symbolAddress(symbol, variable) + BigInt(addend)) >> BigInt(shift);
        for (let i = 0; i < size; i++) memory.u8[base + offset + i] = Number((value >> BigInt(8 * i)) & 0xffn);
      }
      memory.markInitialised(base, bytes, true);
    }
  }

  /** Throws a PtxError for the first instruction a kernel may reach that is not understood. */
  requireSupported(kernel: PtxFunction): void {
    if (this.unsupported.length === 0) return;
    const [first] = reachable(this.ptx, kernel).flatMap((fn) => unsupportedIn(this.ptx, fn));
    if (first !== undefined) throw new PtxError(first.reason, first.line, first.text);
  }

  #symbolAddress(symbol: string, from: Variable): bigint {
    for (const [variable, allocation] of this.allocations) if (variable.name === symbol) return allocation.address;
    const index = this.functionTable.indexOf(symbol);
    if (index >= 0) return functionAddress(index);
    throw new PtxError(
      `the initialiser names ${symbol}, which is not a global variable or function`,
      from.ptxLine,
      from.name,
    );
  }

  global(name: string): { variable: Variable; allocation: Allocation } | undefined {
    for (const [variable, allocation] of this.allocations) if (variable.name === name) return { variable, allocation };
    return undefined;
  }

  /**
   * The value of a variable's address in its own space: what `mov` gives. Local variables are relative to the frame of
   * their function, parameters to their buffer.
   */
  addressOf(kernel: PtxFunction, variable: Variable): bigint {
    switch (variable.space) {
      case 'global':
      case 'const':
        return this.allocations.get(variable)!.address;
      case 'shared':
        return BigInt(this.sharedLayout(kernel).offsets.get(variable) ?? 0);
      default:
        return BigInt(variable.offset);
    }
  }

  /** The shared memory of a kernel: the variables that it, or a function it may call, names or declares. */
  sharedLayout(kernel: PtxFunction): SharedLayout {
    const known = this.#layouts.get(kernel);
    if (known !== undefined) return known;
    const used = new Set<Variable>();
    let usesReserved = false;
    for (const fn of reachable(this.ptx, kernel)) {
      for (const variable of fn.variables) if (variable.space === 'shared') used.add(variable);
      for (const instruction of fn.instructions) {
        for (const operand of [...instruction.dst, ...instruction.src]) {
          visitVariables(operand, used);
          if (operand.kind === 'special' && operand.register === 'reserved_smem_offset_1') usesReserved = true;
        }
      }
    }
    const offsets = new Map<Variable, number>();
    let at = 0;
    let red = 0;
    let end = 0;
    /** The place of what comes next, for its alignment: on a GPU, and in the area. */
    const place = (align: number): number => {
      if (at > 0) red = alignUp(red + SHARED_RED_ZONE, Math.max(align, SHARED_RED_ZONE));
      at = alignUp(at, align);
      return at + red;
    };
    let dynamicAlign = 16;
    for (const variable of used) {
      if (variable.bytes === 0) {
        dynamicAlign = Math.max(dynamicAlign, variable.align);
        continue;
      }
      const offset = place(variable.align);
      offsets.set(variable, offset);
      at += variable.bytes;
      end = offset + variable.bytes;
    }
    const staticBytes = at;
    let reserved: SharedRegion | undefined;
    if (usesReserved) {
      const start = alignUp(end, SHARED_RED_ZONE) + SHARED_RED_ZONE;
      end = start + RESERVED_BYTES;
      red = alignUp(end - at, SHARED_RED_ZONE);
      reserved = { name: 'reserved shared memory', start, end };
    }
    const dynamicOffset = place(dynamicAlign);
    for (const variable of used) if (variable.bytes === 0) offsets.set(variable, dynamicOffset);
    const layout = { offsets, staticBytes: end, dynamicOffset, reserved, declared: { staticBytes, dynamicOffset: at } };
    this.#layouts.set(kernel, layout);
    return layout;
  }
}

function unsupportedIn(ptx: PtxModule, fn: PtxFunction): UnsupportedInstruction[] {
  return fn.instructions.flatMap((i) => {
    const reason = i.kind === 'unsupported' ? i.reason : missingCallee(ptx, i);
    return reason === undefined ? [] : [{ function: fn.name, reason, line: i.line, text: i.text }];
  });
}

function missingCallee(ptx: PtxModule, i: Instruction): string | undefined {
  const target = i.kind === 'control' ? i.call?.target : undefined;
  if (typeof target !== 'string' || ptx.functions.has(target)) return undefined;
  if (EXTERNAL_FUNCTIONS.some((name) => name === target)) return undefined;
  return `the function ${target} has no body here and is not one of the device run-time's that are supported`;
}

/** Bytes of shared memory that a block needs on a GPU. */
export function sharedBytesNeeded({ declared }: SharedLayout, dynamicBytes: number): number {
  return Math.max(declared.staticBytes, dynamicBytes > 0 ? declared.dynamicOffset + dynamicBytes : 0);
}

/** `tile` for `_ZZ4gemmPKfE4tile`, a variable of a function in the Itanium ABI's mangling, with or without a number behind it; other names as they are. */
function nameInText(symbol: string): string {
  if (!symbol.startsWith('_ZZ')) return symbol;
  for (const { index, 0: all, 1: length } of symbol.matchAll(/E(\d+)/g)) {
    const name = symbol.slice(index + all.length);
    if (/^(?:_\d*_?)?$/.test(name.slice(Number(length))) && name.length >= Number(length))
      return name.slice(0, Number(length));
  }
  return symbol;
}

/** The variables of a layout by place, and the dynamic memory of a launch. */
export function sharedRegions(layout: SharedLayout, dynamicBytes: number): readonly SharedRegion[] {
  const { offsets, dynamicOffset, reserved } = layout;
  const regions: SharedRegion[] = reserved === undefined ? [] : [reserved];
  let dynamicName = 'dynamic shared memory';
  for (const [variable, start] of offsets) {
    const { bytes } = variable;
    const name = nameInText(variable.name);
    if (bytes > 0) regions.push({ name, start, end: start + bytes });
    else dynamicName = name;
  }
  if (dynamicBytes > 0) regions.push({ name: dynamicName, start: dynamicOffset, end: dynamicOffset + dynamicBytes });
  return regions.sort((a, b) => a.start - b.start);
}

function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

function visitVariables(operand: Operand, shared: Set<Variable>): void {
  if (operand.kind === 'vector') for (const element of operand.elements) visitVariables(element, shared);
  const variable =
    operand.kind === 'symbol'
      ? operand.variable
      : operand.kind === 'address' && operand.base.kind === 'variable'
        ? operand.base.variable
        : undefined;
  if (variable?.space === 'shared') shared.add(variable);
}

/** The functions with a body that a kernel may run: by direct call, and all whose address is taken when it calls indirectly. */
export function reachable(module: PtxModule, kernel: PtxFunction): readonly PtxFunction[] {
  const found = new Set<PtxFunction>([kernel]);
  const visit = (name: string): void => {
    const fn = module.functions.get(name);
    if (fn !== undefined) found.add(fn);
  };
  for (const fn of found) {
    for (const instruction of fn.instructions) {
      for (const operand of instruction.src) if (operand.kind === 'function') visit(operand.name);
      if (instruction.kind !== 'control' || instruction.call === undefined) continue;
      const { target } = instruction.call;
      if (typeof target === 'string') visit(target);
      else for (const [name, candidate] of module.functions) if (!candidate.entry) visit(name);
    }
  }
  return [...found];
}

export function functionAddress(index: number): bigint {
  return (BigInt(FUNCTION_TAG) << 32n) | BigInt(index * 16);
}

/** The tag that `cvta` adds for a space; undefined where addresses are generic already. */
export function windowTag(space: string): number | undefined {
  return space === 'shared' ? SHARED_TAG : space === 'local' ? LOCAL_TAG : undefined;
}
