/**
 * A candidate's file as a list of items: kernels and device functions (kept as text, only their headers read), host
 * functions (bodies kept as tokens), plain structs, constants, aliases, and the exports.
 *
 * It is robust by construction: an item it cannot read is skipped by its brackets and remembered as a problem that
 * is an error only for host code that needs it. Device code may use any C++ that nvcc takes.
 */
import { CandidateError, refused } from '../error.ts';
import type { AliasItem, FunctionItem, Item, KnownNames, StructItem, TemplateParameter, VariableItem } from './ast.ts';
import { parseEnum } from './enum-parser.ts';
import { parseConditional } from './expression-parser.ts';
import { parseFunction } from './function-parser.ts';
import type { Token } from './lexer.ts';
import { type Preprocessed, preprocess } from './preprocess.ts';
import { parseDeclaration, parseDeclarator } from './statement-parser.ts';
import { parseStruct } from './struct-parser.ts';
import { TokenStream } from './token-stream.ts';
import {
  nameNamespace,
  parseNamespacePath,
  parseTemplateArguments,
  parseTemplateHeader,
  parseType,
  parseTypeBase,
  skipAttributes,
} from './type-parser.ts';

export interface TranslationUnit {
  source: string;
  items: readonly Item[];
  /** Namespaces opened by `using namespace`, at any level. */
  usedNamespaces: readonly (readonly string[])[];
  /** Source ranges that nvcc must not see: host functions, exports, and declarations that need PyTorch's headers. */
  blanked: readonly { start: number; end: number; line: number }[];
  preprocessed: Preprocessed;
  names: KnownNames;
}

/** Words of PyTorch's C++ API: a declaration that uses one cannot go to nvcc, whose include path has no PyTorch. */
const TORCH_WORDS = /^(torch|at|c10|pybind11|py|caffe2|Tensor|TensorOptions|IntArrayRef|ScalarType)$/;
/** Names of PyTorch that device code may use: a prelude declares them. */
const DEVICE_TORCH =
  /^(Half|BFloat16|opmath_type|acc_type|(GenericPacked|Packed)?TensorAccessor(32|64)?|(Restrict|Default)PtrTraits)$/;

/** @throws CandidateError where the file cannot be divided into items at all, or an item is refused outright. */
export function parseTranslationUnit(source: string): TranslationUnit {
  return new TopLevel(source).parse();
}

/** `template <int... N> struct S;`: what its specializations specialize. */
function declaredTemplate(
  name: string,
  template: readonly TemplateParameter[],
  namespace: readonly string[],
  { line, start, end }: Token,
): StructItem {
  const problem = `${name} with these template arguments, which is declared but not defined`;
  const empty = { bases: [], aliases: [], fields: [], methods: [], staticFields: [], nested: [], friends: [] };
  return { kind: 'struct', name, template, ...empty, isDeclaration: true, problem, namespace, line, start, end };
}

class TopLevel {
  private readonly items: Item[] = [];
  private readonly usedNamespaces: string[][] = [];
  private readonly blanked: { start: number; end: number; line: number }[] = [];
  private readonly preprocessed: Preprocessed;
  private readonly names: KnownNames = {
    types: new Set(),
    templates: new Set(),
    packs: new Set(),
    namespaces: new Map(),
  };
  private readonly s: TokenStream;
  private readonly source: string;

  constructor(source: string) {
    this.source = source;
    this.preprocessed = preprocess(source);
    const tokens = this.preprocessed.tokens;
    this.s = new TokenStream(tokens.slice(0, -1), this.names, tokens[tokens.length - 1]?.line);
  }

  /** Functions that run when a library is loaded or unloaded: nobody calls them, so the interpreter would never meet them. */
  private refuseLoadTimeCode(): void {
    let inAttribute = 0;
    for (const { text, line } of this.s.tokens) {
      if (text === '__attribute__' || text === 'gnu') inAttribute = 8;
      else if (inAttribute > 0 && /^(__)?(constructor|destructor|ifunc)(__)?$/.test(text)) {
        throw refused(`the attribute ${text}, which runs host code when the candidate is loaded`, line);
      } else if (inAttribute > 0) inAttribute--;
    }
  }

  parse(): TranslationUnit {
    this.refuseLoadTimeCode();
    this.parseScope([], false);
    const { source, items, usedNamespaces, blanked, preprocessed, names } = this;
    return { source, items, usedNamespaces, blanked, preprocessed, names };
  }

