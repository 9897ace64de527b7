/**
 * mma.sync and wmma.mma of a whole warp on registers in the frames: fragments are unpacked to f64, each 8 x 8 tile of D
 * is a sum in order of k, and is rounded once. Products of f16, bf16, tf32 and 8-bit integers are exact in f64, so a fused
 * multiply-add and a multiply followed by an add give the same; f64 needs the fused one.
 */
import type { Matrix, PtxType } from '../../ptx/ir.ts';
import { CannotCompile } from '../cannot-compile.ts';
import type { OperandSource } from '../syncpoints.ts';
import type { Unit } from '../unit.ts';
import type { FunctionBuilder, FunctionRef } from '../wasm/encoder.ts';
import { lineBytes, loadRow, storeRow, unpackColumns, unpackRows } from './convert.ts';
import { type FragmentPlan, fragmentResults, fragmentSources, planFragment } from './plan.ts';
import { WorkArea } from './work-area.ts';

export function emitProduct(unit: Unit, number: number, instruction: Matrix): FunctionBuilder {
  const { types } = instruction;
  if (types.a === 'f64' && !unit.fused) throw new CannotCompile(`'${instruction.text}'`, instruction.line);
  const a = planFragment(instruction, 'a', types.a);
  const b = planFragment(instruction, 'b', types.b);
  const c = planFragment(instruction, 'c', types.c);
  const d = planFragment(instruction, 'c', types.d);
  const sources = {
    a: fragmentSources(unit, instruction, instruction.src[0], a),
    b: fragmentSources(unit, instruction, instruction.src[1], b),
    c: fragmentSources(unit, instruction, instruction.src[2], c),
  };
  const results = fragmentResults(unit, instruction, instruction.dst[0], d);
  const [m, n, k] = instruction.shape;
  const code = unit.wasm.function(`exchange${number}`, ['i32'], []);
  // The work area begins with A by rows and B by rows.
  const rowBytes = 8 * k;
  const bStart = m * rowBytes;
  const work = new WorkArea(unit, code, 0, bStart + n * rowBytes);
  const rows = unpackRows(unit, types.a);
  for (const { chunk, source } of lastOfEach(a, sources.a)) {
    work.place(source, types.a)();
    work.push(chunk.row * rowBytes + 8 * chunk.column);
    code.i32(rowBytes).call(rows);
  }
  const columns = unpackColumns(unit, types.b);
  for (const { chunk, source } of lastOfEach(b, sources.b)) {
    work.place(source, types.b)();
    work.push(bStart + chunk.column * rowBytes + 64 * chunk.row);
    code.call(columns);
  }
  // A result may take the place of an addend that a later tile reads.
  const addends = sources.c.map((source, index) => {
    const taken =
      source.kind === 'slot' &&
      results.some((slot, at) => slot === source.slot && (at !== index || types.c !== types.d));
    return taken ? work.copy(source.slot, types.c) : work.place(source, types.c);
  });
  const tile = tileProduct(unit, k, types.c, types.d, instruction.saturate);
  const addendOf = new Map(c.chunks.map((chunk) => [`${chunk.row},${chunk.column}`, chunk.register]));
  for (const chunk of d.chunks) {
    const from = addendOf.get(`${chunk.row},${chunk.column}`);
    if (from === undefined) throw new CannotCompile(`'${instruction.text}'`, instruction.line);
    work.push(chunk.row * rowBytes);
    work.push(bStart + chunk.column * rowBytes);
    addends[from]!();
    addends[c.arrangement === 'pair' ? from + 1 : from]!();
    work.pushSlot(results[chunk.register]!);
    work.pushSlot(results[d.arrangement === 'pair' ? chunk.register + 1 : chunk.register]!);
    code.call(tile);
  }
  return code;
}

/** wmma's fragments of halves hold each element twice; as in the interpreter, the last one counts. */
function lastOfEach(
  plan: FragmentPlan,
  sources: readonly OperandSource[],
): { chunk: FragmentPlan['chunks'][number]; source: OperandSource }[] {
  const found = new Map<string, { chunk: FragmentPlan['chunks'][number]; source: OperandSource }>();
  for (const chunk of plan.chunks)
    found.set(`${chunk.row},${chunk.column}`, { chunk, source: sources[chunk.register]! });
  return [...found.values()];
}

/** tile(a, b, c0, c1, d0, d1): d = a * b + c for 8 rows and 8 columns; a and b in the work area, c and d registers. */
function tileProduct(unit: Unit, k: number, c: PtxType, d: PtxType, saturate: boolean): FunctionRef {
  const name = `matrix.tile.${k}.${c}.${d}${saturate ? '.sat' : ''}`;
  return unit.helper(name, ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], [], (code) => {
    const [a, b, c0, c1, d0, d1] = [0, 1, 2, 3, 4, 5];
    const count = code.local('i32');
    const line = [code.local('i32'), code.local('i32')] as const;
    const scratch = Array.from({ length: 8 }, () => code.local('v128'));
    const accumulators = [0, 1].map(() => Array.from({ length: 4 }, () => code.local('v128')));
    const columns = Array.from({ length: 4 }, () => code.local('v128'));
    const value = code.local('v128');
    const loop = code.loop();
    const lines = (row: number, type: PtxType, first: number, second: number): void => {
      for (const [index, pointer] of [first, second].entries())
        code
          .get(pointer)
          .i32(row * lineBytes(type))
          .op('i32.add')
          .set(line[index]!);
    };
    for (const row of [0, 1]) {
      lines(row, c, c0, c1);
      loadRow(code, c, line, scratch, accumulators[row]!);
    }
    for (let step = 0; step < k; step++) {
      columns.forEach((local, index) => {
        code
          .get(b)
          .memory('v128.load', 64 * step + 16 * index, 3)
          .set(local);
      });
      for (const row of [0, 1]) {
        code
          .get(a)
          .memory('v128.load64_splat', 8 * (row * k + step))
          .set(value);
        for (const [index, sum] of accumulators[row]!.entries()) {
          if (unit.fused) code.get(value).get(columns[index]!).get(sum).op('f64x2.relaxed_madd').set(sum);
          else code.get(value).get(columns[index]!).op('f64x2.mul').get(sum).op('f64x2.add').set(sum);
        }
      }
    }
    for (const row of [0, 1]) {
      lines(row, d, d0, d1);
      storeRow(code, d, saturate, line, scratch, accumulators[row]!);
    }
    for (const [pointer, bytes] of [
      [a, 16 * k],
      [c0, 2 * lineBytes(c)],
      [c1, 2 * lineBytes(c)],
      [d0, 2 * lineBytes(d)],
      [d1, 2 * lineBytes(d)],
    ] as const)
      code.get(pointer).i32(bytes).op('i32.add').set(pointer);
    code.get(count).i32(1).op('i32.add').tee(count).i32(4).op('i32.lt_u').brIf(loop).end();
  });
}
