/** Programs read their modules' attributes (`self.pool.stride`): those that PyTorch's modules have are here too, with the same values. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { pythonWithTorch } from './torch-oracle.ts';

const found = pythonWithTorch();
const skip = 'missing' in found ? found.missing : false;
const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Each module's call -> its attributes -> their values as Python writes them. */
function attributes(python: string, ...args: string[]): Map<string, Record<string, string>> {
  const env = { PYTHONDONTWRITEBYTECODE: '1' };
  const told = execFileSync(python, [file('module-attributes.py'), ...args], { encoding: 'utf8', env });
  return new Map(
    told
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  );
}

test("modules have PyTorch's attributes, with PyTorch's values", { skip }, () => {
  if ('missing' in found) return;
  const theirs = attributes(found.python);
  const ours = attributes(found.python, file('python'));
  assert.ok(theirs.size > 70, `only ${theirs.size} modules were compared`);
  const wrong = [...theirs].flatMap(([call, expected]) =>
    Object.entries(expected)
      .filter(([key, value]) => ours.get(call)?.[key] !== value)
      .map(([key, value]) => `nn.${call}.${key} is ${value} in PyTorch and ${ours.get(call)?.[key]} here`),
  );
  assert.deepEqual(wrong, []);
});
