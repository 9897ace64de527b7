/** The syntax of host code. Every node knows its line in the candidate. */
import type { Token } from './lexer.ts';

/** `a::b<int, 4>`: `arguments` belong to the last component. */
export interface QualifiedName {
  path: readonly string[];
  arguments?: readonly TemplateArgument[];
  /** Arguments of the component before the last: `std::numeric_limits<float>::max`. */
  outerArguments?: readonly TemplateArgument[];
}

/** `foo<N>`: whether N is a type or a value is known only when N is looked up, so both readings may be kept. */
export interface TemplateArgument {
  type?: TypeNode;
  expression?: Expression;
  /** `Ts...`: one argument for each element of the packs it names. */
  expands?: boolean;
  text: string;
}

export type Cv = 'const' | 'volatile' | 'const volatile';

export interface TypeNode {
  name: QualifiedName;
  /** For decltype(e). */
  decltypeOf?: Expression;
  /** `const` and `volatile` of what is named; `constexpr`, which is the variable's, is not among them. */
  cv?: Cv;
  /** Number of `*` after the name. */
  pointers: number;
  /** Of each `*`, in order: `const` and `volatile` after it. */
  pointerCv?: readonly (Cv | undefined)[];
  reference: '' | '&' | '&&';
  /** `const` or `constexpr` is written before or after the name. */
  isConst: boolean;
  /** `typename T::type`-style member of a dependent type keeps its whole path in `name`. */
  line: number;
}

export interface Parameter {
  type: TypeNode;
  /** '' when unnamed. */
  name: string;
  default?: Expression;
  /** Its type as written, without its name and default. */
  text: string;
  /** `Args... args`: all arguments that are left. */
  isPack?: boolean;
  line: number;
}

export interface TemplateParameter {
  kind: 'type' | 'value';
  isPack?: boolean;
  name: string;
  /** Of a value parameter. */
  type?: TypeNode;
  default?: TemplateArgument;
}

export type Expression =
  | { kind: 'number'; text: string; line: number }
  | { kind: 'string'; value: string; line: number }
  | { kind: 'char'; value: string; line: number }
  | { kind: 'bool'; value: boolean; line: number }
  | { kind: 'null'; line: number }
  | { kind: 'this'; line: number }
  | { kind: 'name'; name: QualifiedName; line: number }
  | { kind: 'unary'; operator: string; operand: Expression; line: number }
  | { kind: 'postfix'; operator: '++' | '--'; operand: Expression; line: number }
  | { kind: 'binary'; operator: string; left: Expression; right: Expression; line: number }
  | { kind: 'assign'; operator: string; left: Expression; right: Expression; line: number }
  | { kind: 'conditional'; test: Expression; yes: Expression; no: Expression; line: number }
  | { kind: 'call'; callee: Expression; arguments: readonly Expression[]; line: number }
  | { kind: 'member'; object: Expression; name: string; arguments?: readonly TemplateArgument[]; line: number }
  | { kind: 'index'; object: Expression; index: Expression; line: number }
  | { kind: 'cast'; type: TypeNode; operand: Expression; style: 'c' | 'static' | 'reinterpret' | 'const'; line: number }
  /** `T(a, b)` and `T{a, b}`. */
  | { kind: 'construct'; type: TypeNode; arguments: readonly Expression[]; braces: boolean; line: number }
  | { kind: 'list'; items: readonly Expression[]; fields?: readonly (string | undefined)[]; line: number }
  | {
      kind: 'lambda';
      byCopy: boolean;
      /** `[n = x.size(0)]`. */
      captures: readonly { name: string; reference: boolean; value: Expression }[];
      parameters: readonly Parameter[];
      returns?: TypeNode;
      body: Statement;
      line: number;
    }
  | {
      kind: 'launch';
      kernel: Expression;
      grid: Expression;
      block: Expression;
      shared?: Expression;
      stream?: Expression;
      arguments: readonly Expression[];
      line: number;
    }
  /** `ofAlignment`: alignof. */
  | { kind: 'sizeof'; type?: TypeNode; operand?: Expression; ofAlignment: boolean; line: number }
  /** `sizeof...(pack)`. */
  | { kind: 'pack-size'; name: string; line: number }
  /** `pattern...` among arguments: one value for each element of the packs it names. */
  | { kind: 'expand'; pattern: Expression; line: number }
  /** `(pattern op ... op init)` and `(init op ... op pattern)`. */
  | { kind: 'fold'; pattern: Expression; operator: string; init?: Expression; fromLeft: boolean; line: number }
  | { kind: 'throw'; operand?: Expression; line: number }
  /** Known syntax that has no meaning here (`new`, `delete`, `asm`): an error when reached. */
  | { kind: 'unsupported'; what: string; line: number };

export interface Declarator {
  name: string;
  type: TypeNode;
  /** Of a field: `alignas(16)`. */
  alignment?: TemplateArgument;
  /** Of `T x[n]`, outermost first; an absent size is taken from the initializer. */
  dimensions: readonly (Expression | undefined)[];
  initializer?: { style: 'equals' | 'parentheses' | 'braces'; arguments: readonly Expression[] };
  line: number;
}

