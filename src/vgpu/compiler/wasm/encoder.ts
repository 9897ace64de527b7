/**
 * A WebAssembly binary encoder: modules, functions, and a builder of code that keeps track of label depths.
 * Own code, not a package, because translation must cost well under a millisecond a kernel and optimisation is
 * V8's work, not ours.
 */
import { ByteBuffer } from './bytes.ts';
import { alignmentOf, encodingOf, type LaneOp, type MemoryLaneOp, type MemoryOp, type PlainOp } from './opcodes.ts';

export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';

const TYPE_CODE: Readonly<Record<ValueType, number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };

/** A place that `br` can name: made by block, loop and if. */
export interface Label {
  readonly depth: number;
}

/** A function of the module, its own or imported. Its index is settled when the module is finished. */
export interface FunctionRef {
  index: number;
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** The body of one function. Instructions are appended; `end` closes block, loop, if, and is implied at the very end. */
export class FunctionBuilder implements FunctionRef {
  readonly code = new ByteBuffer(256);
  /** Where calls name a function whose index is not known yet. */
  private readonly calls: { at: number; target: FunctionRef }[] = [];
  private readonly localTypes: ValueType[] = [];
  /** Where code is entered rarely, from the start of `code`. */
  private readonly rare: number[] = [];
  private depth = 0;
  index = -1;

  constructor(
    readonly typeIndex: number,
    readonly params: readonly ValueType[],
    readonly results: readonly ValueType[],
    readonly name: string,
  ) {}

  /** A new zero-initialised local; its index is returned. */
  local(type: ValueType): number {
    this.localTypes.push(type);
    return this.params.length + this.localTypes.length - 1;
  }

  get localCount(): number {
    return this.localTypes.length;
  }

  op(name: PlainOp): this {
    this.code.append(encodingOf(name));
    return this;
  }

  get(local: number): this {
    this.code.byte(0x20);
    this.code.u32(local);
    return this;
  }

  set(local: number): this {
    this.code.byte(0x21);
    this.code.u32(local);
    return this;
  }

  tee(local: number): this {
    this.code.byte(0x22);
    this.code.u32(local);
    return this;
  }

  globalGet(index: number): this {
    this.code.byte(0x23);
    this.code.u32(index);
    return this;
  }

  globalSet(index: number): this {
    this.code.byte(0x24);
    this.code.u32(index);
    return this;
  }

  i32(value: number): this {
    this.code.byte(0x41);
    this.code.s32(value | 0);
    return this;
  }

  i64(value: bigint): this {
    this.code.byte(0x42);
    this.code.s64(BigInt.asIntN(64, value));
    return this;
  }

  f32(value: number): this {
    this.code.byte(0x43);
    this.code.f32(value);
    return this;
  }

  f64(value: number): this {
    this.code.byte(0x44);
    this.code.f64(value);
    return this;
  }

  /** A v128 of four equal 32-bit words. */
  splat32(word: number): this {
    return this.v128([word, word, word, word]);
  }

  /** A v128 from four 32-bit words, lane 0 first. */
  v128(words: readonly number[]): this {
    this.code.append([0xfd, 0x0c]);
    for (const word of words) for (let shift = 0; shift < 32; shift += 8) this.code.byte((word >>> shift) & 0xff);
    return this;
  }

  /** i8x16.shuffle with sixteen byte indices (0-31). */
  shuffle(indices: readonly number[]): this {
    this.code.append([0xfd, 0x0d]);
    this.code.append(indices);
    return this;
  }

  /** i8x16.shuffle moving 32-bit lanes: four indices 0-7 over the two operands. */
  shuffle32(lanes: readonly number[]): this {
    return this.shuffle(lanes.flatMap((lane) => [4 * lane, 4 * lane + 1, 4 * lane + 2, 4 * lane + 3]));
  }

  lane(name: LaneOp, lane: number): this {
    this.code.append(encodingOf(name));
    this.code.byte(lane);
    return this;
  }

  memory(name: MemoryOp, offset = 0, alignment = alignmentOf(name)): this {
    this.code.append(encodingOf(name));
    this.code.u32(alignment);
    this.code.u32(offset);
    return this;
  }

  memoryLane(name: MemoryLaneOp, lane: number, offset = 0): this {
    this.code.append(encodingOf(name));
    this.code.u32(alignmentOf(name));
    this.code.u32(offset);
    this.code.byte(lane);
    return this;
  }

  /** memory.fill: address, byte, length on the stack. */
  memoryFill(): this {
    this.code.append([0xfc, 0x0b, 0x00]);
    return this;
  }

