#!/usr/bin/env bash
# Guessed: Tokenizer.ApplyChatTemplate of ONNX Runtime GenAI renders a chat template as transformers does.
# Seen (Microsoft.ML.OnnxRuntimeGenAI 0.18.0, against @huggingface/jinja 0.5.11 and Jinja2 as transformers sets it up): the line break after
# a block tag stays, where transformers sets trim_blocks. Templates of several lines without `-` (TinyLlama's Zephyr form, Granite Code,
# Falcon 2, DeepSeek Coder) get up to five line breaks between turns for one, and some before the first turn. Of DeepSeek-R1's earlier
# answers the part up to </think>, which the template cuts off, is kept.
# Why it matters: a model fine-tuned in Python and served from C# gets other tokens around every turn, also right before its answer, where
# refusals are learned. Nothing is said, and templates in the manner of Llama 3 and Qwen come out right, so a first test passes.
# Render the template elsewhere and give Encode the text.
# Upstream: https://github.com/microsoft/onnxruntime-genai, https://huggingface.co/docs/transformers/chat_templating_writing (trim_blocks)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
npm init -y >npm.log
npm install --no-audit --no-fund @huggingface/jinja@0.5.11 @huggingface/ollama-utils@0.0.18 >>npm.log # the latter holds published templates

cat >render.mjs <<'JS'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Template } from '@huggingface/jinja';
const source = readFileSync('node_modules/@huggingface/ollama-utils/src/chat-template-automap.ts', 'utf8');
const table = Function('return ' + source.slice(source.indexOf('= [') + 2).trim().replace(/;$/, ''))();
const messages = [{ role: 'user', content: 'hi' }, { role: 'assistant', content: '<think>\nhm\n</think>ok' }, { role: 'user', content: 'more' }];
const names = ['llama3:8b', 'qwen2:0.5b', 'tinyllama:1.1b', 'granite-code:3b', 'deepseek-r1:8b'];
writeFileSync('rendered.json', JSON.stringify({ messages: JSON.stringify(messages), models: names.map(name => {
  const template = table.find(entry => entry.model === 'library/' + name).gguf;
  return { name, template, text: new Template(template).render({ messages, bos_token: '<s>', eos_token: '</s>', add_generation_prompt: true }) };
}) }));
// The smallest folder that the class opens: a byte-level vocabulary of ASCII letters.
mkdirSync('model');
const vocab = Object.fromEntries(Array.from({ length: 94 }, (_, i) => [String.fromCharCode(33 + i), i]));
const special = ['<s>', '</s>'].map((content, i) => ({ id: 94 + i, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }));
writeFileSync('model/tokenizer.json', JSON.stringify({ version: '1.0', added_tokens: special, normalizer: null, post_processor: null,
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }, decoder: { type: 'ByteLevel' },
  model: { type: 'BPE', vocab, merges: ['a b'], unk_token: null } }));
writeFileSync('model/tokenizer_config.json', JSON.stringify({ tokenizer_class: 'GPT2Tokenizer', bos_token: '<s>', eos_token: '</s>' }));
writeFileSync('model/genai_config.json', JSON.stringify({ model: { type: 'llama', context_length: 64, vocab_size: 96, bos_token_id: 94,
  eos_token_id: 95, pad_token_id: 95, decoder: { filename: 'none.onnx' } }, search: {} }));
JS
node render.mjs

cat >look.csproj <<'XML'
<Project Sdk="Microsoft.NET.Sdk"><PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework>
<ImplicitUsings>enable</ImplicitUsings><NoWarn>NU1603</NoWarn></PropertyGroup>
<ItemGroup><PackageReference Include="Microsoft.ML.OnnxRuntimeGenAI" Version="[0.18.0]" /></ItemGroup></Project>
XML
cat >Program.cs <<'CS'
using System.Text.Json;
using Microsoft.ML.OnnxRuntimeGenAI;

using var tokenizer = new Tokenizer("model");
JsonElement rendered = JsonDocument.Parse(File.ReadAllText("rendered.json")).RootElement;
string pattern = "";
foreach (JsonElement model in rendered.GetProperty("models").EnumerateArray())
{
    string right = model.GetProperty("text").GetString()!;
    string got = tokenizer.ApplyChatTemplate(model.GetProperty("template").GetString()!, rendered.GetProperty("messages").GetString()!, null!, true);
    pattern += got == right ? "=" : "x";
    Console.WriteLine($"{model.GetProperty("name").GetString()}: {(got == right ? "the same" : "differs")}");
    if (got != right)
        Console.WriteLine($"  Jinja: {right.Replace("\n", "\\n")}\n  GenAI: {got.Replace("\n", "\\n")}");
}
if (pattern != "==xxx")
    Console.Error.WriteLine($"no longer as stated: {pattern} instead of ==xxx");
return pattern == "==xxx" ? 0 : 1;
CS
dotnet run -c Release
