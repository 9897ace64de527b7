/** std::string and the string streams, as messages and modes are made of them. */
import { invalid, unsupported } from '../error.ts';
import type { Operand } from '../interpret/expressions.ts';
import { CHAR, ULONG } from '../interpret/types.ts';
import { boolValue, describeValue, intValue, type Value, VOID_VALUE } from '../interpret/values.ts';
import type { LibraryCall } from './call.ts';

type Text = Extract<Value, { kind: 'string' }>;
/** std::string::npos. */
const NOT_FOUND = 2n ** 64n - 1n;

const text = (value: string): Value => ({ kind: 'string', value });

/** A piece of a text: a string, or a character. */
function piece(call: LibraryCall, i: number): string {
  const value = call.value(i);
  if (value.kind === 'int' && value.type.bits === 8) return String.fromCharCode(Number(value.value));
  return call.text(i);
}

function place(at: number): Value {
  return at < 0 ? intValue(NOT_FOUND, ULONG) : intValue(at, ULONG);
}

type TextMethod = (s: string, call: LibraryCall) => Value;

const length: TextMethod = (s) => intValue(s.length, ULONG);

/** Methods that leave the string as it is. */
const QUESTIONS: Readonly<Record<string, TextMethod>> = {
  c_str: (s) => text(s),
  data: (s) => text(s),
  size: length,
  length,
  empty: (s) => boolValue(s.length === 0),
  find: (s, call) => place(s.indexOf(piece(call, 0), call.count > 1 ? call.index(1) : 0)),
  rfind: (s, call) => place(s.lastIndexOf(piece(call, 0))),
  starts_with: (s, call) => boolValue(s.startsWith(piece(call, 0))),
  ends_with: (s, call) => boolValue(s.endsWith(piece(call, 0))),
  substr: (s, call) => {
    const from = call.count > 0 ? call.index(0) : 0;
    if (from > s.length) throw invalid(`substr from ${from} of a string of ${s.length}`, call.line);
    return text(s.slice(from, call.count > 1 ? from + call.index(1) : undefined));
  },
  compare: (s, call) => {
    const other = call.text(0);
    return intValue(s < other ? -1 : s > other ? 1 : 0);
  },
  at: (s, call) => character(s, call.index(0), call.line),
  front: (s, call) => character(s, 0, call.line),
  back: (s, call) => character(s, s.length - 1, call.line),
};

/** Methods that give the string's new contents. */
const CHANGES: Readonly<Record<string, (s: string, call: LibraryCall) => string>> = {
  append: (s, call) => s + piece(call, 0),
  push_back: (s, call) => s + piece(call, 0),
  pop_back: (s) => s.slice(0, -1),
  clear: () => '',
  reserve: (s) => s,
};

function character(s: string, i: number, line: number): Value {
  if (i < 0 || i >= s.length) throw invalid(`character ${i} of a string of ${s.length}`, line);
  return intValue(s.charCodeAt(i), CHAR);
}

/** @param operand the string, with its variable where it has one */
export function textMethod(object: Text, name: string, call: LibraryCall, operand: Operand): Operand | undefined {
  const question = QUESTIONS[name];
  if (question) return { value: question(object.value, call) };
  const change = CHANGES[name];
  if (!change) return undefined;
  if (!operand.cell || operand.cell.constant) throw invalid(`.${name}() of a string that is no variable`, call.line);
  operand.cell.value = { kind: 'string', value: change(object.value, call) };
  return operand;
}

/** What `stream << value` writes, as C++ does: 6 significant digits of a number with a fraction. */
export function printedText(value: Value, line: number): string {
  if (value.kind === 'string') return value.value;
  if (value.kind === 'int') {
    return value.type.bits === 8 ? String.fromCharCode(Number(value.value)) : String(value.value);
  }
  if (value.kind === 'float') return general(value.value);
  if (value.kind === 'opaque' && value.name === 'std::endl') return '\n';
  if (value.kind === 'list')
    return `[${value.cells.map((c) => (c.value ? printedText(c.value, line) : '?')).join(', ')}]`;
  throw unsupported(`${describeValue(value)} written to a string stream`, line);
}

/** printf's %g. */
function general(x: number): string {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? 'nan' : x < 0 ? '-inf' : 'inf';
  const [mantissa = '', exponent = '0'] = x.toExponential(5).split('e');
  const power = Number(exponent);
  if (power >= -4 && power < 6) return String(Number(x.toPrecision(6)));
  return `${String(Number(mantissa))}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

/** Methods of std::ostringstream and std::stringstream. */
export function streamMethod(stream: Extract<Value, { kind: 'text-stream' }>, name: string, call: LibraryCall): Value {
  if (name === 'str' && call.count === 0) return text(stream.text);
  if (name === 'str') {
    stream.text = call.text(0);
    return VOID_VALUE;
  }
  if (name === 'clear') return VOID_VALUE;
  throw unsupported(`.${name}() of a string stream`, call.line);
}