  /** memory.copy: destination, source, length on the stack. */
  memoryCopy(): this {
    this.code.append([0xfc, 0x0a, 0x00, 0x00]);
    return this;
  }

  call(target: FunctionRef): this {
    this.code.byte(0x10);
    this.calls.push({ at: this.code.length, target });
    this.code.append([0x80, 0x80, 0x80, 0x80, 0x00]);
    return this;
  }

  /** call_indirect through table 0. */
  callIndirect(typeIndex: number): this {
    this.code.byte(0x11);
    this.code.u32(typeIndex);
    this.code.byte(0);
    return this;
  }

  private open(opcode: number, result?: ValueType): Label {
    this.code.byte(opcode);
    this.code.byte(result ? TYPE_CODE[result] : 0x40);
    this.depth++;
    return { depth: this.depth };
  }

  block(result?: ValueType): Label {
    return this.open(0x02, result);
  }

  loop(result?: ValueType): Label {
    return this.open(0x03, result);
  }

  if(result?: ValueType): Label {
    return this.open(0x04, result);
  }

  /** An `if` that is hardly ever entered: the engine keeps what it costs away from the code around it. */
  rarely(result?: ValueType): Label {
    this.rare.push(this.code.length);
    return this.open(0x04, result);
  }

  else(): this {
    this.code.byte(0x05);
    return this;
  }

  end(): this {
    this.code.byte(0x0b);
    this.depth--;
    return this;
  }

  br(label: Label): this {
    this.code.byte(0x0c);
    this.code.u32(this.depth - label.depth);
    return this;
  }

  brIf(label: Label): this {
    this.code.byte(0x0d);
    this.code.u32(this.depth - label.depth);
    return this;
  }

  brTable(labels: readonly Label[], otherwise: Label): this {
    this.code.byte(0x0e);
    this.code.u32(labels.length);
    for (const label of labels) this.code.u32(this.depth - label.depth);
    this.code.u32(this.depth - otherwise.depth);
    return this;
  }

  /** The declarations of locals, which stand before the code. */
  private encodeLocals(): ByteBuffer {
    const head = new ByteBuffer(16);
    const runs: [count: number, type: ValueType][] = [];
    for (const type of this.localTypes) {
      const last = runs[runs.length - 1];
      if (last && last[1] === type) last[0]++;
      else runs.push([1, type]);
    }
    head.u32(runs.length);
    for (const [count, type] of runs) {
      head.u32(count);
      head.byte(TYPE_CODE[type]);
    }
    return head;
  }

  /** Appends this function's entry of the code section. */
  encode(out: ByteBuffer): void {
    for (const { at, target } of this.calls) this.code.patchU32(at, target.index);
    if (this.depth !== 0) throw new Error(`Unbalanced control structure in function '${this.name}'.`);
    const head = this.encodeLocals();
    out.u32(head.length + this.code.length + 1);
    out.append(head.bytes());
    out.append(this.code.bytes());
    out.byte(0x0b);
  }

  /** Appends this function's entry of the section of branch hints; false when it has none. */
  encodeHints(out: ByteBuffer): boolean {
    if (this.rare.length === 0) return false;
    const start = this.encodeLocals().length;
    out.u32(this.index);
    out.u32(this.rare.length);
    for (const at of this.rare) {
      out.u32(start + at);
      out.append([0x01, 0x00]);
    }
    return true;
  }
}

interface MemoryImport {
  module: string;
  name: string;
  initialPages: number;
  maximumPages: number;
  shared: boolean;
}

/** A module under construction. */
export class ModuleBuilder {
  private readonly types: string[] = [];
  private readonly typeBytes: Uint8Array[] = [];
  private readonly imports: { module: string; name: string; typeIndex: number; ref: FunctionRef }[] = [];
  private memoryImport: MemoryImport | undefined;
  private readonly functions: FunctionBuilder[] = [];
  private readonly globals: { type: ValueType; initial: bigint }[] = [];
  private readonly exports: { name: string; kind: number; item: { index: number } }[] = [];
  private elements: FunctionRef[] = [];

  /** The module's own functions. */
  get definedFunctions(): readonly FunctionBuilder[] {
    return this.functions;
  }

  /** Index of a function type, made when new. */
  type(params: readonly ValueType[], results: readonly ValueType[]): number {
    const key = `${params.join()}>${results.join()}`;
    const known = this.types.indexOf(key);
    if (known >= 0) return known;
    const bytes = new ByteBuffer(16);
    bytes.byte(0x60);
    for (const list of [params, results]) {
      bytes.u32(list.length);
      for (const type of list) bytes.byte(TYPE_CODE[type]);
    }
    this.types.push(key);
    this.typeBytes.push(bytes.bytes());
    return this.types.length - 1;
  }

