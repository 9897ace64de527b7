/**
 * Finding candidates in a checkout of somebody's published kernels, for coverage.ts. Three forms are read, and nothing of them is executed:
 * `.cu` files with a task beside or above them, Python files that hand CUDA text to `load_inline`, and JSON lines with such Python.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';

/** One program: CUDA C++ text, and where the task stands that it was written for. */
export interface CorpusProgram {
  /** Path, or line of a JSON file, and which of the file's programs. */
  name: string;
  source: string;
  /** Functions that Python asked for; empty: the file's own exports say it. */
  entries: readonly string[];
  /** A task file or folder; absent where none was found. */
  task?: string;
  /** The task's own text, where the corpus carries it. */
  taskSource?: string;
  direction: 'forward' | 'backward';
  /** The whole Python file, where that is a submission (`class ModelNew`): it says what the functions are called with. */
  submission?: string;
}

/** Every program under `directory` once: a text that comes again keeps its first name. */
export function readCorpus(directory: string, tasks: string | undefined): CorpusProgram[] {
  const seen = new Set<string>();
  return filesUnder(directory)
    .flatMap((file): CorpusProgram[] => {
      const name = relative(directory, file);
      if (file.endsWith('.cu')) return [readCuda(file, name, directory, tasks)];
      const text = readFileSync(file, 'utf8');
      if (file.endsWith('.py')) return fromPython(text, name, taskNumbered(tasks, name));
      return text.split('\n').flatMap((line, i) => fromJson(line, `${name}:${i + 1}`, tasks));
    })
    .filter(({ source, entries }) => {
      const key = `${source}\n${entries.join()}`;
      return seen.has(key) ? false : seen.add(key);
    });
}

function filesUnder(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => !entry.name.startsWith('.'))
    .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
    .flatMap((entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) return filesUnder(path);
      return /\.(cu|py|json|jsonl)$/.test(entry.name) && statSync(path).size < 64 << 20 ? [path] : [];
    });
}

/** robust-kbench's form: the folder itself is the task, or a folder of that name lies in `tasks`. */
function readCuda(file: string, name: string, root: string, tasks: string | undefined): CorpusProgram {
  const direction = /backward/.test(name) ? 'backward' : 'forward';
  let task: string | undefined;
  for (let at = dirname(file); ; at = dirname(at)) {
    const named = tasks && join(tasks, basename(at));
    task = [at, named].find((each) => each && existsSync(join(each, 'func_forward.py')));
    if (task || relative(root, at) === '') break;
  }
  return { name, source: readFileSync(file, 'utf8'), entries: [], task, direction };
}

/**
 * CUDA-L1's form: an object a line, with `level_id`, `task_id`, the Python text in `custom_code`, and in `ref_code` the task as it was
 * when the program was written, which counts more than today's task of that number.
 */
function fromJson(line: string, name: string, tasks: string | undefined): CorpusProgram[] {
  if (!line.startsWith('{') || !line.includes('"custom_code"')) return [];
  let entry: Readonly<Record<string, unknown>>;
  try {
    entry = JSON.parse(line);
  } catch {
    return [];
  }
  const { level_id: level, task_id: task, custom_code: code, ref_code: reference } = entry;
  if (typeof code !== 'string') return [];
  const taskSource = typeof reference === 'string' ? reference : undefined;
  const programs = fromPython(code, name, taskSource ? undefined : taskNumbered(tasks, `level${level}/${task}_`));
  return programs.map((program) => ({ ...program, taskSource }));
}

/** The task of the same number: `tasks/level1/23_Softmax.py` for `level1/23_anything.py`. */
function taskNumbered(tasks: string | undefined, name: string): string | undefined {
  const level = /level_?(\d+)/.exec(name)?.[1];
  const number = /(?:problem_|task_|\/)(\d+)_/.exec(name)?.[1];
  const folder = tasks && level && join(tasks, `level${level}`);
  if (!folder || !number || !existsSync(folder)) return undefined;
  const file = readdirSync(folder).find((each) => each.startsWith(`${number}_`) && each.endsWith('.py'));
  return file && join(folder, file);
}

/** The programs that `load_inline(...)` builds: its sources are string literals, or names of them. */
function fromPython(text: string, name: string, task: string | undefined): CorpusProgram[] {
  const { strings, code } = withoutStrings(text);
  const texts = new Map<string, string>();
  for (const [, variable, literals] of code.matchAll(/([A-Za-z_]\w*)\s*=\s*\(?\s*((?:[rRbBuU]*«\d+»\s*)+)/g)) {
    texts.set(variable!, [...literals!.matchAll(/«(\d+)»/g)].map(([, which]) => strings[Number(which)]).join(''));
  }
  const programs: CorpusProgram[] = [];
  const submission = /^class ModelNew\b/m.test(text) ? text : undefined;
  for (const call of code.matchAll(/\bload_inline\s*\(/g)) {
    const argumentText = balanced(code, call.index + call[0].length - 1);
    const given = (keyword: string): string =>
      new RegExp(`\\b${keyword}\\s*=\\s*(\\[[^\\]]*\\]|[^,)]*)`).exec(argumentText)?.[1] ?? '';
    const sources = (keyword: string): string[] =>
      [...given(keyword).matchAll(/«(\d+)»|([A-Za-z_][\w.]*)/g)].flatMap(([, literal, variable]) => {
        const found = literal ? strings[Number(literal)] : texts.get(variable!.split('.').pop()!);
        return found === undefined ? [] : [found];
      });
    const entries = [...given('functions').matchAll(/«(\d+)»/g)].map(([, which]) => strings[Number(which)]!);
    const source = [...sources('cpp_sources'), ...sources('cuda_sources')].join('\n');
    if (!source.includes('__global__')) continue;
    const suffix = programs.length > 0 ? `#${programs.length + 1}` : '';
    programs.push({ name: `${name}${suffix}`, source, entries, task, direction: 'forward', submission });
  }
  return programs;
}

/** Python with its string literals taken out and numbered, its comments dropped. */
function withoutStrings(text: string): { code: string; strings: string[] } {
  const strings: string[] = [];
  const literal = /([rR]?)[bBfFuU]?("""[\s\S]*?"""|'''[\s\S]*?'''|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|#[^\n]*/g;
  const code = text.replace(literal, (_, raw: string, quoted: string | undefined) => {
    if (quoted === undefined) return '';
    const inner = /^("""|''')/.test(quoted) ? quoted.slice(3, -3) : quoted.slice(1, -1);
    strings.push(raw ? inner : unescaped(inner));
    return `«${strings.length - 1}»`;
  });
  return { code, strings };
}

function unescaped(text: string): string {
  const named: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '0': '\0', '\n': '' };
  return text.replace(/\\([\s\S])/g, (_, c: string) => named[c] ?? (/[\\'"]/.test(c) ? c : `\\${c}`));
}

/** From an opening parenthesis to the one that closes it. */
function balanced(code: string, from: number): string {
  let depth = 0;
  for (let at = from; at < code.length; at++) {
    if ('([{'.includes(code[at]!)) depth++;
    else if (')]}'.includes(code[at]!) && --depth === 0) return code.slice(from, at + 1);
  }
  return code.slice(from);
}
