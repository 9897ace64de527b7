/** A candidate's declarations by name, and the place where the interpreter finds them. */
import type { AliasItem, EnumItem, FunctionItem, Item, StructItem, VariableItem } from '../cpp/ast.ts';
import type { TranslationUnit } from '../cpp/translation-unit.ts';

interface Placed {
  name: string;
  namespace: readonly string[];
}

export class Program {
  readonly unit: TranslationUnit;
  readonly functions = new Map<string, FunctionItem[]>();
  readonly structs: StructItem[] = [];
  private readonly types = new Map<string, (StructItem | EnumItem | AliasItem)[]>();
  private readonly variables = new Map<string, (VariableItem & { name: string })[]>();
  private readonly variableSpecializations = new Map<string, (VariableItem & { name: string })[]>();
  private readonly enumMembers = new Map<
    string,
    { item: EnumItem; index: number; name: string; namespace: readonly string[] }[]
  >();

  constructor(unit: TranslationUnit) {
    this.unit = unit;
    for (const item of unit.items.flatMap(withNested)) {
      switch (item.kind) {
        case 'function':
          add(this.functions, item.name, item);
          break;
        case 'struct':
          this.structs.push(item);
          add(this.types, item.name, item);
          break;
        case 'alias':
          add(this.types, item.name, item);
          break;
        case 'enum':
          add(this.types, item.name, item);
          item.members.forEach((member, index) => {
            const namespace = item.scoped ? [...item.namespace, item.name] : item.namespace;
            add(this.enumMembers, member.name, { item, index, name: member.name, namespace });
          });
          break;
        case 'variable':
          for (const d of item.declarators) {
            const table = item.specialization ? this.variableSpecializations : this.variables;
            add(table, d.name, { ...item, name: d.name });
          }
          break;
      }
    }
  }

  /** Functions a call of `path` can mean, from inside `namespace`: definitions, or prototypes where nothing is defined. */
  findFunctions(path: readonly string[], namespace: readonly string[]): FunctionItem[] {
    const found = select(this.functions.get(last(path)) ?? [], path, namespace);
    const defined = found.filter((f) => f.body !== undefined);
    if (defined.length === 0 || defined.length === found.length) return defined.length > 0 ? defined : found;
    return defined.map((f) => withDefaultsOf(f, found));
  }

  findType(path: readonly string[], namespace: readonly string[]): StructItem | EnumItem | AliasItem | undefined {
    const primaries = (this.types.get(last(path)) ?? []).filter((t) => t.kind !== 'struct' || !t.specialization);
    const found = select(primaries, path, namespace);
    return found.find((t) => t.kind !== 'struct' || !t.isDeclaration) ?? found[0];
  }

  /** `template <> struct S<...>` for a struct template. */
  specializationsOf(item: StructItem): StructItem[] {
    return this.structs.filter(
      (s) => s.specialization && s.name === item.name && s.namespace.join('::') === item.namespace.join('::'),
    );
  }

  findVariable(path: readonly string[], namespace: readonly string[]): VariableItem | undefined {
    return select(this.variables.get(last(path)) ?? [], path, namespace)[0];
  }

  /** `template <> constexpr int v<float> = 4;` for a variable template. */
  variableSpecializationsOf(item: VariableItem, name: string): VariableItem[] {
    const found = this.variableSpecializations.get(name) ?? [];
    return found.filter((v) => v.namespace.join('::') === item.namespace.join('::'));
  }

  findEnumMember(path: readonly string[], namespace: readonly string[]): { item: EnumItem; index: number } | undefined {
    const members = this.enumMembers.get(last(path)) ?? [];
    const named = path.length > 1 ? members.find((m) => m.item.name === path[path.length - 2]) : undefined;
    return named ?? select(members, path, namespace)[0];
  }
}

/** An item and, of a struct, what is declared inside of it, friends too. */
function withNested(item: Item): Item[] {
  return item.kind === 'struct' ? [item, ...item.nested.flatMap(withNested), ...item.friends] : [item];
}

function add<T>(map: Map<string, T[]>, name: string, item: T): void {
  const list = map.get(name);
  if (list) list.push(item);
  else map.set(name, [item]);
}

const withDefaults = new WeakMap<FunctionItem, FunctionItem>();

/** Default arguments may stand in the prototype alone. */
function withDefaultsOf(fn: FunctionItem, declarations: readonly FunctionItem[]): FunctionItem {
  const known = withDefaults.get(fn);
  if (known) return known;
  const prototype = declarations.find(
    (d) => !d.body && d.parameters.length === fn.parameters.length && d.parameters.some((p) => p.default),
  );
  const merged = prototype
    ? {
        ...fn,
        parameters: fn.parameters.map((p, i) => ({ ...p, default: p.default ?? prototype.parameters[i]?.default })),
      }
    : fn;
  withDefaults.set(fn, merged);
  return merged;
}

function last(path: readonly string[]): string {
  return path[path.length - 1] ?? '';
}

/** Those whose qualified name ends in `path`; the ones that share most of the caller's namespace, if they differ. */
function select<T extends Placed>(items: readonly T[], path: readonly string[], namespace: readonly string[]): T[] {
  const qualifiers = path.slice(0, -1);
  const matching = items.filter((item) => {
    const named = item.namespace.filter((n) => n !== '');
    return qualifiers.every((q, i) => named[named.length - qualifiers.length + i] === q);
  });
  if (matching.length < 2) return matching;
  const shared = (item: T): number => {
    let n = 0;
    while (n < item.namespace.length && n < namespace.length && item.namespace[n] === namespace[n]) n++;
    return n === item.namespace.length ? n : -1;
  };
  const best = Math.max(...matching.map(shared));
  return best >= 0 ? matching.filter((item) => shared(item) === best) : matching;
}
