/** The shape of the house: rooms import only the doors of rooms below them. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('../src', import.meta.url));

/** From the top down; rooms on one line do not know each other. */
const layers = [
  ['cli'],
  ['server'],
  ['fleet'],
  ['engineer', 'export'],
  ['archive'],
  ['judge'],
  ['device'],
  ['kernel'],
  ['task'],
  ['vgpu'],
  ['events', 'isolation'],
];
/** vgpu is a library by itself; the ground floor stands on nothing. */
const alone = new Set(['vgpu', 'events', 'isolation']);

/** What is wrong with the imports of one file; empty when nothing is. */
function violations(file: string, text: string): string[] {
  const room = relative(source, file).split('/')[0]!;
  const found: string[] = [];
  for (const match of text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']*)'/g)) {
    const target = resolve(file, '..', match[1]!);
    const path = relative(source, target);
    const other = path.split('/')[0]!;
    if (other === room || other === '..') continue;
    const [from, to] = [room, other].map((name) => layers.findIndex((layer) => layer.includes(name)));
    const line = `${relative(source, file)} imports ${path}`;
    if (from === -1 || to === -1) found.push(`${line}: not a room of the design`);
    else if (to! <= from!) found.push(`${line}: arrows go down only`);
    else if (alone.has(room)) found.push(`${line}: ${room} depends on nothing of ours`);
    else if (path !== `${other}/index.ts`) found.push(`${line}: only a room's door (index.ts) may be imported`);
  }
  return found;
}

const files = readdirSync(source, { recursive: true })
  .map((name) => join(source, String(name)))
  .filter((name) => name.endsWith('.ts'));

describe('layers', () => {
  it('hold in every file', () => {
    assert.ok(files.length > 100, `only ${files.length} files were found`);
    assert.deepEqual(
      files.flatMap((file) => violations(file, readFileSync(file, 'utf8'))),
      [],
    );
  });

  it('are broken by an import that goes up, sideways or past a door', () => {
    const judge = join(source, 'judge', 'x.ts');
    assert.match(violations(judge, "import { a } from '../engineer/index.ts';")[0]!, /arrows go down/);
    assert.match(violations(judge, "const a = await import('../cli/index.ts');")[0]!, /arrows go down/);
    assert.match(violations(judge, "export { a } from '../kernel/plan.ts';")[0]!, /door/);
    assert.match(violations(join(source, 'vgpu', 'x.ts'), "import '../events/index.ts';")[0]!, /depends on nothing/);
    assert.match(violations(join(source, 'engineer', 'x.ts'), "import '../export/index.ts';")[0]!, /arrows go down/);
    assert.deepEqual(violations(judge, "import { a } from '../kernel/index.ts';"), []);
  });

  it('are documented: each room with code has a page and a door', () => {
    for (const room of readdirSync(source)) {
      const names = readdirSync(join(source, room));
      assert.ok(names.includes('README.md'), `src/${room} has no README.md`);
      assert.ok(names.includes('index.ts') || room === 'cli', `src/${room} has no index.ts`);
    }
  });
});
