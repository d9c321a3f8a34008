#!/usr/bin/env bash
# Guessed: a model's tokens are decoded to the same text in Hugging Face's Rust library, in its JavaScript one and in transformers.js.
# Seen: JavaScript takes the spaces before . , ? ! n't 's 'm 've 're out of the text, unless tokenizer_config.json has
# "clean_up_tokenization_spaces": false. Rust (and so the Python library that wraps it) never does. @huggingface/tokenizers 0.2.0 and
# @huggingface/transformers 4.3.2 against @anush008/tokenizers 0.6.0 (Rust).
# transformers 5 (5.12.1 as Debian has it, tried by hand) leaves the text of BPE vocabularies alone even where the field is true, as
# Llama-3's is, since cleaning "is destructive for BPE"; transformers 4.44 obeys the field (read, not run).
# Why it matters: no text with such spaces survives a round trip, so Python with "[1 , 2]" or a table with " ." comes out changed, and an answer
# is compared with something that the model did not write. Set the field to false in what you publish for JavaScript.
# Upstream: clean_up_tokenization_spaces in https://huggingface.co/docs/transformers/main_classes/tokenizer
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >npm.log
npm install --no-audit --no-fund --ignore-scripts @huggingface/tokenizers@0.2.0 @huggingface/transformers@4.3.2 @anush008/tokenizers@0.6.0 >>npm.log

cat >look.mjs <<'JS'
import { createRequire } from 'node:module';
import { Tokenizer as JavaScript } from '@huggingface/tokenizers';
import { PreTrainedTokenizer } from '@huggingface/transformers';
const { Tokenizer: Rust } = createRequire(import.meta.url)('@anush008/tokenizers');
// Byte-level BPE without merges: every printable character is a token, and Ġ is a space.
const text = "x = [1 , 2] . do n't ?";
const vocab = Object.fromEntries([...new Set(text.replaceAll(' ', 'Ġ'))].map((character, id) => [character, id]));
const json = { version: '1.0', truncation: null, padding: null, added_tokens: [], normalizer: null, post_processor: null,
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }, decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  model: { type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: false,
    byte_fallback: false, ignore_merges: false, vocab, merges: [] } };
const rust = Rust.fromString(JSON.stringify(json));
const ids = (await rust.encode(text)).getIds();
const seen = { Rust: await rust.decode(ids, false) };
for (const [name, config] of [['no field', {}], ['true', { clean_up_tokenization_spaces: true }], ['false', { clean_up_tokenization_spaces: false }]]) {
  seen[`JavaScript, ${name}`] = new JavaScript(json, config).decode(ids);
  seen[`transformers.js, ${name}`] = new PreTrainedTokenizer(json, { tokenizer_class: 'PreTrainedTokenizerFast', ...config }).decode(ids);
}
console.log(`the text: ${text}`);
for (const [who, decoded] of Object.entries(seen)) console.log(`${who}: ${decoded}`);
const cleaned = "x = [1, 2]. don't?";
const asStated = Object.entries(seen).every(([who, decoded]) => decoded === (who === 'Rust' || who.endsWith('false') ? text : cleaned));
if (!asStated) { console.error('no longer as stated'); process.exit(1); }
JS
node look.mjs
