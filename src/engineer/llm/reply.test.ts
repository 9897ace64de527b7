import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { applyEdits, EditRefused, readEdits } from './edits.ts';
import type { Answer } from './question.ts';
import { ReplyRefused, readReply } from './reply.ts';

const file = ['__global__ void k(float* x) {', '  x[0] = 1.0f;', '  x[1] = 1.0f;', '  x[0] = 1.0f;', '}'].join('\n');
const edit = (search: string, replace: string) => `<<<<<<< SEARCH\n${search}\n=======\n${replace}\n>>>>>>> REPLACE`;
const answer = (text: string, finish: Answer['finish'] = 'stop'): Answer => ({ text, finish, toolCalls: [] });

describe('edits', () => {
  it('change what they name and nothing else', () => {
    const changed = applyEdits(file, [{ search: '  x[1] = 1.0f;', replace: '  x[1] = 2.0f;\n  x[2] = 3.0f;' }]);
    assert.equal(changed, file.replace('  x[1] = 1.0f;', '  x[1] = 2.0f;\n  x[2] = 3.0f;'));
  });

  it('are refused where the text is not there, is there twice, is part of a line, is empty, overlaps or changes nothing', () => {
    const refused = (...edits: { search: string; replace: string }[]) => {
      try {
        applyEdits(file, edits);
      } catch (error) {
        assert.ok(error instanceof EditRefused, String(error));
        return error.message;
      }
      return assert.fail('the edits were made');
    };
    assert.match(refused({ search: '  x[9] = 1.0f;', replace: '' }), /is not in the file/);
    assert.match(refused({ search: '  x[0] = 1.0f;', replace: '' }), /fits 2 places/);
    assert.match(refused({ search: 'x[1] = 1.0f', replace: 'y' }), /is not in the file/);
    assert.match(refused({ search: '  ', replace: 'y' }), /looks for nothing/);
    assert.match(
      refused({ search: '  x[1] = 1.0f;', replace: 'a' }, { search: '  x[1] = 1.0f;\n  x[0] = 1.0f;', replace: 'b' }),
      /overlap/,
    );
    assert.match(refused({ search: '  x[1] = 1.0f;', replace: '  x[1] = 1.0f;' }), /change nothing/);
    assert.match(refused(), /no edit/);
  });

  it('leave every other line as it was, whatever lines there are', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom<string>('a', 'b', '  c', '', 'd;'), { minLength: 1, maxLength: 12 }),
        fc.nat(),
        (lines, at) => {
          const index = at % lines.length;
          const search = lines[index]!;
          const once = lines.filter((line) => line === search).length === 1 && search.trim() !== '';
          try {
            const changed = applyEdits(lines.join('\n'), [{ search, replace: 'new' }]);
            assert.ok(once, 'an edit that fits more than once was made');
            assert.deepEqual(changed.split('\n'), lines.with(index, 'new'));
          } catch (error) {
            assert.ok(error instanceof EditRefused && !once, String(error));
          }
        },
      ),
    );
  });

  it('that do not end are refused', () => {
    assert.throws(() => readEdits('<<<<<<< SEARCH\na\n=======\nb'), /no end/);
    assert.throws(() => readEdits('<<<<<<< SEARCH\na\n<<<<<<< SEARCH'), /inside of another/);
    assert.throws(() => readEdits('<<<<<<< SEARCH\na\n=======\nb\n<<<<<<< SEARCH'), /before the one before/);
  });
});

describe('a reply', () => {
  it('is a whole file or edits to the file shown, with its summary', () => {
    const whole = readReply(
      answer(`**SUMMARY:** \`fewer\` bytes\nBecause.\n\`\`\`cuda\n${file}\n\`\`\`\nand\n\`\`\`\nshort\n\`\`\``),
      undefined,
    );
    assert.deepEqual(whole, { summary: 'fewer bytes', source: `${file}\n` });
    const edited = readReply(answer(`SUMMARY: two\n${edit('  x[1] = 1.0f;', '  x[1] = 2.0f;')}`), file);
    assert.deepEqual(edited, { summary: 'two', source: file.replace('x[1] = 1.0f', 'x[1] = 2.0f') });
  });

  it('that is neither, is cut off, or is refused by the model is refused with what to do', () => {
    assert.throws(() => readReply(answer('I cannot see a kernel.'), file), /neither a fenced block/);
    assert.throws(() => readReply(answer(`\`\`\`cuda\n${file}`, 'length'), file), /cut off/);
    assert.throws(() => readReply(answer('<<<<<<< SEARCH\n  x', 'length'), file), /cut off/);
    assert.throws(() => readReply(answer('no', 'refused'), file), ReplyRefused);
    assert.throws(() => readReply(answer(edit('  x[1] = 1.0f;', 'y')), undefined), /no file to edit/);
  });
});
