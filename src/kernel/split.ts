/**
 * The device code of a candidate: its own text with the host functions blanked out. Every line keeps its number, so that
 * compiler messages and line information name the candidate's lines without a table.
 */
import type { TranslationUnit } from './cpp/translation-unit.ts';
import { unsupported } from './error.ts';
import { spellArgument } from './interpret/spell.ts';
import { preludeFor } from './prelude.ts';
import type { KernelUse } from './trace.ts';

/**
 * @param uses kernels that must be compiled: templates are instantiated, static functions kept, by taking their addresses.
 * @throws CandidateError where one macro call makes host and device code at once.
 */
export function deviceSource(unit: TranslationUnit, uses: readonly KernelUse[]): string {
  for (const item of unit.items) {
    if (item.kind !== 'function' || item.space === 'host') continue;
    const torn = unit.blanked.find((b) => b.start < item.end && item.start < b.end && !(item.space === 'both'));
    if (torn) throw unsupported('a macro that makes both a kernel and a host function', item.line);
  }
  const blanked = blank(unit);
  // One line for each use, empty where the kernel is compiled anyway: messages find their use by the line.
  const instantiations = uses.map((use, i) => (onDemand(use) ? instantiation(unit, use, i) : ''));
  const body = `${blanked}\n${instantiations.join('\n')}\n`;
  const prelude = preludeFor(body);
  // #line gives the candidate's first line its number back.
  return prelude === '' ? body : `${prelude}\n#line 1\n${body}`;
}

/**
 * Takes the address of a use's kernel. An overloaded one is chosen by its parameters, spelled as the candidate spelled them, in a scope
 * where the template's parameters have their values.
 */
function instantiation(unit: TranslationUnit, use: KernelUse, i: number): string {
  const { item, templateArguments } = use;
  const rivals = unit.items.filter(
    (other) =>
      other.kind === 'function' &&
      other.space === 'kernel' &&
      other.name === item.name &&
      other.body &&
      other.namespace.join('::') === item.namespace.join('::') &&
      !other.isSpecialization,
  );
  if (rivals.length < 2) return `static void* __attribute__((used)) assay_use_${i} = (void*)&${use.spelling};`;
  const names = (item.template ?? []).map(({ name }, n) => {
    const argument = templateArguments[n];
    const text = argument && spellArgument(argument, use.line);
    if (!argument || !name || argument.kind === 'pack') return '';
    return argument.kind === 'type' ? `using ${name} = ${text};` : `constexpr auto ${name} = ${text};`;
  });
  const opened = item.namespace.filter((part) => part !== '').map((part) => `using namespace ${part};`);
  const parameters = item.parameters.map((p) => p.text).join(', ');
  return `static void* __attribute__((used)) assay_use_${i}() { ${opened.join(' ')} ${names.join(' ')} return (void*)static_cast<void (*)(${parameters})>(&${use.spelling}); }`;
}

/** Replaces the characters of host code by spaces; directives and line breaks stay, so conditionals stay balanced. */
function blank(unit: TranslationUnit): string {
  const { source } = unit;
  const gone = new Uint8Array(source.length);
  for (const range of unit.blanked) gone.fill(1, range.start, range.end);
  let at = 0;
  let continued = false;
  while (at < source.length) {
    let end = source.indexOf('\n', at);
    if (end < 0) end = source.length;
    const text = source.slice(at, end);
    const directive: boolean = continued || /^\s*#/.test(text);
    if (directive) gone.fill(0, at, end);
    continued = directive && /\\\s*$/.test(text);
    at = end + 1;
  }
  for (const range of unit.preprocessed.droppedIncludes) gone.fill(1, range.start, range.end);
  let result = '';
  for (let i = 0; i < source.length; i++) {
    const c = source[i] as string;
    result += gone[i] && c !== '\n' && c !== '\r' ? ' ' : c;
  }
  return result;
}

/** Templates and kernels with internal linkage are compiled only where something uses them. */
function onDemand(use: KernelUse): boolean {
  return use.item.template !== undefined || use.item.isStatic || use.item.namespace.includes('');
}