export type Statement =
  | { kind: 'block'; body: readonly Statement[]; line: number }
  | { kind: 'expression'; expression: Expression; line: number }
  | { kind: 'declaration'; isStatic: boolean; isConst: boolean; declarators: readonly Declarator[]; line: number }
  | { kind: 'bindings'; names: readonly string[]; reference: boolean; initializer: Expression; line: number }
  | { kind: 'alias'; name: string; type: TypeNode; line: number }
  /** With `variable`, `if (auto v = ...)`: the declaration, whose variable `test` then names. */
  | {
      kind: 'if';
      init?: Statement;
      variable?: Statement;
      test: Expression;
      yes: Statement;
      no?: Statement;
      line: number;
    }
  | { kind: 'for'; init?: Statement; test?: Expression; step?: Expression; body: Statement; line: number }
  /** With `bindings`, `for (auto& [k, v] : map)`: the names of the parts. */
  | {
      kind: 'range';
      init?: Statement;
      variable: Declarator;
      bindings?: readonly string[];
      range: Expression;
      body: Statement;
      line: number;
    }
  | { kind: 'while'; test: Expression; body: Statement; line: number }
  | { kind: 'do'; test: Expression; body: Statement; line: number }
  | { kind: 'switch'; value: Expression; body: readonly Statement[]; line: number }
  | { kind: 'case'; value?: Expression; line: number }
  | { kind: 'return'; value?: Expression; line: number }
  | { kind: 'break' | 'continue' | 'empty'; line: number }
  | { kind: 'using-namespace'; path: readonly string[]; line: number }
  | { kind: 'struct'; struct: StructItem; line: number }
  | { kind: 'static-assert'; test: Expression; line: number }
  | { kind: 'try'; body: Statement; handlers: readonly Handler[]; line: number };

/** `catch (type name)`, or `catch (...)` without a type. */
export interface Handler {
  type?: TypeNode;
  name: string;
  body: Statement;
}

/** Where an item stands: namespaces around it, outermost first; '' for an anonymous one. */
interface Placed {
  namespace: readonly string[];
  line: number;
  /** Source range of the whole item, template header included. */
  start: number;
  end: number;
}

export interface FunctionItem extends Placed {
  kind: 'function';
  name: string;
  /** `kernel`: __global__; `device`: __device__ without __host__; `both`: __host__ __device__; `host`: the rest. */
  space: 'kernel' | 'device' | 'both' | 'host';
  isConstexpr: boolean;
  isStatic: boolean;
  template?: readonly TemplateParameter[];
  /** Null with `problem` set where the header uses something the parser does not know: an error only if it is used. */
  returns: TypeNode | null;
  parameters: readonly Parameter[];
  problem?: string;
  /** Tokens of the body without its braces; absent for a prototype. Parsed when first called. */
  body?: readonly Token[];
  isSpecialization: boolean;
  /** `a::S` of `int a::S::f() { ... }`, as written. */
  qualifiers?: readonly string[];
  /** A virtual member function, also one that overrides. */
  isVirtual?: boolean;
  /** A constructor that no conversion may use. */
  isExplicit?: boolean;
  /** Of a constructor: `: a(x), Base(y)`. */
  initializers?: readonly MemberInitializer[];
  /** Line of the closing brace. */
  endLine: number;
  /** `= default` and `= delete`. */
  given?: 'default' | 'delete';
  /** Names of user types and templates known at that point; shared by the whole file. */
  names: KnownNames;
}

/** One of a constructor's initializers: of a field, a base, or another constructor of the same struct. */
export interface MemberInitializer {
  name: string;
  arguments: readonly Expression[];
  braces: boolean;
  line: number;
}

export interface StructItem extends Placed {
  kind: 'struct';
  name: string;
  template?: readonly TemplateParameter[];
  /** Of `template <> struct S<float>` and `template <int N> struct S<float, N>`: what it is for. */
  specialization?: readonly TemplateArgument[];
  bases: readonly TypeNode[];
  /** `using T = X;` inside. */
  aliases: readonly { name: string; type: TypeNode }[];
  fields: readonly Declarator[];
  /** Member functions and constructors, by name. */
  methods: readonly FunctionItem[];
  staticFields: readonly Declarator[];
  /** `struct alignas(16) S`: a number of bytes, or a type. */
  alignment?: TemplateArgument;
  /** Structs and enumerations declared inside. */
  nested: readonly (StructItem | EnumItem)[];
  /** Friend functions with their bodies. */
  friends: readonly FunctionItem[];
  /** A template of which nothing but its name is known. */
  isDeclaration?: boolean;
  problem?: string;
}

export interface EnumItem extends Placed {
  kind: 'enum';
  name: string;
  scoped: boolean;
  underlying?: TypeNode;
  members: readonly { name: string; value?: Expression }[];
}

export interface AliasItem extends Placed {
  kind: 'alias';
  name: string;
  template?: readonly TemplateParameter[];
  type: TypeNode | null;
  problem?: string;
}

export interface VariableItem extends Placed {
  kind: 'variable';
  space: 'host' | 'device';
  isConst: boolean;
  declarators: readonly Declarator[];
  template?: readonly TemplateParameter[];
  /** Of `template <> constexpr bool v<float> = true`: what it is for. */
  specialization?: readonly TemplateArgument[];
  problem?: string;
}

/** `m.def("forward", &f, ...)` of a PYBIND11_MODULE, or of a TORCH_LIBRARY. */
export interface ExportItem extends Placed {
  kind: 'export';
  /** The block's statements. */
  body: readonly Token[];
  library: 'pybind11' | 'torch';
}

export type Item = FunctionItem | StructItem | EnumItem | AliasItem | VariableItem | ExportItem;

/** Names the parser must know to tell `(T)x` from `(a) - x`, and `f<4>` from `f < 4`. */
export interface KnownNames {
  types: Set<string>;
  templates: Set<string>;
  /** Parameter packs, of templates and of functions. */
  packs: Set<string>;
  /** Namespace aliases, with what they stand for. */
  namespaces: Map<string, readonly string[]>;
}
