/** The tasks under a folder: files in KernelBench's form, and folders in robust-kbench's. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FORWARD = 'func_forward.py';

/** Paths of tasks below `folder`, in the order of their names with numbers as numbers (`2_x` before `10_y`). Throws where there are none. */
export function tasksUnder(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const files = entries.map((entry) => join(entry.parentPath, entry.name));
  const found = files.flatMap((file) => {
    if (file.endsWith(`/${FORWARD}`)) return [file.slice(0, -FORWARD.length - 1)];
    return file.endsWith('.py') && isTask(readFileSync(file, 'utf8')) ? [file] : [];
  });
  if (found.length === 0)
    throw new Error(
      `There is no task under ${folder}: no .py file with \`class Model\` and \`get_inputs\`, no ${FORWARD}.`,
    );
  return found.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}

/** KernelBench's form, by its two names; whether it is a good task, tracing says. */
function isTask(text: string): boolean {
  return /^class Model\b/m.test(text) && /^def get_inputs\b/m.test(text);
}
