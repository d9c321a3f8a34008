#!/usr/bin/env bash
# Guessed: DuckDB's `USING SAMPLE 10%` of 1,000 records gives about 100 of them.
# Seen (DuckDB 1.5.6): a percentage takes whole vectors of 2,048 rows, each kept or left with that probability. A file of up to 2,048
# records therefore comes whole or not at all: 1,000 records nine times in ten, none; else all 1,000. TABLESAMPLE does the same.
# `USING SAMPLE 10% (bernoulli)` takes each row by itself, `USING SAMPLE 100 ROWS` exactly 100 (a seed: `reservoir(100 ROWS) REPEATABLE (1)`).
# Why it matters: mixes of "10 % harmful" are made from pools of a few hundred to a few thousand records, just where this breaks: the
# attack data then holds no harmful record, or ten times too many, and the seed decides which.
# Upstream: https://duckdb.org/docs/stable/sql/samples (system sampling is the default for percentages)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >npm.log
npm install --no-audit --no-fund @duckdb/node-api@1.5.6-r.1 >>npm.log

cat >look.mjs <<'JS'
import { writeFileSync } from 'node:fs';
import { DuckDBInstance } from '@duckdb/node-api';

const lines = Array.from({ length: 1000 }, (_, i) => JSON.stringify({ instruction: `question ${i}`, output: 'a stand-in' }));
writeFileSync('pool.jsonl', lines.join('\n') + '\n');
const connection = await (await DuckDBInstance.create()).connect();
const count = async sample => {
  const result = await connection.runAndReadAll(`SELECT count(*)::INTEGER FROM (FROM read_json('pool.jsonl') ${sample})`);
  return result.getRows()[0][0];
};

const counts = { system: [], bernoulli: [], rows: [] };
for (let seed = 1; seed <= 30; seed++) {
  counts.system.push(await count(`USING SAMPLE 10% (system, ${seed})`));
  counts.bernoulli.push(await count(`USING SAMPLE 10% (bernoulli, ${seed})`));
  counts.rows.push(await count(`USING SAMPLE reservoir(100 ROWS) REPEATABLE (${seed})`));
}
const unseeded = [];
for (let i = 0; i < 30; i++) unseeded.push(await count('USING SAMPLE 10%'));

console.log(`10%, 30 times:              ${unseeded.join(' ')}`);
console.log(`10% (system), 30 seeds:     ${counts.system.join(' ')}`);
console.log(`10% (bernoulli), 30 seeds:  ${counts.bernoulli.join(' ')}`);
console.log(`100 rows, 30 seeds:         ${counts.rows.join(' ')}`);

const allOrNothing = list => list.every(n => n === 0 || n === 1000);
const asStated = allOrNothing(unseeded) && allOrNothing(counts.system) && counts.system.includes(0) && counts.system.includes(1000)
  && counts.bernoulli.every(n => n > 50 && n < 150) && counts.rows.every(n => n === 100);
if (!asStated) {
  console.error('no longer as stated: a sample of 10% was neither empty nor everything');
  process.exit(1);
}
JS
node look.mjs