  private parseScope(namespace: readonly string[], braced: boolean): void {
    const s = this.s;
    for (;;) {
      if (s.ended) {
        if (braced) throw new CandidateError('invalid', 'a namespace is never closed', s.line);
        return;
      }
      if (s.is('}')) {
        if (!braced) throw new CandidateError('invalid', 'a } with nothing to close', s.line);
        s.at++;
        s.accept(';');
        return;
      }
      if (s.accept(';')) continue;
      s.nested(() => this.parseItem(namespace));
    }
  }

  private parseItem(namespace: readonly string[]): void {
    const s = this.s;
    const from = s.at;
    const first = s.peek();
    if (s.is('inline') && s.is('namespace', 1)) s.at++;
    if (s.is('namespace')) {
      s.at++;
      const path: string[] = [];
      skipAttributes(s);
      while (s.peek().kind === 'identifier') {
        path.push(s.next().text);
        s.accept('::');
        s.accept('inline');
      }
      if (s.accept('=')) {
        const [target] = [parseNamespacePath(s)];
        nameNamespace(s, path[0] ?? '', target);
        this.skipItem();
        if (/^(torch|at|c10|pybind11|py|caffe2)$/.test(target[0] ?? '')) this.blank(from);
        return;
      }
      s.expect('{', 'after namespace');
      this.parseScope([...namespace, ...(path.length > 0 ? path : [''])], true);
      return;
    }
    if (s.is('extern') && s.peek(1).kind === 'string') {
      if (s.is('{', 2)) {
        s.at += 3;
        this.parseScope(namespace, true);
        return;
      }
      s.at += 2;
    }
    const word = first.text;
    if (word === 'asm' || word === '__asm__') throw refused('asm outside of device code', first.line);
    if (word === 'using' || word === 'typedef') this.parseAlias(namespace);
    else if (/^(PYBIND11_MODULE|TORCH_LIBRARY(_\w+)?)$/.test(word)) this.parseExport(namespace, word);
    else if (word === 'static_assert') this.skipItem();
    else if (word === 'enum') this.items.push(parseEnum(s, namespace));
    else this.parseDefinition(namespace, from);
  }

  /** A template, a struct, a function, or variables. */
  private parseDefinition(namespace: readonly string[], from: number): void {
    const s = this.s;
    const first = s.tokens[from] as Token;
    let template: readonly TemplateParameter[] | undefined;
    if (s.is('template')) {
      // `template void f<float>(...)`: an explicit instantiation says nothing new.
      if (!s.is('<', 1)) {
        this.skipItem();
        if (this.mentionsTorch(from)) this.blank(from);
        return;
      }
      template = s.attempt(() => parseTemplateHeader(s));
      if (!template || s.is('requires')) {
        const name = this.skipUnknown(from);
        if (name) this.names.templates.add(name);
        return;
      }
      if (s.is('using')) {
        this.parseAlias(namespace, template, from);
        return;
      }
    }
    if (this.isStructDefinition()) {
      const struct = s.attempt(() => parseStruct(s, namespace, template));
      if (!struct) {
        this.skipUnknown(from);
        return;
      }
      struct.start = first.start;
      while (!s.ended && !s.is(';')) s.at++;
      s.accept(';');
      this.items.push(struct);
      if (this.mentionsTorch(from)) this.blank(from);
      return;
    }
    if ((s.is('struct') || s.is('class') || s.is('union')) && s.is(';', 2)) {
      const name = s.peek(1).text;
      this.names.types.add(name);
      if (template) {
        this.names.templates.add(name);
        this.items.push(declaredTemplate(name, template, namespace, first));
      }
      this.skipItem();
      return;
    }
    const fn = parseFunction(s, namespace, template);
    if (!fn) {
      this.parseVariables(namespace, template, from);
      return;
    }
    fn.start = first.start;
    if (!fn.qualifiers || !this.defineMember(fn)) this.items.push(fn);
    this.placeFunction(fn, from);
  }

  private isStructDefinition(): boolean {
    const s = this.s;
    if (!s.is('struct') && !s.is('class') && !s.is('union')) return false;
    for (let i = s.at; i < s.tokens.length; i++) {
      const text = s.tokens[i]?.text ?? '';
      if (text === '{') return true;
      if (text === ';' || text === '=') return false;
      // `struct X f(...)`: a function. Attributes have parentheses too.
      if (text === '(' && !/^(__align__|alignas|__attribute__)$/.test(s.tokens[i - 1]?.text ?? '')) return false;
      if (text === '(') i = s.pastMatching(i) - 1;
    }
    return false;
  }

