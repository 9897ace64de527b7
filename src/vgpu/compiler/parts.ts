/**
 * The scalar twins of vector regions, translated when threads first need one: most launches of most kernels never do.
 * Each is a module of its own, sharing frames and access sites with the vector code; that calls it through a table whose
 * entry at first asks the host for the part.
 */
import { emitRegion } from './scalar/region.ts';
import type { SyncPoints } from './syncpoints.ts';
import { Unit } from './unit.ts';
import type { FunctionBuilder } from './wasm/encoder.ts';
import { compileModule, type WasmModule } from './wasm/engine.ts';

/** A scalar region as a module that exports `region`. */
export interface Part {
  readonly module: WasmModule;
  readonly imports: Readonly<Record<string, unknown>>;
}

export class Parts {
  /** Calls a part by the table, for code of the unit; by number. */
  readonly calls: FunctionBuilder[] = [];
  private readonly entries: { readonly block: number; readonly fresh: boolean }[] = [];
  private readonly numbers = new Map<string, number>();
  private readonly made: (Part | undefined)[] = [];

  constructor(
    private readonly unit: Unit,
    private readonly points: SyncPoints,
    /** Index in the table of part 0. */
    private readonly tableBase: number,
  ) {}

  /** The number of the part that begins at a block. `fresh`: its threads have not run before. */
  number(block: number, fresh: boolean): number {
    const key = `${block}/${fresh}`;
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    const number = this.entries.length;
    this.entries.push({ block, fresh });
    this.numbers.set(key, number);
    const { wasm } = this.unit;
    const code = wasm.function(`part${block}`, ['i32', 'i32'], ['i32']);
    this.calls.push(code);
    code
      .get(0)
      .get(1)
      .i32(this.tableBase + number)
      .callIndirect(wasm.type(['i32', 'i32'], ['i32']));
    return number;
  }

  /** The table's first entry for each part: has it made, then calls it. */
  stubs(): FunctionBuilder[] {
    return this.entries.map(({ block }, number) => {
      const code = this.unit.wasm.function(`make${block}`, ['i32', 'i32'], ['i32']);
      code.i32(number).call(this.unit.part).get(0).get(1).call(this.calls[number]!);
      return code;
    });
  }

  /** Gives all registers that parts load or save their places: the frames' size must be known before one is made. */
  reserveFrames(): void {
    const { unit } = this;
    const reserve = (id: number): void => {
      if (unit.facts.uniform[id] === 0) unit.frames.slot(id, unit.slotBytes(id));
    };
    for (const { saved } of this.points.points) for (const id of saved) unit.frames.slot(id, unit.slotBytes(id));
    for (const { block } of this.entries) for (const id of unit.live[block]!.items()) reserve(id);
  }

  get count(): number {
    return this.entries.length;
  }

  tableIndex(number: number): number {
    return this.tableBase + number;
  }

  /** Translates a part, once. */
  part(number: number): Part {
    const known = this.made[number];
    if (known) return known;
    const { block, fresh } = this.entries[number]!;
    const unit = new Unit(this.unit.module, this.unit, this.unit.options, this.unit);
    unit.importMemory();
    unit.wasm.exportFunction('region', emitRegion(unit, this.points, block, fresh));
    const part = { module: compileModule(unit.wasm.finish()), imports: unit.imports };
    this.made[number] = part;
    return part;
  }
}
