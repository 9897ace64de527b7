/** What a candidate is written in, told by its content: file names lie, and text may come without one. */
import type { CandidateLanguage } from './types.ts';

/** Lines that no CUDA C++ file has and nearly every Python file does. */
const PYTHON =
  /^(import\s+[\w.]+|from\s+[\w.]+\s+import\b|class\s+\w+\s*(\([^)]*\))?\s*:|def\s+\w+\s*\(.*)\s*(#.*|as\s+\w+.*|,.*|.*)$/m;
/** Lines that make a file C++, where they stand outside a Python string. */
const CPP = /^\s*(#\s*include\b|#\s*pragma\b|__global__\b|extern\s+"C"|namespace\b|template\s*<|using\s+namespace\b)/m;

/** `ptx`: the JSON launch description that names a PTX text; `python`: a file with ModelNew; `cuda`: everything else. */
export function candidateLanguage(source: string): CandidateLanguage {
  const text = source.trimStart();
  if (text.startsWith('{') && /"ptx"\s*:/.test(text)) return 'ptx';
  const python = PYTHON.exec(source);
  if (!python) return 'cuda';
  const cpp = CPP.exec(source);
  // A Python file holds its C++ in strings, which come after its imports.
  return !cpp || python.index < cpp.index ? 'python' : 'cuda';
}
