/** One extension that a submission loads: its sources read, its functions found, its kernels compiled. */
import type { ExtensionSources } from '../../task/index.ts';
import type { FunctionItem, Item } from '../cpp/ast.ts';
import { parseTranslationUnit, type TranslationUnit } from '../cpp/translation-unit.ts';
import { CandidateError, invalid } from '../error.ts';
import type { HostExport } from '../interpret/host.ts';
import { Machine } from '../interpret/machine.ts';
import { Program } from '../interpret/program.ts';
import type { World } from '../interpret/world.ts';
import type { KernelUse } from '../trace.ts';
import { functionsOf } from './extension-call.ts';
import { paddedSource } from './source-lines.ts';

/** Flags of load_inline that say nothing about the kernels' code here: the architecture is the judge's, warnings and reports are nobody's. */
const WITHOUT_EFFECT =
  /^(-gencode.*|--generate-code.*|-arch[= ].*|--?gpu-architecture.*|-v|--verbose|--ptxas-options=.*|-Xptxas=.*|--?threads=\d+|-allow-unsupported-compiler|--generate-line-info|-Wno-.*|-Wall|-fPIC|-U__CUDA_NO_\w+|--?diag-suppress.*)$/;
/** Flags whose value is the next word. */
const WITH_VALUE = /^(-Xptxas|-Xcompiler|-gencode|--threads|--diag-suppress|-arch)$/;

/** Those of the flags that matter, for the build's own list to allow or refuse. */
export function flagsThatMatter(flags: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < flags.length; i++) {
    const flag = flags[i] as string;
    if (WITH_VALUE.test(flag)) i++;
    else if (flag !== '' && !WITHOUT_EFFECT.test(flag)) kept.push(flag);
  }
  return kept;
}

export class Extension {
  readonly name: string;
  /** What nvcc compiles, by its own text; host code of the C++ sources is among the items. */
  readonly unit: TranslationUnit;
  readonly flags: readonly string[];
  /** The submission's line of load_inline. */
  readonly line: number;
  /** True where the lines of the unit are the submission's own. */
  readonly placed: boolean;
  readonly names: readonly string[];
  readonly #functions: readonly string[];
  readonly #submissionLines: number;
  readonly #items: ReadonlySet<Item>;

  /** @throws CandidateError */
  constructor(sources: ExtensionSources, submission: string, world: World) {
    this.name = sources.name;
    this.line = sources.line;
    this.flags = flagsThatMatter(sources.flags);
    this.#submissionLines = submission.split('\n').length;
    const cuda = paddedSource(sources.cuda, submission);
    const cpp = paddedSource(sources.cpp, submission);
    this.placed = cuda.placed;
    this.unit = this.at(() => {
      const device = parseTranslationUnit(cuda.text);
      const host = parseTranslationUnit(cpp.text);
      checkBinding(sources.functions, device, host);
      return joined(device, host);
    });
    this.#items = new Set(this.unit.items);
    this.#functions = sources.functions ?? [];
    this.names = [...this.at(() => functionsOf(this.machine(world), this.#functions)).keys()];
  }

  /** A fresh interpreter of the sources, in this world. */
  machine(world: World): Machine {
    return new Machine(new Program(this.unit), world);
  }

  /** A function that Python may call. */
  find(m: Machine, name: string): HostExport | undefined {
    return functionsOf(m, this.#functions).get(name);
  }

  /** True for a kernel of these sources. */
  has(use: KernelUse): boolean {
    return this.#items.has(use.item);
  }

  /** Errors of the C++ text say where it stands. */
  at<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof RangeError)
        throw new CandidateError('limit', 'the host code is nested too deeply to be read', this.line);
      if (!(error instanceof CandidateError)) throw error;
      throw this.located(error);
    }
  }

  /** The error at a line that the submission has. */
  located(error: CandidateError): CandidateError {
    if (error.line === 0)
      return new CandidateError(error.kind, `${error.message} (in the extension ${this.name})`, this.line);
    if (this.placed) return error;
    // Such a source stands behind as many empty lines as the submission has: its own numbers are told.
    const own = (line: string): number => Number(line) - this.#submissionLines;
    const message = error.message.replace(/\b(lines?) (\d+)(?=:)|(?<=of line )(\d+)/g, (whole, word, first, other) => {
      const line = own(first ?? other);
      if (line < 1) return whole;
      return word ? `${word} ${line} of its text` : `${line}`;
    });
    return new CandidateError(error.kind, `in the sources of the extension ${this.name}: ${message}`, this.line);
  }
}

/**
 * What load_inline's own compilation would fail at: the binding that it writes for `functions` stands behind the C++ sources, so it knows only what
 * they declare, and it is a second one where the sources bind by themselves.
 */
function checkBinding(functions: readonly string[] | null, device: TranslationUnit, host: TranslationUnit): void {
  if (functions === null) return;
  const binding = [...host.items, ...device.items].find(({ kind }) => kind === 'export');
  if (binding?.kind === 'export')
    throw invalid(
      'load_inline is given `functions` and writes a PYBIND11_MODULE of its own, and the sources have one too: leave out one of the two',
      binding.line,
    );
  const declared = new Set(host.items.flatMap((item) => (item.kind === 'function' ? [item.name] : [])));
  const missing = functions.find((name) => !declared.has(name));
  if (missing !== undefined)
    throw invalid(
      `load_inline is given the function ${missing}, which cpp_sources do not declare: add its declaration there, as the binding that it writes needs it`,
      0,
    );
}

/**
 * The C++ sources' host code beside the CUDA sources'. load_inline compiles the two apart and links them: a function that both define is a mistake there too,
 * but for inline and static ones, of which either will do.
 */
function joined(device: TranslationUnit, host: TranslationUnit): TranslationUnit {
  for (const item of host.items) {
    if (item.kind === 'function' && item.space === 'kernel' && item.body)
      throw invalid(
        `the kernel ${item.name} stands in C++ sources, which no CUDA compiler sees; put it into cuda_sources, or into a file that ends in .cu`,
        item.line,
      );
  }
  const defined = (item: Item): item is FunctionItem => item.kind === 'function' && item.body !== undefined;
  const key = (f: FunctionItem) => `${[...f.namespace, f.name].join('::')}(${f.parameters.length})`;
  const known = new Set(device.items.filter(defined).map(key));
  const more = host.items.filter((item) => !(defined(item) && known.has(key(item))));
  return {
    ...device,
    items: [...device.items, ...more],
    usedNamespaces: [...device.usedNamespaces, ...host.usedNamespaces],
  };
}
