/** The end of a kernel for a matrix product: maps of each sum (bias, activation) and the stores. */
import type { Contraction, ReduceStep } from '../program.ts';
import { storage } from '../scalar.ts';
import { planEvaluation, rowMaps, valueKey, writeStep } from './elements.ts';
import type { RowPlan } from './row-kernel.ts';
import type { CodeWriter } from './writer.ts';

/**
 * What follows the product for `width` neighbours from row `m`, column `n` (both in scope), and their stores. `sum` is the C++ of a complete sum;
 * its argument is empty, or adds the neighbour's number.
 */
export function writeEpilogue(
  body: CodeWriter,
  plan: RowPlan,
  step: ReduceStep & { contraction: Contraction },
  stored: readonly number[],
  width: number,
  sum: (plus: string) => string,
): void {
  const { context, walk, accesses } = plan;
  const { m, n } = step.contraction;
  const type = context.indexType;
  const rowText = (column: string) => `(static_cast<${type}>(blockIdx.z) * ${m} + m) * ${n} + ${column}`;
  const packType = (id: number) => `Pack<${storage[context.value(id).dtype].type}, ${width}>`;
  if (width > 1) {
    body.line(`const ${type} first = ${rowText('n')};`);
    for (const id of stored) body.line(`${packType(id)} ${context.value(id).name}_pack;`);
    body.line('#pragma unroll');
    body.open(`for (int v = 0; v < ${width}; ++v) {`);
    body.line(`const ${type} row = first + v;`);
  } else {
    body.line(`const ${type} row = ${rowText('n')};`);
  }
  for (const line of walk.rowDeclarations(accesses.ofRowMaps())) body.line(line);
  const out = step.outs[0]!;
  body.line(`const ${context.computeType(out)} ${context.variable(out)} = ${sum(width > 1 ? ' + v' : '')};`);
  const declared = new Set<string>();
  for (const map of rowMaps(context)) {
    const { loads } = planEvaluation(
      context,
      accesses,
      walk,
      [{ step: map }],
      (key) => key.startsWith('value:') && key !== valueKey(map.out),
    );
    for (const load of loads) {
      if (declared.has(load.variable)) continue;
      declared.add(load.variable);
      body.line(
        `const ${context.computeType(load.value)} ${load.variable} = ${context.read(load.value, walk.index(load.access))};`,
      );
    }
    writeStep(body, context, accesses, walk, map);
  }
  for (const id of stored) {
    const { name, dtype } = context.value(id);
    const value = storage[dtype].store(context.variable(id));
    body.line(width > 1 ? `${name}_pack.at[v] = ${value};` : `${name}[row] = ${value};`);
  }
  if (width > 1) {
    body.close();
    for (const id of stored) {
      const { name } = context.value(id);
      body.line(`*reinterpret_cast<${packType(id)}*>(${name} + first) = ${name}_pack;`);
    }
  }
}
