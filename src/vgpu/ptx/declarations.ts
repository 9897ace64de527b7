/** Variable declarations: attributes, type, name, array bounds, initialiser. Used by module, parameter and body parsing. */
import { isFloat, isPtxType, type PtxType, type Relocation, TYPE_BYTES, type Variable } from './ir.ts';
import { parseInteger, type TokenStream } from './tokens.ts';

export interface DeclarationContext {
  readonly space: Variable['space'];
  readonly linkage: Variable['linkage'];
  readonly owner: Variable['owner'];
  /** Gives the offset of the next variable of this size and alignment; undefined: the loader places it. */
  readonly place?: (bytes: number, align: number) => number;
}

export interface TypeAndAttributes {
  readonly type: PtxType;
  readonly lanes: number;
  readonly align: number | undefined;
}

/** Reads `.align 16 .v2 .f32` and the like, in any order, up to the name. `.texref` and its kin are opaque 8-byte handles. */
export function parseTypeAndAttributes(stream: TokenStream): TypeAndAttributes {
  let type: PtxType | undefined;
  let lanes = 1;
  let align: number | undefined;
  while (stream.peek().kind === 'directive') {
    const token = stream.next();
    const word = token.text.slice(1);
    if (isPtxType(word)) type = word;
    else if (word === 'v2' || word === 'v4' || word === 'v8') lanes = Number(word.slice(1));
    else if (word === 'align') align = stream.integer('an alignment');
    else if (word === 'texref' || word === 'surfref' || word === 'samplerref') type = 'u64';
    else if (word === 'attribute') {
      stream.expect('(');
      stream.skipPast(')');
      if (stream.peek().text === ')') stream.next();
    } else if (!/^(ptr|global|shared|const|local|param|generic|managed|unified)$/.test(word)) {
      throw stream.error(`${token.text} is not known in a declaration`, token);
    }
  }
  if (type === undefined) throw stream.error('a declaration without a type');
  return { type, lanes, align };
}

/** One variable, from its name on; `attributes` come before. */
export function parseDeclarator(
  stream: TokenStream,
  attributes: TypeAndAttributes,
  context: DeclarationContext,
): Variable {
  const line = stream.peek().line;
  const name = stream.word('a name');
  const elementBytes = TYPE_BYTES[attributes.type] * attributes.lanes;
  const bounds: (number | undefined)[] = [];
  while (stream.accept('[')) {
    bounds.push(stream.peek().text === ']' ? undefined : stream.integer('an array bound'));
    stream.expect(']');
  }
  let elements: number | undefined = bounds.reduce<number>((product, bound) => product * (bound ?? 0), 1);
  if (bounds[0] === undefined && bounds.length > 0) elements = undefined;
  let values: InitialValue[] | undefined;
  if (stream.accept('=')) {
    values = [];
    parseInitialiser(stream, values);
    elements ??= Math.ceil(values.length / attributes.lanes);
  }
  const bytes = (elements ?? 0) * elementBytes;
  const align = Math.max(attributes.align ?? elementBytes, 1);
  const { initial, relocations } = encodeInitialiser(stream, values, attributes.type, bytes);
  return {
    name,
    space: context.space,
    type: attributes.type,
    align,
    bytes,
    linkage: context.linkage,
    initial,
    relocations,
    owner: context.owner,
    offset: context.place?.(bytes, align) ?? -1,
    ptxLine: line,
  };
}

interface InitialValue {
  readonly number?: number;
  readonly bits?: bigint;
  /** IEEE bits given directly (`0f`, `0d`), of this size. */
  readonly floatBytes?: 4 | 8;
  readonly symbol?: string;
  readonly addend?: number;
  readonly generic?: boolean;
  /** `0xFF00(symbol)`: one byte of the address. */
  readonly mask?: bigint;
}

