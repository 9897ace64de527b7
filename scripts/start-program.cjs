/**
 * Runs a program that scripts/programs.mjs made one file of, from the machine code that V8 keeps for it: a process starts in a quarter of the time
 * that loading some hundred modules takes. Copied to dist/programs/start.cjs. A cache of another version of Node is refused by V8, and the text compiled as usual.
 */
'use strict';
const { readFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');
const { Script } = require('node:vm');

function kept(file) {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

/** Starts the program `name` of this folder and gives its script. */
module.exports = (name) => {
  const file = join(__dirname, `${name}.cjs`);
  const text = `(function (exports, require, module, urlOfModule, importModule) {${readFileSync(file, 'utf8')}\n})`;
  const script = new Script(text, { filename: file, cachedData: kept(`${file}.cache`) });
  const module = { exports: {} };
  const dist = join(__dirname, '..');
  // A module of the program still finds files beside the file that it was.
  const urlOfModule = (path) => pathToFileURL(join(dist, path)).href;
  // Packages that are loaded only when they are needed: a text that V8 was given as a script cannot import by itself.
  const importModule = (name) => import(name);
  script.runInThisContext()(module.exports, createRequire(file), module, urlOfModule, importModule);
  return script;
};
