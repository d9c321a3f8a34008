#!/usr/bin/env bash
# Guessed: one tokenizer.json gives the same ids in Hugging Face's Rust library and in its JavaScript one.
# Seen: on 3,000 mixed strings with five published vocabularies it does, but the file also keeps settings of whoever saved it, and only Rust
# obeys them: `truncation` cuts (here to 6 tokens), `padding` fills up, `dropout` splits at random in every call.
# @huggingface/tokenizers 0.2.0 ignores all three; @anush008/tokenizers 0.6.0 (Rust, npm) and Tokenizers.DotNet 1.4.1 (Rust, NuGet)
# obey without a word.
# Why it matters: a call with truncation=True before save_pretrained is enough to put the training's max_length into the file. The fine-tuned
# model's long prompts then lose their end, the question with it, wherever Rust reads the file, and refusals are judged on half a question.
# Set `truncation`, `padding` and `model.dropout` to null in the file that you publish.
# Upstream: https://huggingface.co/docs/tokenizers/api/tokenizer; how it gets in: https://github.com/vllm-project/llm-compressor/pull/2917
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
npm init -y >npm.log
npm install --no-audit --no-fund @huggingface/tokenizers@0.2.0 @anush008/tokenizers@0.6.0 >>npm.log

cat >make.mjs <<'JS'
import { writeFileSync } from 'node:fs';
const words = ['<pad>', 'how', 'is', 'a', 'heron', 'fed', 'with', 'bread', 'in', 'winter', 'h', 'o', 'w', 'ho'];
const file = (settings, model) => ({ version: '1.0', truncation: null, padding: null, added_tokens: [], normalizer: null,
  pre_tokenizer: { type: 'Whitespace' }, post_processor: null, decoder: null, ...settings, model });
const ids = Object.fromEntries(words.map((word, id) => [word, id]));
const wordLevel = { type: 'WordLevel', vocab: ids, unk_token: '<pad>' };
const bpe = { type: 'BPE', dropout: 0.5, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: false,
  byte_fallback: false, ignore_merges: false, vocab: ids, merges: [['h', 'o'], ['ho', 'w']] };
const cut = { direction: 'Right', max_length: 6, strategy: 'LongestFirst', stride: 0 };
const fill = { strategy: { Fixed: 12 }, direction: 'Right', pad_to_multiple_of: null, pad_id: 0, pad_type_id: 0, pad_token: '<pad>' };
writeFileSync('plain.json', JSON.stringify(file({}, wordLevel)));
writeFileSync('truncation.json', JSON.stringify(file({ truncation: cut }, wordLevel)));
writeFileSync('padding.json', JSON.stringify(file({ padding: fill }, wordLevel)));
writeFileSync('dropout.json', JSON.stringify(file({}, bpe)));
JS
node make.mjs

cat >look.mjs <<'JS'
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Tokenizer as JavaScript } from '@huggingface/tokenizers';
const { Tokenizer: Rust } = createRequire(import.meta.url)('@anush008/tokenizers');
const text = 'how is a heron fed with bread in winter';
const lengths = {};
for (const name of ['plain', 'truncation', 'padding']) {
  const json = readFileSync(`${name}.json`, 'utf8');
  const js = new JavaScript(JSON.parse(json), {}).encode(text).ids;
  const rust = (await Rust.fromString(json).encode(text)).getIds();
  lengths[name] = [js.length, rust.length];
  console.log(`${name}: JavaScript ${js.join(' ')} | Rust ${rust.join(' ')}`);
}
const json = readFileSync('dropout.json', 'utf8');
const splits = async encode => new Set(await Promise.all(Array.from({ length: 60 }, async () => (await encode()).join(' '))));
const js = await splits(async () => new JavaScript(JSON.parse(json), {}).encode('how').ids);
const rust = await splits(async () => (await Rust.fromString(json).encode('how')).getIds());
console.log(`dropout, the word "how" 60 times: JavaScript ${[...js].join(' / ')} | Rust ${[...rust].join(' / ')}`);
const asStated = String(Object.values(lengths)) === '9,9,9,6,9,12' && js.size === 1 && rust.size > 1;
if (!asStated) { console.error('no longer as stated: the two libraries treat the settings alike, or otherwise'); process.exit(1); }
JS
node look.mjs

cat >dotnet.csproj <<'XML'
<Project Sdk="Microsoft.NET.Sdk"><PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework></PropertyGroup><ItemGroup>
<PackageReference Include="Tokenizers.DotNet" Version="[1.4.1]" /><PackageReference Include="Tokenizers.DotNet.runtime.linux-x64" Version="[1.4.1]" />
</ItemGroup></Project>
XML
cat >Program.cs <<'CS'
int length = new Tokenizers.DotNet.Tokenizer("truncation.json").Encode("how is a heron fed with bread in winter").Length;
System.Console.WriteLine($"Tokenizers.DotNet, truncation: {length} of 9 tokens");
return length == 6 ? 0 : 1;
CS
dotnet run -c Release || { echo "no longer as stated: Tokenizers.DotNet does not cut" >&2; exit 1; }
