/** Itanium C++ names of kernels, as far as needed to find a launch's entry in PTX: names, namespaces, template arguments. */
import { unsupported } from './error.ts';
import { type CppType, qualified, spellType, unqualified } from './interpret/types.ts';
import type { KernelUse, TemplateValue } from './trace.ts';

/**
 * A pattern that the mangled name of this kernel matches, whatever its parameters are. Anonymous namespaces have names
 * that depend on the compilation, so they match any.
 * @see https://itanium-cxx-abi.github.io/cxx-abi/abi.html#mangling
 */
export function manglingPattern(use: KernelUse): RegExp {
  const mangler = new Mangler();
  const named = use.item.namespace;
  const name = sourceName(use.item.name);
  const scopes = named.map(sourceName);
  mangler.enter(named);
  mangler.remember([...named, use.item.name].join('::'));
  const args =
    use.templateArguments.length > 0
      ? `I${use.templateArguments.map((a) => mangler.argument(a, use.line)).join('')}E`
      : '';
  // A non-template's name is followed by its parameters' types, none of which starts with I.
  const after = args === '' ? '(?!I)' : '';
  const nested = `N${scopes.join('')}L?${name}${args}${after}E`;
  // nvcc puts static functions of the file into an internal namespace of its own.
  const internal = `N\\d+_[A-Za-z0-9_]*?_cu_[A-Za-z0-9_]*?${name}${args}${after}E`;
  const plain = `L?${name}${args}${after}`;
  return new RegExp(`^(?:_Z(?:${named.length > 0 ? nested : `${plain}|${internal}`})|${use.item.name}$)`);
}

/** A pattern for the PTX name of a device variable: `path` is its qualified name, '' an anonymous namespace. */
export function variablePattern(path: readonly string[]): RegExp {
  const name = path.at(-1) ?? '';
  if (path.length === 1)
    return new RegExp(`^(?:${name}|_ZL?${sourceName(name)}|_ZN\\d+_INTERNAL_\\w*?${sourceName(name)}E)$`);
  // nvcc puts what an anonymous namespace holds into an internal namespace of its own.
  return new RegExp(`^_ZN(?:\\d+_INTERNAL_\\w*?)?${path.map(sourceName).join('')}E$`);
}

/** '' is an anonymous namespace, whose name depends on the compilation. */
function sourceName(name: string): string {
  if (name === '') return '\\d+_[A-Za-z0-9_]*GLOBAL__N_[A-Za-z0-9_]*?';
  return `${name.length}${name}`;
}

/** Mangles template arguments, with the compression of what was named before (`S_`, `S0_`, ...). */
class Mangler {
  private readonly seen: string[] = [];

  enter(namespace: readonly string[]): void {
    namespace.forEach((_, i) => {
      this.remember(namespace.slice(0, i + 1).join('::'));
    });
  }

  remember(key: string): void {
    if (!this.seen.includes(key)) this.seen.push(key);
  }

  argument(argument: TemplateValue, line: number): string {
    if (argument.kind === 'type') return this.type(argument.type, line);
    if (argument.kind === 'pack') return `J${argument.values.map((v) => this.argument(v, line)).join('')}E`;
    const { value } = argument;
    if (value.kind !== 'int') throw unsupported('a template argument that is no integer', line);
    const digits = value.value < 0n ? `n${-value.value}` : String(value.value);
    const type = argument.type.kind === 'int' ? argument.type : value.type;
    return `L${type.path ? this.named(type.path, type.name, undefined, line) : type.mangled}${digits}E`;
  }

  private type(type: CppType, line: number): string {
    const { cv, reference } = type;
    // Each whole of qualifiers is one thing that is named (Itanium C++ ABI 5.1.5.3); references stand outermost.
    if (cv !== undefined || reference !== undefined) {
      const key = spellType(type);
      const known = this.substitution(`qualified ${key}`);
      if (known) return known;
      const of = this.type(reference ? qualified(unqualified(type), cv) : unqualified(type), line);
      this.remember(`qualified ${key}`);
      if (reference) return `${reference === '&' ? 'R' : 'O'}${of}`;
      return `${cv?.includes('volatile') ? 'V' : ''}${cv?.includes('const') ? 'K' : ''}${of}`;
    }
    switch (type.kind) {
      case 'void':
        return 'v';
      case 'int':
        return type.path ? this.named(type.path, type.name, undefined, line) : type.mangled;
      case 'float':
        return type.mangled.length === 1 ? type.mangled : this.named(type.name.split('::'), type.name, undefined, line);
      case 'struct':
        return this.named(type.path ?? [type.name], type.name, type.templateArguments, line);
      case 'pointer': {
        const key = `*${spellType(type.to)}`;
        const known = this.substitution(key);
        if (known) return known;
        const to = this.type(type.to, line);
        this.remember(key);
        return `P${to}`;
      }
      default:
        throw unsupported('this template argument of a kernel', line);
    }
  }

  /** A class or enumeration: `path` is its qualified name, `whole` its spelling with template arguments. */
  private named(
    path: readonly string[],
    whole: string,
    args: readonly TemplateValue[] | undefined,
    line: number,
  ): string {
    const isTemplate = args !== undefined && args.length > 0;
    const known = this.substitution(isTemplate ? `${path.join('::')} as ${whole}` : path.join('::'));
    if (known) return known;
    let name = '';
    let substituted = false;
    path.forEach((part, i) => {
      const key = path.slice(0, i + 1).join('::');
      const seen = this.substitution(key);
      substituted = seen !== undefined;
      name = seen ?? name + sourceName(part);
      if (!seen) this.remember(key);
    });
    // A template's own name that was seen before stands without N...E, as one that is not nested does.
    const nested = path.length > 1 && !substituted;
    if (isTemplate) {
      name += `I${args.map((a) => this.argument(a, line)).join('')}E`;
      this.remember(`${path.join('::')} as ${whole}`);
    }
    return nested ? `N${name}E` : name;
  }

  private substitution(key: string): string | undefined {
    const at = this.seen.indexOf(key);
    if (at < 0) return undefined;
    return at === 0 ? 'S_' : `S${(at - 1).toString(36).toUpperCase()}_`;
  }
}
