/**
 * Reads what nvcc (EDG's front end and the C preprocessor), clang and ptxas print: each error once, at the candidate's own line, with what helps and without the rest.
 *
 * The text of source lines that compilers quote is never taken over: a `#line` could make them quote other files. Where a column helps, the candidate's own text is quoted.
 */
import type { Diagnostic } from './build-error.ts';
import { hintFor } from './hints.ts';

/** One message as printed: where it stands, and how templates led there, innermost first. */
interface Message {
  file: string;
  line: number;
  column?: number;
  severity: Diagnostic['severity'];
  text: string;
  frames: Frame[];
  /** The line of source that the compiler quotes, with macros expanded, and what it has from the caret on. */
  quoted?: string;
}

interface Frame {
  what: string;
  file: string;
  line: number;
}

type Severity = Diagnostic['severity'] | 'note';

/** `candidate.cu(3): error: expected a ";"`; `catastrophic error`, `internal error` and nvcc's own `Error` as well. */
const EDG = /^([^\s(][^(]*)\((\d+)\): (?:catastrophic |internal )?(error|warning|note)(?: #[\w-]+)?: (.*)$/i;
/** `candidate.cu:3:10: error: ...` of clang and of the C preprocessor. */
const GNU = /^([^\s:][^:]*):(\d+):(?:(\d+):)? (?:fatal )?(error|warning|note): (.*)$/;
const AT_END = /^At end of source: (error|warning)(?: #[\w-]+)?: (.*)$/;
/** `ptxas candidate.ptx, line 26; error   : Illegal modifier '.cc' for instruction 'cp.async'`. */
const PTX_LINE = /^ptxas \S+, line (\d+); (error|fatal|warning)\s*: (.*)$/;
/** A compiler's own word about itself or a file: `cc1plus: fatal error: ...`, `nvcc fatal   : ...`, `fatal error: error in backend: ...`. */
const TOOL =
  /^(?:(?:cc1plus|cicc|nvcc|clang[^\s:]*)\s*:? (?:fatal )?(?:error|fatal)\s*|fatal error): (?!clang frontend command)(.*)$/;
const PTX_WHOLE = /^ptxas (error|fatal|warning)\s*: (.*)$/;
/** Lines below an error that say what its operands are. */
const DETAIL = /^ {8,}((?:operand|argument|object) types? (?:are|is): .*)$/;
const FRAME =
  /instantiation of (?:[\w ]*?)?"(.*?)"(?: based on template \S+ .*?)?(?: at line (\d+))?(?: of (\S+))?\s*$/;
const CLANG_FRAME = /^(?:while|in) .*?'(.*)' (?:requested|required) here$/;

/**
 * Errors and warnings, in the order of the output, each once: a message that comes again at other lines has those lines in brackets.
 * @param file the name that the compiler knows the candidate by.
 * @param source its text as compiled; lines are those that `#line` gives it.
 * @param ptx what the assembler was given: its errors are at PTX lines, and `.loc` tells which line of the candidate they come from.
 */
export function readDiagnostics(output: string, file: string, source = '', ptx = ''): Diagnostic[] {
  const lines = candidateLines(source);
  const messages = readMessages(output, ptx, file).map((message) => place(message, file, lines));
  const kept: Diagnostic[] = [];
  const again = new Map<Diagnostic, number[]>();
  for (const one of messages) {
    if (restates(one, kept)) continue;
    const before = kept.find(({ message, severity }) => message === one.message && severity === one.severity);
    if (!before) kept.push(one);
    else if (before.line !== one.line) again.set(before, [...(again.get(before) ?? []), one.line]);
  }
  const hints = new Set<string>();
  const told = kept.map((one): Diagnostic & { header: boolean } => {
    const others = [...new Set(again.get(one) ?? [])];
    const named = others.slice(0, 4).join(', ') + (others.length > 4 ? ', ...' : '');
    const hint = one.severity === 'error' ? hintFor(one.message) : undefined;
    const fresh = hint !== undefined && !hints.has(hint);
    if (fresh) hints.add(hint);
    const message = [one.message, others.length > 0 ? ` (again in line ${named})` : '', fresh ? `: ${hint}` : ''].join(
      '',
    );
    return { ...one, message, header: hint?.startsWith('#include') ?? false };
  });
  return causesFirst(told);
}

/** A header that is missing makes an unknown name, and before it others on its line for which the name is to blame. */
function causesFirst(told: readonly (Diagnostic & { header: boolean })[]): Diagnostic[] {
  const key = (one: Diagnostic) => told.findIndex(({ line }) => line === one.line);
  return [...told]
    .sort((a, b) => key(a) - key(b) || Number(b.header) - Number(a.header))
    .map(({ header: _, ...one }) => one);
}

/** The first few errors as sentences; each but the first with its line, which the whole message starts with or names otherwise. */
export function summarise(diagnostics: readonly Diagnostic[], nameFirst = true, most = 4): string {
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  const shown = errors
    .slice(0, most)
    .map(({ line, message }, i) => (line > 0 && (i > 0 || nameFirst) ? `line ${line}: ${message}` : message));
  const rest = errors.length - shown.length;
  if (rest > 0) shown.push(`and ${rest} more error${rest === 1 ? '' : 's'}`);
  return shown.join('; ');
}

/** Files that messages come from, without the candidate itself. */
export function filesNamed(output: string, file: string): string[] {
  const names = output.split('\n').flatMap((line) => {
    const match = EDG.exec(line) ?? GNU.exec(line);
    return match?.[1] !== undefined && match[1] !== file ? [match[1]] : [];
  });
  return [...new Set(names)];
}

function readMessages(output: string, ptx: string, file: string): Message[] {
  const messages: Message[] = [];
  const printed = output.split('\n');
  /** The message that lines below belong to; notes have none. */
  let open: Message | undefined;
  /** Where frames without a file of their own stand. */
  let frameFile = file;
  printed.forEach((line, i) => {
    const start = header(line, ptx, file);
    if (start) {
      const { severity, ...rest } = start;
      if (severity === 'note') {
        const last = messages.at(-1);
        const frame = CLANG_FRAME.exec(start.text);
        if (last && frame) last.frames.push({ what: frame[1]!, file: start.file, line: start.line });
        else if (last && /^to match this/.test(start.text)) last.text += ` ${start.text} of line ${start.line}`;
        // A note of nvcc's stands between an error and the instantiations that led to it.
        if (frame || !EDG.test(line)) open = undefined;
        return;
      }
      open = { ...rest, severity, frames: [] };
      frameFile = open.file;
      messages.push(open);
      return;
    }
    if (!open) return;
    const detail = DETAIL.exec(line)?.[1];
    if (detail) open.text = `${open.text.replace(/:$/, '')}; ${detail}`;
    const frame = FRAME.exec(line);
    if (frame) {
      if (frame[3]) frameFile = frame[3];
      open.frames.push({ what: frame[1]!, file: frameFile, line: Number(frame[2] ?? 0) });
    }
    if (/^\s*\^\s*$/.test(line) && open.quoted === undefined && open.column === undefined)
      open.quoted = (printed[i - 1] ?? '').slice(line.indexOf('^'));
  });
  return messages;
}

type Header = Pick<Message, 'file' | 'line' | 'column' | 'text'> & { severity: Severity };

function header(line: string, ptx: string, file: string): Header | undefined {
  const edg = EDG.exec(line);
  if (edg) return { file: edg[1]!, line: Number(edg[2]), severity: severityOf(edg[3]!), text: edg[4]!.trim() };
  const gnu = GNU.exec(line);
  if (gnu) {
    const column = gnu[3] === undefined ? undefined : Number(gnu[3]);
    return { file: gnu[1]!, line: Number(gnu[2]), column, severity: severityOf(gnu[4]!), text: gnu[5]!.trim() };
  }
  const end = AT_END.exec(line);
  if (end) return { file, line: 0, severity: severityOf(end[1]!), text: `${end[2]!.trim()} at the end of the source` };
  const tool = TOOL.exec(line);
  if (tool) return { file, line: 0, severity: 'error', text: tool[1]!.trim() };
  const inPtx = PTX_LINE.exec(line);
  if (inPtx) {
    const text = `${inPtx[3]!.trim()} (said of the PTX by ptxas)`;
    return { file, line: lineOfPtx(ptx, Number(inPtx[1])), severity: severityOf(inPtx[2]!), text };
  }
  const whole = PTX_WHOLE.exec(line);
  if (whole && !/^Ptx assembly aborted/.test(whole[2]!)) {
    return { file, ...ofEntry(whole[2]!.trim(), ptx), severity: severityOf(whole[1]!) };
  }
  return undefined;
}

function severityOf(word: string): Severity {
  const lower = word.toLowerCase();
  return lower === 'warning' || lower === 'note' ? lower : 'error';
}

/** The line that the last `.loc` of the candidate before a PTX line names; 0 where there is none. */
function lineOfPtx(ptx: string, ptxLine: number): number {
  const before = ptx.split('\n').slice(0, ptxLine);
  for (let i = before.length - 1; i >= 0; i--) {
    if (/^\s*(?:\.visible\s+)?\.(entry|func)\b/.test(before[i]!)) return 0;
    const own = /^\s*\.loc\s+1\s+([1-9]\d*)\b/.exec(before[i]!)?.[1];
    if (own) return Number(own);
  }
  return 0;
}

/** What ptxas says of a whole entry, in words, at the entry's first line. */
function ofEntry(text: string, ptx: string): { line: number; text: string } {
  const entry = /function '([\w$]+)'/.exec(text)?.[1];
  if (!entry) return { line: 0, text };
  const start = ptx.search(new RegExp(`\\.entry\\s+${entry.replaceAll('$', '\\$')}\\b`));
  const line = start < 0 ? 0 : Number(/^\s*\.loc\s+1\s+([1-9]\d*)\b/m.exec(ptx.slice(start))?.[1] ?? 0);
  const kernel = sourceName(entry);
  const shared = /uses too much shared data \((0x[0-9a-f]+) bytes, (0x[0-9a-f]+) max\)/.exec(text);
  if (shared) {
    const [used, allowed] = [shared[1], shared[2]].map((hex) => Number(hex).toLocaleString('en-US'));
    return {
      line,
      text: `the kernel ${kernel} declares ${used} bytes of __shared__ memory, and ${allowed} are allowed: use less, or extern __shared__ with cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes)`,
    };
  }
  return { line, text: text.replaceAll(entry, kernel) };
}

/** The last name in a mangled one: `_ZN1a4softIfEEvPT_` is `soft`. */
export function sourceName(mangled: string): string {
  let rest = /^_ZN?L?(.*)$/.exec(mangled)?.[1];
  let name = mangled;
  while (rest !== undefined) {
    const length = /^L?(\d+)/.exec(rest);
    if (!length) break;
    const start = length[0].length;
    const end = start + Number(length[1]);
    name = rest.slice(start, end);
    rest = mangled.startsWith('_ZN') ? rest.slice(end) : undefined;
  }
  return name;
}

/** A message at the candidate's line, with the templates that led there folded to the outermost. */
function place(message: Message, file: string, lines: readonly string[]): Diagnostic {
  const { severity, frames } = message;
  const isOwn = message.file === file;
  const through = isOwn ? undefined : frames.find((frame) => frame.file === file && frame.line > 0);
  const line = isOwn ? message.line : (through?.line ?? 0);
  const column = isOwn ? (message.column ?? columnOf(message.quoted, lines[line - 1])) : undefined;
  let text = message.text;
  if (isOwn) {
    const shown = excerpt(text, lines[line - 1], column);
    if (shown) text += ` at \`${shown}\``;
    const outermost = frames.at(-1);
    if (outermost) text += ` (in ${clip(outermost.what, 100)})`;
  } else {
    const name = message.file.split('/').pop();
    text += through ? ` (in the header ${name}, by ${clip(through.what, 100)})` : ` (in the header ${name})`;
  }
  text = text.replace(/\b_Z\w+/g, sourceName);
  return { line, ...(column !== undefined && { column }), severity, message: text };
}

/** EDG quotes the line with macros expanded; what follows the caret mostly has none and is found again at the line's end. */
function columnOf(quoted: string | undefined, own: string | undefined): number | undefined {
  const tail = quoted?.trimEnd();
  if (!tail || !own?.trimEnd().endsWith(tail)) return undefined;
  return own.trimEnd().length - tail.length + 1;
}

/** The candidate's text from the column on, where the message does not name it already. */
function excerpt(text: string, own: string | undefined, column: number | undefined): string | undefined {
  if (own === undefined || column === undefined) return undefined;
  const named = [...text.matchAll(/["']([^"']*\w\w[^"']*)["']/g)].some((match) => own.includes(match[1]!));
  if (named) return undefined;
  const shown = own.slice(column - 1).trim();
  return shown === '' ? undefined : clip(shown, 48);
}

/** nvcc says of a call of host code twice what is wrong with it, and of each function that one expression calls. */
function restates(one: Diagnostic, kept: readonly Diagnostic[]): boolean {
  const calls = /^calling a __host__ function/;
  const sameLine = kept.filter(({ line }) => line === one.line);
  if (calls.test(one.message) || /is undefined in device code/.test(one.message))
    return sameLine.some(({ message }) => calls.test(message));
  return false;
}

/** Lines of the text as `#line 1` counts them. */
function candidateLines(source: string): string[] {
  const marker = '\n#line 1\n';
  const at = source.indexOf(marker);
  return (at < 0 ? source : source.slice(at + marker.length)).split('\n');
}

function clip(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 3)}...`;
}
