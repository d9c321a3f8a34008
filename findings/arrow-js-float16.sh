#!/usr/bin/env bash
# Guessed: Apache Arrow's JavaScript library writes a number beyond 65504 into a Float16 column as infinity, and rounds ties to even.
# Seen (apache-arrow 21.2.0): only from 65520 to 65535. From 65536 on the exponent runs over and a small number is stored: 70,000 becomes
# 2.1, 100,000 becomes 3.05, 1,000,000 becomes 3.8, with either sign; at 1e10 it is infinity again. Ties go up (2049 becomes 2050; IEEE 754
# and hyparquet-writer 0.17.0, into Parquet, say 2048).
# Why it matters: activations and gradients of a model are kept in such columns for probes and for choosing layers, and a few channels of the
# residual stream are thousands of times larger than the rest; squared norms and scaled losses pass 65504 easily. An infinity would be
# noticed, 2.1 passes for an ordinary activation. Write float32, or look at the largest magnitude first.
# Upstream: https://github.com/apache/arrow-js (src/util/math.ts, float64ToUint16)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >npm.log
npm install --no-audit --no-fund apache-arrow@21.2.0 hyparquet@1.33.0 hyparquet-writer@0.17.0 >>npm.log

cat >look.mjs <<'JS'
import { Float16, Table, tableFromIPC, tableToIPC, vectorFromArray } from 'apache-arrow';
import { parquetReadObjects } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';

const numbers = [1.5, 2049, 65504, 65520, 65536, 70000, -70000, 100000, 1e6, 1e10];
const arrow = [...tableFromIPC(tableToIPC(new Table({ x: vectorFromArray(numbers, new Float16()) }))).getChild('x')];
const parquet = await parquetReadObjects({ file: parquetWriteBuffer({ columnData: [{ name: 'x', data: numbers, type: 'FLOAT16' }] }) });
numbers.forEach((number, i) => console.log(`${number}: Arrow ${arrow[i]}, Parquet ${parquet[i].x}`));

const tooLarge = numbers.map((number, i) => i).filter(i => Math.abs(numbers[i]) >= 65536 && Math.abs(numbers[i]) < 1e10);
const asStated = tooLarge.every(i => Math.abs(arrow[i]) < 4) && tooLarge.every(i => Math.abs(parquet[i].x) === Infinity)
  && arrow[1] === 2050 && parquet[1].x === 2048 && arrow[3] === Infinity;
if (!asStated) {
  console.error('no longer as stated: a number beyond 65504 became something else');
  process.exit(1);
}
JS
node look.mjs
