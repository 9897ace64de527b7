/** Function bodies: scopes, registers, labels, `.loc` lines and instructions. */
import { parseDeclarator, parseTypeAndAttributes } from './declarations.ts';
import { decode, type RawInstruction } from './decode.ts';
import {
  type AddressBase,
  type CallSite,
  type Guard,
  type Instruction,
  type Operand,
  PtxError,
  type PtxFunction,
  type PtxType,
  type Register,
  type SourceLocation,
  type Variable,
} from './ir.ts';
import type { Token } from './lexer.ts';
import { isKnownOpcode, matchOpcode } from './opcodes.ts';
import { isSpecialRegister } from './special-registers.ts';
import { parseInteger, type TokenStream } from './tokens.ts';

export interface ModuleNames {
  readonly variables: ReadonlyMap<string, Variable>;
  readonly functionNames: ReadonlySet<string>;
  readonly files: ReadonlyMap<number, string>;
}

interface Scope {
  readonly parent: Scope | undefined;
  readonly registers: Map<string, number>;
  readonly variables: Map<string, Variable>;
  readonly labels: Map<string, number>;
  readonly branchTables: Map<string, readonly string[]>;
  /** Where call-site parameters of this scope start in the frame. */
  readonly paramStart: number;
}

interface PendingTargets {
  readonly scope: Scope;
  readonly names: readonly string[];
  readonly targets: number[];
  readonly token: Token;
}

type Parsed = Pick<
  PtxFunction,
  'registers' | 'variables' | 'instructions' | 'labels' | 'localBytes' | 'paramBytes' | 'frameParamBytes'
>;

function alignUp(value: number, align: number): number {
  return Math.ceil(value / align) * align;
}

export class BodyParser {
  readonly #stream: TokenStream;
  readonly #module: ModuleNames;
  readonly #registers: Register[] = [];
  readonly #variables: Variable[] = [];
  readonly #instructions: Instruction[] = [];
  readonly #labels = new Map<string, number>();
  readonly #pending: PendingTargets[] = [];
  /** Immediates of the current instruction that were written as floats, by the size of their bits. */
  readonly #floatLiterals = new Map<Operand, 32 | 64>();
  #scope: Scope = this.#newScope(undefined, 0);
  #source: SourceLocation | undefined;
  #localBytes = 0;
  #kernelParamBytes = 0;
  #frameCursor = 0;
  #frameParamBytes = 0;

  constructor(stream: TokenStream, names: ModuleNames) {
    this.#stream = stream;
    this.#module = names;
  }