  /** `int S::f() { ... }`: gives the member function of a struct its body. False where no struct has that name: a namespace's function. */
  private defineMember(fn: FunctionItem): boolean {
    const [name] = fn.qualifiers?.slice(-1) ?? [];
    const outer = [...fn.namespace, ...(fn.qualifiers?.slice(0, -1) ?? [])].join('::');
    const at = this.items.findLastIndex(
      (one) => one.kind === 'struct' && one.name === name && !one.specialization && one.namespace.join('::') === outer,
    );
    const struct = this.items[at];
    if (struct?.kind !== 'struct') {
      fn.namespace = [...fn.namespace, ...(fn.qualifiers ?? [])];
      return false;
    }
    const written = (f: FunctionItem): string => f.parameters.map((p) => p.text).join(', ');
    const declared = struct.methods.filter((f) => f.name === fn.name && !f.body && written(f) === written(fn));
    const [only] = declared;
    const named = (template: FunctionItem['template']): string => (template ?? []).map((p) => p.name).join(', ');
    const problem =
      !only || declared.length > 1
        ? `the member function ${name}::${fn.name} defined outside of its class, which declares no such one in the same words`
        : named(struct.template) !== named(fn.template)
          ? `the member function ${name}::${fn.name} defined outside of its class with other names of the template's parameters`
          : undefined;
    const methods = struct.methods.map((f) => {
      if (f !== only) return problem && f.name === fn.name ? { ...f, problem } : f;
      const parameters = fn.parameters.map((p, i) => ({ ...p, default: f.parameters[i]?.default }));
      return { ...f, parameters, body: fn.body, initializers: fn.initializers, problem: problem ?? fn.problem };
    });
    this.items[at] = { ...struct, methods };
    return true;
  }

  /** Host functions go, unless device code may call them: constexpr ones without PyTorch's types. */
  private placeFunction(fn: FunctionItem, from: number): void {
    if (fn.space === 'kernel' || fn.space === 'device') return;
    const keeps = (fn.space === 'both' || fn.isConstexpr) && !this.mentionsTorch(from);
    if (!keeps) this.blank(from);
  }

  private parseVariables(
    namespace: readonly string[],
    template: readonly TemplateParameter[] | undefined,
    from: number,
  ): void {
    const s = this.s;
    const first = s.tokens[from] as Token;
    const specialized = template?.length === 0 ? this.parseVariableSpecialization(namespace, from) : false;
    if (specialized) return;
    const declaration = s.attempt(() => {
      const read = parseDeclaration(s);
      return read?.kind === 'declaration' && s.accept(';') ? read : undefined;
    });
    if (declaration?.kind !== 'declaration') {
      this.skipUnknown(from);
      return;
    }
    if (template) for (const { name } of declaration.declarators) this.names.templates.add(name);
    const words = s.tokens.slice(from, s.at).map((t) => t.text);
    const device = words.some((w) => /^__(device|constant|managed|shared)__$/.test(w));
    const isConst =
      declaration.isConst && declaration.declarators.every((d) => d.type.pointers === 0 || words.includes('char'));
    if (words.includes('__managed__'))
      throw refused('__managed__ memory is shared with the host between calls', first.line);
    if (!device && !isConst) {
      const name = declaration.declarators[0]?.name ?? '';
      throw refused(
        `the global variable ${name} would keep state between calls; make it constexpr, or pass it as an argument`,
        declaration.line,
      );
    }
    this.items.push({
      kind: 'variable',
      space: device ? 'device' : 'host',
      isConst,
      declarators: declaration.declarators,
      template,
      namespace,
      line: declaration.line,
      start: first.start,
      end: s.tokens[s.at - 1]?.end ?? first.end,
    });
    if (this.mentionsTorch(from) || (!device && words.includes('std'))) this.blank(from);
  }

  /** `template <> constexpr bool v<float> = true;` */
  private parseVariableSpecialization(namespace: readonly string[], from: number): boolean {
    const s = this.s;
    const first = s.tokens[from] as Token;
    const item = s.attempt((): VariableItem | undefined => {
      const type = parseTypeBase(s);
      const { line } = s.peek();
      const name = s.identifier('in a declaration');
      const specialization = parseTemplateArguments(s);
      s.expect('=', 'after a variable template');
      const initializer = { style: 'equals', arguments: [parseConditional(s, false)] } as const;
      s.expect(';', 'after a variable template');
      const declarators = [{ name, type, dimensions: [], initializer, line }];
      const place = { namespace, line, start: first.start, end: s.tokens[s.at - 1]?.end ?? first.end };
      return { kind: 'variable', space: 'host', isConst: true, declarators, specialization, ...place };
    });
    if (!item) return false;
    this.items.push(item);
    if (this.mentionsTorch(from)) this.blank(from);
    return true;
  }

