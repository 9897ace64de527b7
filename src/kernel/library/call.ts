/** A call of a library function: arguments are evaluated when asked for, so that a check's message costs nothing. */
import type { Expression, TemplateArgument } from '../cpp/ast.ts';
import { invalid } from '../error.ts';
import { convert, toIndex, toIndices, toNumber, toText, truth } from '../interpret/convert.ts';
import { type Operand, resolve } from '../interpret/expressions.ts';
import type { Machine } from '../interpret/machine.ts';
import { expandExpressions } from '../interpret/packs.ts';
import type { Scope } from '../interpret/scope.ts';
import { resolveType } from '../interpret/type-resolver.ts';
import type { CppType } from '../interpret/types.ts';
import { describeValue, type TensorView, type Value } from '../interpret/values.ts';

export class LibraryCall {
  readonly m: Machine;
  /** The normalised name, for messages. */
  readonly name: string;
  readonly templateArguments: readonly TemplateArgument[];
  readonly expressions: readonly Expression[];
  /** Where each argument is evaluated: its own scope where it is an element of a pack. */
  private readonly scopes: readonly Scope[];
  readonly scope: Scope;
  readonly line: number;
  private readonly operands: (Operand | undefined)[] = [];

  constructor(
    m: Machine,
    name: string,
    templateArguments: readonly TemplateArgument[],
    expressions: readonly Expression[],
    scope: Scope,
    line: number,
  ) {
    this.m = m;
    this.name = name;
    this.templateArguments = templateArguments;
    const expanded = expandExpressions(expressions, scope);
    this.expressions = expanded.map((e) => e.expression);
    this.scopes = expanded.map((e) => e.scope);
    this.scope = scope;
    this.line = line;
  }

  /** Another call in the same place. */
  with(name: string, expressions: readonly Expression[]): LibraryCall {
    return new LibraryCall(this.m, name, [], expressions, this.scope, this.line);
  }

  get count(): number {
    return this.expressions.length;
  }

  /** Evaluates argument `i` once. */
  operand(i: number): Operand {
    const known = this.operands[i];
    if (known) return known;
    const expression = this.expressions[i];
    if (!expression) throw invalid(`${this.name} needs an argument ${i + 1}`, this.line);
    const operand = resolve(this.m, expression, this.scopes[i] ?? this.scope);
    this.operands[i] = operand;
    return operand;
  }

  value(i: number): Value {
    const { value } = this.operand(i);
    if (value === undefined)
      throw invalid(`argument ${i + 1} of ${this.name} is read before it is given a value`, this.line);
    return value;
  }

  values(from = 0): Value[] {
    return this.expressions.slice(from).map((_, i) => this.value(i + from));
  }

  index(i: number): number {
    return toIndex(this.value(i), this.line);
  }

  indices(i: number): number[] {
    return toIndices(this.value(i), this.line);
  }

  number(i: number): number {
    return toNumber(this.value(i), this.line);
  }

  text(i: number): string {
    return toText(this.value(i), this.line);
  }

  flag(i: number): boolean {
    return truth(this.value(i), this.line);
  }

  tensor(i: number): TensorView {
    const value = this.value(i);
    const inner = value.kind === 'optional' ? value.cell?.value : value;
    if (inner?.kind !== 'tensor')
      throw invalid(`argument ${i + 1} of ${this.name} is not a tensor but ${describeValue(value)}`, this.line);
    if (!inner.tensor) throw invalid(`argument ${i + 1} of ${this.name} is an undefined tensor`, this.line);
    return inner.tensor;
  }

  /** The first template argument as a type. */
  type(i = 0): CppType | undefined {
    const argument = this.templateArguments[i];
    return argument?.type ? resolveType(this.m, argument.type, this.scope) : undefined;
  }

  /** Writes through an out-parameter: `&n` as argument `i`. */
  writeTo(i: number, value: Value): void {
    const pointer = this.value(i);
    if (pointer.kind !== 'pointer' || pointer.target.kind !== 'cell') {
      throw invalid(`argument ${i + 1} of ${this.name} must be the address of a variable`, this.line);
    }
    const { cell } = pointer.target;
    cell.value = cell.type.kind === 'auto' ? value : convert(value, cell.type, this.line, true);
  }
}

/** A library function. Returns the value of the call; an Operand where it names a variable. */
export type LibraryFunction = (call: LibraryCall) => Value | Operand;
