#!/usr/bin/env bash
# Guessed: @huggingface/ollama-utils, which writes the Ollama (Go) form of a GGUF file's chat template, gives a Llama-2 or
# Llama-3 template a Go template with the same turns.
# Seen (0.0.18): it compares the first 128 characters with a table and takes the first entry that fits, whatever follows them.
# Llama-2's template comes back as DBRX's and Llama-3's as Dolphin's: both ChatML, whose <|im_start|> is no token of either model,
# with <|im_end|> as the stop word. Mixtral's comes back as Granite's. The table's own line for llama3:8b is never reached.
# Why it matters: whoever aligns a model in its own prompt form, exports GGUF and measures refusals through Ollama measures it on
# prompts that it was never trained on, and answers do not stop. Write TEMPLATE and stop into the Modelfile yourself.
# The table holds pairs (Jinja template, Go template); this script gives the converter the table's own Jinja templates.
# Upstream: https://github.com/huggingface/huggingface.js/tree/main/packages/ollama-utils
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >npm.log
npm install --no-audit --no-fund @huggingface/ollama-utils@0.0.18 @huggingface/jinja@0.5.11 >>npm.log

cat >look.mjs <<'JS'
import { readFileSync } from 'node:fs';
import { convertGGUFTemplateToOllama as convert } from '@huggingface/ollama-utils';

const source = readFileSync('node_modules/@huggingface/ollama-utils/src/chat-template-automap.ts', 'utf8');
const table = Function('return ' + source.slice(source.indexOf('= [') + 2).trim().replace(/;$/, ''))();
const name = entry => entry.model.replace('library/', '');

const elsewhere = table.filter(entry => convert({ chat_template: entry.gguf })?.model !== entry.model);
console.log(`${elsewhere.length} of ${table.length} templates come back as another model's`);

let foreign = 0;
for (const [model, turn] of [['llama2:7b', '[INST]'], ['llama3:8b', '<|start_header_id|>'], ['mixtral:8x7b', '[INST]']]) {
  const entry = table.find(each => name(each) === model);
  const got = convert({ chat_template: entry.gguf });
  const kept = got.ollama.template.includes(turn);
  if (entry.gguf.includes(turn) && !kept) foreign++;
  console.log(`\n${model}: its Jinja template writes ${turn}, the Go template given is ${name(got)}'s, ${kept ? 'with' : 'without'} ${turn}`);
  console.log('  ' + JSON.stringify(got.ollama.template.slice(0, 118)) + '...');
  console.log('  stop: ' + JSON.stringify(got.ollama.params?.stop ?? []));
}
if (foreign !== 3) {
  console.error(`no longer as stated: ${foreign} of 3 templates lost their own turn marks`);
  process.exit(1);
}
JS
node look.mjs