  private parseAlias(namespace: readonly string[], template?: readonly TemplateParameter[], start = this.s.at): void {
    const s = this.s;
    const first = s.tokens[start] as Token;
    const isTypedef = s.next().text === 'typedef';
    if (!isTypedef && s.is('namespace')) {
      s.at++;
      const path = s.attempt(() => parseType(s).name.path);
      if (path) this.usedNamespaces.push([...path]);
      this.skipItem();
      if (this.mentionsTorch(start)) this.blank(start);
      return;
    }
    const item: AliasItem = {
      kind: 'alias',
      name: '',
      template,
      type: null,
      namespace,
      line: first.line,
      start: first.start,
      end: first.end,
    };
    if (isTypedef) {
      const declared = s.attempt(() => parseDeclarator(s, parseTypeBase(s)));
      item.type = declared?.type ?? null;
      item.name = declared?.name ?? '';
      while (!s.ended && !s.is(';')) item.name = s.next().text;
    } else if (s.is('=', 1)) {
      item.name = s.identifier('after using');
      s.at++;
      item.type = s.attempt(() => parseType(s)) ?? null;
    } else {
      const path = s.attempt(() => parseType(s).name.path);
      if (path && path.length > 1) this.usedNamespaces.push(path.slice(0, -1));
    }
    this.skipItem();
    item.end = s.tokens[s.at - 1]?.end ?? item.end;
    if (item.name) {
      if (!item.type) item.problem = `the type of the alias ${item.name}`;
      this.names.types.add(item.name);
      if (template) this.names.templates.add(item.name);
      this.items.push(item);
    }
    if (this.mentionsTorch(start)) this.blank(start);
  }

  private parseExport(namespace: readonly string[], word: string): void {
    const s = this.s;
    const from = s.at;
    const first = s.next();
    s.at = s.pastMatching(s.at);
    const end = s.pastMatching(s.at);
    const body = s.tokens.slice(s.at + 1, end - 1);
    s.at = end;
    const library = word === 'PYBIND11_MODULE' ? 'pybind11' : 'torch';
    this.items.push({
      kind: 'export',
      body,
      library,
      namespace,
      line: first.line,
      start: first.start,
      end: s.tokens[end - 1]?.end ?? first.end,
    });
    this.blank(from);
  }

  /** Skips to just past the item's `;`. */
  private skipItem(): void {
    const s = this.s;
    while (!s.ended && !s.is(';') && !s.is('}')) {
      if (s.is('(') || s.is('{') || s.is('[')) s.at = s.pastMatching(s.at);
      else s.at++;
    }
    s.accept(';');
  }

  /** An item that was not understood: skipped by its brackets, kept for nvcc unless it is the host's. Returns its name. */
  private skipUnknown(from: number): string | undefined {
    const s = this.s;
    s.at = from;
    let name: string | undefined;
    while (!s.ended && !s.is('}')) {
      if (s.is(';')) {
        s.at++;
        break;
      }
      if (s.is('{')) {
        s.at = s.pastMatching(s.at);
        if (s.is(';') || !/^(=|,)$/.test(s.peek().text)) {
          s.accept(';');
          break;
        }
      } else if (s.is('(') || s.is('[')) {
        if (s.is('(')) name ??= s.tokens[s.at - 1]?.text;
        s.at = s.pastMatching(s.at);
      } else s.at++;
    }
    if (s.at === from) throw s.error(`found ${s.peek().text} outside of any function`);
    if (this.mentionsTorch(from)) this.blank(from);
    return name;
  }

  private mentionsTorch(from: number): boolean {
    return this.s.tokens.slice(from, this.s.at).some((t, i, all) => {
      if (t.kind !== 'identifier' || !TORCH_WORDS.test(t.text)) return false;
      // `at::Half` and `c10::Half` are fine in device code; a field or variable called `at` is nothing of PyTorch's.
      const qualified = all[i + 1]?.text === '::';
      if (/^(torch|at|c10|pybind11|py|caffe2)$/.test(t.text)) {
        if (!qualified) return t.text === 'torch' && all[i - 1]?.text === 'namespace';
        return !DEVICE_TORCH.test(all[i + 2]?.text ?? '');
      }
      return !/^(\.|->|struct|class)$/.test(all[i - 1]?.text ?? '') && !this.names.types.has(t.text);
    });
  }

  private blank(from: number): void {
    const tokens = this.s.tokens;
    const first = tokens[from] as Token;
    const last = tokens[this.s.at - 1] ?? first;
    this.blanked.push({ start: first.start, end: last.end, line: first.line });
  }
}
