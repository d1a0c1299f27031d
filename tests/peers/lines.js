// JSON lines: every line of standard input goes to `handle`, `say` writes one line. The process ends with its input.
'use strict';

const readline = require('node:readline');

exports.say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

exports.listen = (handle) => {
  readline
    .createInterface({ input: process.stdin })
    .on('line', (line) => handle(JSON.parse(line)))
    .on('close', () => process.exit(0));
};
