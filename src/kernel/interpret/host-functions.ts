/** The host functions of a candidate as a caller sees them: names and parameters, without interpreting anything. */
import type { TypeNode } from '../cpp/ast.ts';
import { parseTranslationUnit } from '../cpp/translation-unit.ts';

export interface HostParameter {
  name: string;
  /** A tensor, or an optional one. */
  isTensor: boolean;
  /** As written, roughly: `std::vector<int64_t>`. */
  type: string;
  hasDefault: boolean;
}

export interface HostFunction {
  name: string;
  parameters: readonly HostParameter[];
  /** Named in a PYBIND11_MODULE or TORCH_LIBRARY. */
  exported: boolean;
  line: number;
}

/**
 * The candidate's host functions that have a body and take a tensor, in the file's order.
 * @throws CandidateError where the file cannot be divided into items.
 */
export function hostFunctions(source: string): HostFunction[] {
  const { items } = parseTranslationUnit(source);
  const exported = new Set(
    items.flatMap((item) => (item.kind === 'export' ? item.body.map((token) => token.text) : [])),
  );
  return items.flatMap((item) => {
    if (item.kind !== 'function' || item.space !== 'host' || !item.body || item.template) return [];
    const parameters = item.parameters.map((p) => ({
      name: p.name,
      isTensor: takesTensor(p.type),
      type: spelled(p.type),
      hasDefault: p.default !== undefined,
    }));
    return parameters.some((p) => p.isTensor)
      ? [{ name: item.name, parameters, exported: exported.has(item.name), line: item.line }]
      : [];
  });
}

function takesTensor({ name }: TypeNode): boolean {
  const last = name.path.at(-1);
  return last === 'Tensor' || (last === 'optional' && (name.arguments ?? []).some((a) => /\bTensor\b/.test(a.text)));
}

function spelled({ name, pointers }: TypeNode): string {
  const args = name.arguments ? `<${name.arguments.map((a) => a.text).join(', ')}>` : '';
  return `${name.path.join('::')}${args}${'*'.repeat(pointers)}`;
}
