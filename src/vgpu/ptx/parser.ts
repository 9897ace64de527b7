/** PTX text to a {@link PtxModule}: directives of the module here, function bodies in body.ts. */
import { BodyParser } from './body.ts';
import { type DeclarationContext, parseDeclarator, parseTypeAndAttributes } from './declarations.ts';
import { type Parameter, type Performance, PtxError, type PtxFunction, type PtxModule, type Variable } from './ir.ts';
import { TokenStream } from './tokens.ts';

/** Parses one module. `name` is used in messages. Throws {@link PtxError}, with the line, on anything not understood. */
export function parsePtx(text: string, name = 'module'): PtxModule {
  return new ModuleParser(text, name).parse();
}

const LINKAGES = new Set(['.visible', '.extern', '.weak', '.common']);

class ModuleParser {
  readonly #stream: TokenStream;
  readonly #name: string;
  readonly #variables = new Map<string, Variable>();
  readonly #functions = new Map<string, PtxFunction>();
  readonly #declared = new Set<string>();
  readonly #files = new Map<number, string>();
  #version = '';
  #target = '';

  constructor(text: string, name: string) {
    this.#stream = new TokenStream(text);
    this.#name = name;
    // The file table comes last in nvcc's output, after the lines that refer to it.
    for (const [, index, path] of text.matchAll(/^\s*\.file\s+(\d+)\s+"([^"\n]*)"/gm))
      this.#files.set(Number(index), path!);
  }

  parse(): PtxModule {
    const stream = this.#stream;
    while (stream.peek().kind !== 'end') this.#parseTopLevel();
    if (this.#version === '') throw new PtxError('this is not PTX: there is no .version directive', 1, '');
    const externals = new Set([...this.#declared].filter((name) => !this.#functions.has(name)));
    return {
      name: this.#name,
      version: this.#version,
      target: this.#target,
      variables: [...this.#variables.values()],
      functions: this.#functions,
      externals,
      files: this.#files,
    };
  }

  #parseTopLevel(): void {
    const stream = this.#stream;
    let linkage: Variable['linkage'] = 'internal';
    while (LINKAGES.has(stream.peek().text)) linkage = stream.next().text.slice(1) as Variable['linkage'];
    const token = stream.next();
    switch (token.text) {
      case '.version':
        this.#version = stream.next().text;
        return;
      case '.target':
        this.#target = stream.word('a target');
        while (stream.accept(',')) stream.next();
        return;
      case '.address_size':
        if (stream.integer('32 or 64') !== 64) throw stream.error('only 64-bit PTX is supported', token);
        return;
      case '.file':
        stream.integer('a file number');
        stream.next();
        while (stream.accept(',')) stream.next();
        return;
      case '.section':
        if (stream.peek().kind !== 'punctuation') stream.next();
        stream.skipBlock();
        return;
      case '.pragma':
      case '.alias':
        stream.skipPast(';');
        return;
      case '.global':
      case '.const':
      case '.shared':
        this.#parseVariables(token.text.slice(1) as 'global' | 'const' | 'shared', linkage);
        return;
      case '.entry':
        this.#parseFunction(true, linkage);
        return;
      case '.func':
        this.#parseFunction(false, linkage);
        return;
      case ';':
        return;
      default:
        throw stream.error(`'${token.text}' is not understood at the top level of a module`, token);
    }
  }

  #parseVariables(space: 'global' | 'const' | 'shared', linkage: Variable['linkage']): void {
    const stream = this.#stream;
    const attributes = parseTypeAndAttributes(stream);
    do {
      const variable = parseDeclarator(stream, attributes, { space, linkage, owner: 'module' });
      const known = this.#variables.get(variable.name);
      if (known === undefined || known.linkage === 'extern') this.#variables.set(variable.name, variable);
    } while (stream.accept(','));
    stream.expect(';');
  }

  #parseFunction(entry: boolean, linkage: Variable['linkage']): void {
    const stream = this.#stream;
    const body = new BodyParser(stream, {
      variables: this.#variables,
      functionNames: this.#declared,
      files: this.#files,
    });
    stream.accept('.attribute');
    const returns = !entry && stream.peek().text === '(' ? this.#parseParameters(body, false) : [];
    const nameToken = stream.peek();
    const name = stream.word('a function name');
    this.#declared.add(name);
    const params = stream.peek().text === '(' ? this.#parseParameters(body, entry) : [];
    const performance = this.#parsePerformance();
    if (stream.accept(';')) return;
    if (this.#functions.has(name)) throw stream.error(`${name} is defined twice`, nameToken);
    const parsed = body.parse();
    this.#functions.set(name, {
      name,
      entry,
      linkage,
      params,
      returns,
      ...parsed,
      performance,
      ptxLine: nameToken.line,
    });
  }

  #parseParameters(body: BodyParser, entry: boolean): Parameter[] {
    const stream = this.#stream;
    const parameters: Parameter[] = [];
    stream.expect('(');
    while (!stream.accept(')')) {
      const token = stream.next();
      if (token.text === '.reg') {
        const { type } = parseTypeAndAttributes(stream);
        const name = stream.word('a name');
        parameters.push({ kind: 'register', register: body.declareRegister(name, type) });
      } else if (token.text === '.param') {
        const attributes = parseTypeAndAttributes(stream);
        const context: DeclarationContext = {
          space: 'param',
          linkage: 'internal',
          owner: entry ? 'kernel-parameter' : 'frame',
          place: (bytes, align) => body.placeParameter(entry, bytes, align),
        };
        const variable = parseDeclarator(stream, attributes, context);
        body.declareVariable(variable, false);
        parameters.push({ kind: 'variable', variable });
      } else {
        throw stream.error(`expected .param or .reg, found '${token.text}'`, token);
      }
      if (!stream.accept(',') && stream.peek().text !== ')') throw stream.error("expected ',' or ')'");
    }
    return parameters;
  }

  #parsePerformance(): Performance {
    const stream = this.#stream;
    let performance: Performance = {};
    const triple = (): [number, number, number] => {
      const values: [number, number, number] = [stream.integer('a count'), 1, 1];
      if (stream.accept(',')) values[1] = stream.integer('a count');
      if (stream.accept(',')) values[2] = stream.integer('a count');
      return values;
    };
    for (;;) {
      const token = stream.peek();
      if (token.kind !== 'directive') return performance;
      stream.next();
      switch (token.text) {
        case '.maxntid':
          performance = { ...performance, maxThreads: triple() };
          break;
        case '.reqntid':
          performance = { ...performance, requiredThreads: triple() };
          break;
        case '.reqnctapercluster':
          performance = { ...performance, requiredCluster: triple() };
          break;
        case '.minnctapersm':
          performance = { ...performance, minBlocksPerSm: stream.integer('a count') };
          break;
        case '.maxnreg':
          performance = { ...performance, maxRegisters: stream.integer('a count') };
          break;
        case '.maxclusterrank':
          performance = { ...performance, maxClusterBlocks: stream.integer('a count') };
          break;
        case '.maxnctapersm':
        case '.abi_preserve':
        case '.abi_preserve_control':
          stream.integer('a count');
          break;
        case '.explicitcluster':
        case '.blocksareclusters':
        case '.noreturn':
          break;
        case '.pragma':
          stream.skipPast(';');
          break;
        default:
          throw stream.error(`the directive ${token.text} is not supported here`, token);
      }
    }
  }
}