  importFunction(
    module: string,
    name: string,
    params: readonly ValueType[],
    results: readonly ValueType[],
  ): FunctionRef {
    const ref: FunctionRef = { index: this.imports.length, params, results };
    this.imports.push({ module, name, typeIndex: this.type(params, results), ref });
    return ref;
  }

  importMemory(memory: MemoryImport): void {
    this.memoryImport = memory;
  }

  /** A mutable global (i32 or i64); its index. */
  global(type: 'i32' | 'i64', initial = 0n): number {
    this.globals.push({ type, initial });
    return this.globals.length - 1;
  }

  function(name: string, params: readonly ValueType[], results: readonly ValueType[]): FunctionBuilder {
    const builder = new FunctionBuilder(this.type(params, results), params, results, name);
    this.functions.push(builder);
    return builder;
  }

  exportFunction(name: string, target: FunctionRef): void {
    this.exports.push({ name, kind: 0, item: target });
  }

  exportGlobal(name: string, index: number): void {
    this.exports.push({ name, kind: 3, item: { index } });
  }

  exportTable(name: string): void {
    this.exports.push({ name, kind: 1, item: { index: 0 } });
  }

  /** Fills table 0 (for call_indirect), from index 0. */
  table(entries: readonly FunctionRef[]): void {
    this.elements = [...entries];
  }

  /** The name section's function names: for profiles and stack traces. */
  private encodeNames(body: ByteBuffer): void {
    const names = new ByteBuffer(1024);
    names.u32(this.functions.length);
    for (const item of this.functions) {
      names.u32(item.index);
      names.name(item.name);
    }
    body.name('name');
    body.byte(1);
    body.u32(names.length);
    body.append(names.bytes());
  }

  finish(): Uint8Array<ArrayBuffer> {
    this.functions.forEach((item, position) => {
      item.index = this.imports.length + position;
    });
    const out = new ByteBuffer(4096);
    out.append([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
    const section = (id: number, fill: (body: ByteBuffer) => void): void => {
      const body = new ByteBuffer(1024);
      fill(body);
      out.byte(id);
      out.u32(body.length);
      out.append(body.bytes());
    };
    section(1, (body) => {
      body.u32(this.typeBytes.length);
      for (const type of this.typeBytes) body.append(type);
    });
    section(2, (body) => {
      body.u32(this.imports.length + (this.memoryImport ? 1 : 0));
      for (const item of this.imports) {
        body.name(item.module);
        body.name(item.name);
        body.byte(0);
        body.u32(item.typeIndex);
      }
      if (this.memoryImport) {
        body.name(this.memoryImport.module);
        body.name(this.memoryImport.name);
        body.append([0x02, this.memoryImport.shared ? 0x03 : 0x01]);
        body.u32(this.memoryImport.initialPages);
        body.u32(this.memoryImport.maximumPages);
      }
    });
    section(3, (body) => {
      body.u32(this.functions.length);
      for (const item of this.functions) body.u32(item.typeIndex);
    });
    if (this.elements.length > 0)
      section(4, (body) => {
        body.append([0x01, 0x70, 0x00]);
        body.u32(this.elements.length);
      });
    if (this.globals.length > 0)
      section(6, (body) => {
        body.u32(this.globals.length);
        for (const item of this.globals) {
          body.append([TYPE_CODE[item.type], 0x01, item.type === 'i32' ? 0x41 : 0x42]);
          if (item.type === 'i32') body.s32(Number(BigInt.asIntN(32, item.initial)));
          else body.s64(item.initial);
          body.byte(0x0b);
        }
      });
    section(7, (body) => {
      body.u32(this.exports.length);
      for (const item of this.exports) {
        body.name(item.name);
        body.byte(item.kind);
        body.u32(item.item.index);
      }
    });
    if (this.elements.length > 0)
      section(9, (body) => {
        body.append([0x01, 0x00, 0x41, 0x00, 0x0b]);
        body.u32(this.elements.length);
        for (const item of this.elements) body.u32(item.index);
      });
    const hints = new ByteBuffer(1024);
    const hinted = this.functions.filter((item) => item.encodeHints(hints)).length;
    if (hinted > 0)
      section(0, (body) => {
        body.name('metadata.code.branch_hint');
        body.u32(hinted);
        body.append(hints.bytes());
      });
    section(10, (body) => {
      body.u32(this.functions.length);
      for (const item of this.functions) item.encode(body);
    });
    section(0, (body) => this.encodeNames(body));
    return out.bytes();
  }
}