  #newScope(parent: Scope | undefined, paramStart: number): Scope {
    return {
      parent,
      registers: new Map(),
      variables: new Map(),
      labels: new Map(),
      branchTables: new Map(),
      paramStart,
    };
  }

  declareRegister(name: string, type: PtxType): number {
    const id = this.#registers.length;
    this.#registers.push({ name, type });
    this.#scope.registers.set(name, id);
    return id;
  }

  declareVariable(variable: Variable, inBody: boolean): void {
    this.#scope.variables.set(variable.name, variable);
    if (inBody) this.#variables.push(variable);
  }

  /** The offset of a parameter in the kernel's parameter buffer or in the call frame. */
  placeParameter(kernel: boolean, bytes: number, align: number): number {
    if (kernel) {
      const offset = alignUp(this.#kernelParamBytes, align);
      this.#kernelParamBytes = offset + bytes;
      return offset;
    }
    const offset = alignUp(this.#frameCursor, align);
    this.#frameCursor = offset + bytes;
    this.#frameParamBytes = Math.max(this.#frameParamBytes, this.#frameCursor);
    return offset;
  }

  parse(): Parsed {
    const stream = this.#stream;
    stream.expect('{');
    let depth = 1;
    while (depth > 0) {
      if (stream.accept('{')) {
        this.#scope = this.#newScope(this.#scope, this.#frameCursor);
        depth++;
      } else if (stream.accept('}')) {
        this.#frameCursor = this.#scope.paramStart;
        this.#scope = this.#scope.parent ?? this.#scope;
        depth--;
      } else {
        this.#parseStatement();
      }
    }
    for (const { scope, names, targets, token } of this.#pending) {
      for (const name of names) targets.push(this.#resolveLabel(scope, name, token));
    }
    return {
      registers: this.#registers,
      variables: this.#variables,
      instructions: this.#instructions,
      labels: this.#labels,
      localBytes: this.#localBytes,
      paramBytes: this.#kernelParamBytes,
      frameParamBytes: this.#frameParamBytes,
    };
  }

  #resolveLabel(scope: Scope, name: string, token: Token): number {
    for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
      const target = at.labels.get(name);
      if (target !== undefined) return target;
    }
    throw this.#stream.error(`there is no label ${name}`, token);
  }

  #parseStatement(): void {
    const stream = this.#stream;
    const token = stream.peek();
    if (token.kind === 'directive') {
      stream.next();
      this.#parseDirective(token);
    } else if (token.kind === 'word' && stream.peek(1).text === ':') {
      stream.next();
      stream.next();
      this.#parseLabel(token);
    } else if (token.kind === 'word' || token.text === '@') {
      this.#parseInstruction();
    } else if (!stream.accept(';')) {
      throw stream.error(`'${token.text}' does not start a statement`, token);
    }
  }

  #parseLabel(token: Token): void {
    const stream = this.#stream;
    if (stream.accept('.callprototype') || stream.accept('.calltargets')) {
      stream.skipPast(';');
    } else if (stream.accept('.branchtargets')) {
      const names: string[] = [];
      do names.push(stream.word('a label'));
      while (stream.accept(','));
      stream.expect(';');
      this.#scope.branchTables.set(token.text, names);
    } else {
      if (this.#scope.labels.has(token.text)) throw stream.error(`the label ${token.text} is defined twice`, token);
      this.#scope.labels.set(token.text, this.#instructions.length);
      this.#labels.set(token.text, this.#instructions.length);
    }
  }

  #parseDirective(token: Token): void {
    const stream = this.#stream;
    switch (token.text) {
      case '.reg':
        this.#parseRegisters();
        return;
      case '.loc':
        this.#parseLocation();
        return;
      case '.pragma':
        stream.skipPast(';');
        return;
      case '.local':
      case '.shared':
      case '.param':
      case '.global':
      case '.const':
        this.#parseVariables(token);
        return;
      case '.file':
        throw stream.error('.file inside a function is not supported', token);
      default:
        throw stream.error(`the directive ${token.text} is not supported in a function`, token);
    }
  }

  #parseRegisters(): void {
    const stream = this.#stream;
    const { type, lanes } = parseTypeAndAttributes(stream);
    if (lanes !== 1) throw stream.error('vector registers are not supported');
    do {
      const name = stream.word('a register name');
      if (stream.accept('<')) {
        const count = stream.integer('a register count');
        stream.expect('>');
        for (let i = 0; i < count; i++) this.declareRegister(`${name}${i}`, type);
      } else {
        this.declareRegister(name, type);
      }
    } while (stream.accept(','));
    stream.expect(';');
  }

  #parseVariables(token: Token): void {
    const stream = this.#stream;
    const space = token.text.slice(1) as Variable['space'];
    const attributes = parseTypeAndAttributes(stream);
    do {
      const variable = parseDeclarator(stream, attributes, {
        space,
        linkage: 'internal',
        owner: space === 'param' || space === 'local' ? 'frame' : 'module',
        place: (bytes, align) => {
          if (space === 'param') return this.placeParameter(false, bytes, align);
          if (space !== 'local') return -1;
          const offset = alignUp(this.#localBytes, align);
          this.#localBytes = offset + bytes;
          return offset;
        },
      });
      this.declareVariable(variable, true);
    } while (stream.accept(','));
    stream.expect(';');
  }

  #parseLocation(): void {
    const stream = this.#stream;
    const place = (): SourceLocation => {
      const file = this.#module.files.get(stream.integer('a file number')) ?? '';
      const line = stream.integer('a line');
      stream.integer('a column');
      return { file, line };
    };
    let location = place();
    while (stream.accept(',')) {
      const word = stream.word('function_name or inlined_at');
      if (word === 'function_name') {
        stream.next();
        if (stream.accept('+')) stream.integer('an offset');
      } else if (word === 'inlined_at') {
        location = { ...location, inlinedAt: place() };
      } else {
        throw stream.error(`'${word}' is not understood in .loc`);
      }
    }
    this.#source = location.line === 0 ? this.#source : location;
  }

  // Instructions

  #parseInstruction(): void {
    const stream = this.#stream;
    const first = stream.peek();
    let guard: Guard | undefined;
    if (stream.accept('@')) {
      const negated = stream.accept('!');
      guard = { register: this.#register(stream.next()), negated };
    }
    const opcodeToken = stream.peek();
    const opcode = stream.word('an instruction');
    this.#floatLiterals.clear();
    if (!isKnownOpcode(opcode)) {
      this.#unsupported(opcode, opcodeToken, first, `the instruction ${opcode.split('.')[0]} is not supported`);
      return;
    }
    if (opcode === 'call' || opcode.startsWith('call.')) {
      const call = this.#parseCall();
      this.#emit(opcode, opcodeToken, first, { guard, dst: [], src: [], targets: [], call });
      return;
    }
    if (opcode === 'bra' || opcode === 'bra.uni') {
      const targets: number[] = [];
      const token = stream.next();
      this.#pending.push({ scope: this.#scope, names: [token.text], targets, token });
      this.#emit(opcode, opcodeToken, first, { guard, dst: [], src: [], targets, call: undefined });
      return;
    }
    if (opcode.startsWith('brx')) {
      const index = this.#parseOperand();
      stream.expect(',');
      const table = stream.next();
      const names = this.#branchTable(table);
      const targets: number[] = [];
      this.#pending.push({ scope: this.#scope, names, targets, token: table });
      this.#emit(opcode, opcodeToken, first, { guard, dst: [], src: [index], targets, call: undefined });
      return;
    }
    const operands: Operand[][] = [];
    if (stream.peek().text !== ';') {
      do operands.push(this.#parseAlternatives());
      while (stream.accept(','));
    }
    const matched = matchOpcode(opcode, operands.length);
    if (typeof matched === 'string') {
      this.#unsupported(opcode, opcodeToken, first, matched);
      return;
    }
    const dst = matched.form.hasDestination ? (operands[0] ?? []) : [];
    const rest = matched.form.hasDestination ? operands.slice(1) : operands;
    if (dst.length > 1 && !matched.form.pair) throw stream.error(`${opcode} has one result`, opcodeToken);
    const src = rest.map((alternatives) => {
      if (alternatives.length !== 1) throw stream.error("'|' is only for results", opcodeToken);
      return alternatives[0]!;
    });
    this.#emit(opcode, opcodeToken, first, { guard, dst, src, targets: [], call: undefined });
  }

  /** Takes note of an instruction that is not understood; what would run it cannot be launched. */
  #unsupported(opcode: string, opcodeToken: Token, first: Token, reason: string): void {
    const stream = this.#stream;
    while (stream.peek().text !== ';') {
      if (stream.peek().kind === 'end') throw stream.error("expected ';' before the end of the file");
      stream.next();
    }
    const end = stream.expect(';');
    const text = stream.text.slice(first.start, end.start).replace(/\s+/g, ' ').trim();
    this.#note(opcode, text, opcodeToken.line, reason);
  }

  #note(opcode: string, text: string, line: number, reason: string): void {
    const op = opcode.split('.')[0]!;
    const source = this.#source;
    this.#instructions.push({
      kind: 'unsupported',
      op,
      guard: undefined,
      dst: [],
      src: [],
      text,
      line,
      source,
      reason,
    });
  }

  #emit(
    opcode: string,
    opcodeToken: Token,
    first: Token,
    parts: Pick<RawInstruction, 'guard' | 'dst' | 'src' | 'targets' | 'call'>,
  ): void {
    const stream = this.#stream;
    const operandCount = opcode.startsWith('bra') ? 1 : opcode.startsWith('brx') ? 2 : parts.src.length;
    const count = parts.dst.length > 0 ? operandCount + 1 : operandCount;
    const matched = matchOpcode(opcode, count);
    if (typeof matched === 'string') throw stream.error(matched, opcodeToken);
    const end = stream.expect(';');
    const text = stream.text.slice(first.start, end.start).replace(/\s+/g, ' ').trim();
    const literalType = matched.fields.type ?? matched.fields.from;
    const src = parts.src.map((operand) => this.#settleLiteral(operand, literalType, matched.kind, opcodeToken));
    const { line } = first;
    try {
      this.#instructions.push(decode({ matched, ...parts, src, uniform: false, text, line, source: this.#source }));
    } catch (error) {
      if (!(error instanceof PtxError)) throw error;
      this.#note(opcode, text, line, error.reason);
    }
  }

  /** Converts a float literal to the instruction's own float size, where the text used the other one. */
  #settleLiteral(operand: Operand, type: string | undefined, kind: string, token: Token): Operand {
    if (operand.kind === 'vector') {
      return { ...operand, elements: operand.elements.map((e) => this.#settleLiteral(e, type, kind, token)) };
    }
    if (operand.kind !== 'immediate') return operand;
    const size = this.#floatLiterals.get(operand);
    const float = type !== undefined && /^(f32|f64)$/.test(type);
    if (size === undefined) {
      if (float && kind === 'arithmetic' && operand.bits !== 0n) {
        throw this.#stream.error(`an integer literal in an instruction on ${type}`, token);
      }
      return operand;
    }
    if (!float) return operand;
    const view = new DataView(new ArrayBuffer(8));
    if (size === 64 && type === 'f32') {
      view.setBigUint64(0, operand.bits);
      view.setFloat32(0, view.getFloat64(0));
      return { kind: 'immediate', bits: BigInt(view.getUint32(0)) };
    }
    if (size === 32 && type === 'f64') {
      view.setUint32(0, Number(operand.bits));
      view.setFloat64(0, view.getFloat32(0));
      return { kind: 'immediate', bits: view.getBigUint64(0) };
    }
    return operand;
  }

  #branchTable(token: Token): readonly string[] {
    for (let at: Scope | undefined = this.#scope; at !== undefined; at = at.parent) {
      const names = at.branchTables.get(token.text);
      if (names !== undefined) return names;
    }
    throw this.#stream.error(`there is no .branchtargets list ${token.text}`, token);
  }

  #parseCall(): CallSite {
    const stream = this.#stream;
    const list = (): Operand[] => {
      const operands: Operand[] = [];
      stream.expect('(');
      while (!stream.accept(')')) {
        operands.push(this.#parseOperand());
        if (!stream.accept(',') && stream.peek().text !== ')') throw stream.error("expected ',' or ')'");
      }
      return operands;
    };
    let returns: Operand[] = [];
    if (stream.peek().text === '(') {
      returns = list();
      stream.expect(',');
    }
    const callee = stream.next();
    const register = this.#lookupRegister(callee.text);
    if (register === undefined && !this.#module.functionNames.has(callee.text)) {
      throw stream.error(`the function ${callee.text} is not declared`, callee);
    }
    let args: Operand[] = [];
    if (stream.accept(',')) {
      if (stream.peek().text === '(') {
        args = list();
        if (stream.accept(',')) stream.word('a prototype');
      } else {
        stream.word('a prototype');
      }
    }
    return { target: register === undefined ? callee.text : { register }, returns, args };
  }

  #parseAlternatives(): Operand[] {
    const operands = [this.#parseOperand()];
    while (this.#stream.accept('|')) operands.push(this.#parseOperand());
    return operands;
  }

  #parseOperand(): Operand {
    const stream = this.#stream;
    const token = stream.peek();
    if (token.text === '{' && token.kind === 'punctuation') {
      stream.next();
      const elements: Operand[] = [];
      do elements.push(this.#parseOperand());
      while (stream.accept(','));
      stream.expect('}');
      return { kind: 'vector', elements };
    }
    if (stream.accept('[')) return this.#parseAddress();
    if (stream.accept('!')) {
      return { kind: 'predicate', id: this.#register(stream.next()), negated: true };
    }
    if (token.kind === 'number' || token.text === '-' || token.text === '+' || token.text === '~') {
      return this.#parseImmediate();
    }
    stream.next();
    if (token.kind !== 'word') throw stream.error(`'${token.text}' is not an operand`, token);
    return this.#parseName(token);
  }

  #parseName(token: Token): Operand {
    const stream = this.#stream;
    const name = token.text;
    if (name === '_') return { kind: 'sink' };
    const register = this.#lookupRegister(name);
    if (register !== undefined) {
      const { type } = this.#registers[register]!;
      return type === 'pred'
        ? { kind: 'predicate', id: register, negated: false }
        : { kind: 'register', id: register, type };
    }
    const special = name.startsWith('%') ? name.slice(1) : name;
    if ((name.startsWith('%') || name === 'WARP_SZ') && isSpecialRegister(special)) {
      return { kind: 'special', register: special };
    }
    const variable = this.#lookupVariable(name);
    if (variable !== undefined) return { kind: 'symbol', variable, offset: this.#parseOffset() };
    if (this.#module.functionNames.has(name)) return { kind: 'function', name };
    const component = /^(.*)\.[xyzwrgbah]\d?$/.exec(name);
    if (component !== null && this.#lookupRegister(component[1]!) !== undefined) {
      throw stream.error('selecting a component of a register is not supported', token);
    }
    throw stream.error(
      name.startsWith('%') ? `the register ${name} is not declared or not supported` : `${name} is not declared`,
      token,
    );
  }

  #parseOffset(): number {
    const stream = this.#stream;
    if (stream.accept('+')) {
      const negative = stream.accept('-');
      const value = stream.integer('an offset');
      return negative ? -value : value;
    }
    if (stream.accept('-')) return -stream.integer('an offset');
    return 0;
  }

  #parseAddress(): Operand {
    const stream = this.#stream;
    const token = stream.next();
    let base: AddressBase;
    let offset = 0;
    if (token.kind === 'number') {
      base = { kind: 'absolute' };
      const value = parseInteger(token.text);
      if (value === undefined) throw stream.error(`'${token.text}' is not an address`, token);
      offset = Number(value);
    } else {
      const register = this.#lookupRegister(token.text);
      const variable = register === undefined ? this.#lookupVariable(token.text) : undefined;
      if (register !== undefined) base = { kind: 'register', id: register, type: this.#registers[register]!.type };
      else if (variable !== undefined) base = { kind: 'variable', variable };
      else throw stream.error(`${token.text} is not declared`, token);
      offset = this.#parseOffset();
    }
    const coordinates = stream.accept(',') ? this.#parseOperand() : undefined;
    stream.expect(']');
    return coordinates === undefined
      ? { kind: 'address', base, offset }
      : { kind: 'address', base, offset, coordinates };
  }

  #parseImmediate(): Operand {
    const stream = this.#stream;
    let negative = false;
    let inverted = false;
    for (;;) {
      if (stream.accept('-')) negative = !negative;
      else if (stream.accept('~')) inverted = true;
      else if (!stream.accept('+')) break;
    }
    const token = stream.next();
    if (token.kind !== 'number') throw stream.error(`expected a number, found '${token.text}'`, token);
    const integer = parseInteger(token.text);
    if (integer !== undefined) {
      let value = negative ? -integer : integer;
      if (inverted) value = ~value;
      return { kind: 'immediate', bits: BigInt.asUintN(64, value) };
    }
    const single = /^0[fF]/.test(token.text);
    let bits: bigint;
    if (single || /^0[dD]/.test(token.text)) {
      bits = BigInt(`0x${token.text.slice(2)}`);
      if (negative) bits ^= single ? 0x8000_0000n : 0x8000_0000_0000_0000n;
    } else {
      const view = new DataView(new ArrayBuffer(8));
      view.setFloat64(0, negative ? -Number(token.text) : Number(token.text));
      bits = view.getBigUint64(0);
    }
    const operand: Operand = { kind: 'immediate', bits };
    this.#floatLiterals.set(operand, single ? 32 : 64);
    return operand;
  }

  #lookupRegister(name: string): number | undefined {
    for (let at: Scope | undefined = this.#scope; at !== undefined; at = at.parent) {
      const id = at.registers.get(name);
      if (id !== undefined) return id;
    }
    return undefined;
  }

  #register(token: Token): number {
    const id = this.#lookupRegister(token.text);
    if (id === undefined) throw this.#stream.error(`the register ${token.text} is not declared`, token);
    return id;
  }

  #lookupVariable(name: string): Variable | undefined {
    for (let at: Scope | undefined = this.#scope; at !== undefined; at = at.parent) {
      const variable = at.variables.get(name);
      if (variable !== undefined) return variable;
    }
    return this.#module.variables.get(name);
  }
}