function parseInitialiser(stream: TokenStream, values: InitialValue[]): void {
  if (stream.accept('{')) {
    while (!stream.accept('}')) {
      parseInitialiser(stream, values);
      if (!stream.accept(',') && stream.peek().text !== '}')
        throw stream.error("expected ',' or '}' in an initialiser");
    }
    return;
  }
  const negative = stream.accept('-');
  const token = stream.next();
  if (token.kind === 'number') {
    const bits = parseInteger(token.text);
    if (bits !== undefined && stream.peek().text === '(') {
      stream.next();
      const symbol = parseSymbol(stream);
      stream.expect(')');
      values.push({ ...symbol, mask: bits });
      return;
    }
    if (bits !== undefined) values.push({ bits: negative ? -bits : bits });
    else if (/^0[fF]/.test(token.text)) values.push({ bits: BigInt(`0x${token.text.slice(2)}`), floatBytes: 4 });
    else if (/^0[dD]/.test(token.text)) values.push({ bits: BigInt(`0x${token.text.slice(2)}`), floatBytes: 8 });
    else values.push({ number: (negative ? -1 : 1) * Number(token.text) });
    return;
  }
  if (token.kind === 'word') {
    if (token.text === 'generic' && stream.accept('(')) {
      const symbol = parseSymbol(stream);
      stream.expect(')');
      values.push({ ...symbol, ...parseAddend(stream), generic: true });
      return;
    }
    values.push({ symbol: token.text, ...parseAddend(stream) });
    return;
  }
  throw stream.error(`'${token.text}' is not understood in an initialiser`, token);
}

function parseSymbol(stream: TokenStream): InitialValue {
  if (stream.peek().text === 'generic') {
    stream.next();
    stream.expect('(');
    const inner = parseSymbol(stream);
    stream.expect(')');
    return { ...inner, generic: true };
  }
  return { symbol: stream.word('a symbol'), ...parseAddend(stream) };
}

function parseAddend(stream: TokenStream): { addend: number } {
  if (stream.accept('+')) {
    const sign = stream.accept('-') ? -1 : 1;
    return { addend: sign * stream.integer('an offset') };
  }
  if (stream.accept('-')) return { addend: -stream.integer('an offset') };
  return { addend: 0 };
}

function encodeInitialiser(
  stream: TokenStream,
  values: readonly InitialValue[] | undefined,
  type: PtxType,
  bytes: number,
): { initial: Uint8Array | undefined; relocations: Relocation[] } {
  if (values === undefined) return { initial: undefined, relocations: [] };
  const initial = new Uint8Array(bytes);
  const view = new DataView(initial.buffer);
  const relocations: Relocation[] = [];
  const size = TYPE_BYTES[type];
  for (const [index, value] of values.entries()) {
    const offset = index * size;
    if (offset + size > bytes) throw stream.error('the initialiser is longer than the variable');
    if (value.symbol !== undefined) {
      const shift = value.mask === undefined ? 0 : value.mask.toString(2).length - 8;
      if (shift % 8 !== 0) throw stream.error('a mask of an address must name one whole byte');
      relocations.push({
        offset,
        bytes: value.mask === undefined ? size : 1,
        symbol: value.symbol,
        addend: value.addend ?? 0,
        generic: value.generic === true,
        shift,
      });
      continue;
    }
    writeScalar(view, offset, type, size, value);
  }
  return { initial, relocations };
}

function writeScalar(view: DataView, offset: number, type: PtxType, size: number, value: InitialValue): void {
  const asNumber =
    value.number ??
    (value.floatBytes === undefined ? Number(value.bits ?? 0n) : floatFromBits(value.bits ?? 0n, value.floatBytes));
  if (isFloat(type) && size === 4) {
    if (value.floatBytes === 4) view.setUint32(offset, Number(value.bits), true);
    else view.setFloat32(offset, asNumber, true);
  } else if (isFloat(type) && size === 8) {
    if (value.floatBytes === 8) view.setBigUint64(offset, value.bits ?? 0n, true);
    else view.setFloat64(offset, asNumber, true);
  } else {
    const bits = BigInt.asUintN(64, value.bits ?? BigInt(Math.trunc(asNumber)));
    for (let i = 0; i < Math.min(size, 8); i++) view.setUint8(offset + i, Number((bits >> BigInt(8 * i)) & 0xffn));
  }
}

function floatFromBits(bits: bigint, bytes: 4 | 8): number {
  const view = new DataView(new ArrayBuffer(8));
  if (bytes === 4) {
    view.setUint32(0, Number(bits));
    return view.getFloat32(0);
  }
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}
