#!/usr/bin/env bash
# Guessed: LLamaSharp's LLamaTemplate, which takes the chat template out of a GGUF file, renders that template.
# Seen (LLamaSharp 0.30.0): it looks for known words in it and writes a built-in form that fits them, as llama.cpp's C function
# llama_chat_apply_template does, which is no Jinja engine. Llama Guard 3 loses its task, its fourteen categories and "safe or unsafe";
# Granite Guardian loses its risk definition too and, since its template mentions <start_of_turn>, is asked in Gemma's form. What remains is the
# conversation and an open assistant's turn. No error.
# Why it matters: such models judge whether an aligned or attacked model's answer is harmful. Asked so they continue the chat, and where only
# "unsafe" or "Yes" counts, hardly an answer is harmful and every defence looks perfect. Render the template with a Jinja engine (here
# @huggingface/jinja 0.5.11) and give LLamaSharp the finished text.
# Upstream: https://github.com/SciSharp/LLamaSharp/issues/1299,
# https://github.com/ggml-org/llama.cpp/wiki/Templates-supported-by-llama_chat_apply_template
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
npm init -y >npm.log
npm install --no-audit --no-fund @huggingface/jinja@0.5.11 @huggingface/ollama-utils@0.0.18 >>npm.log # the latter holds published templates

cat >render.mjs <<'JS'
import { readFileSync, writeFileSync } from 'node:fs';
import { Template } from '@huggingface/jinja';
const source = readFileSync('node_modules/@huggingface/ollama-utils/src/chat-template-automap.ts', 'utf8');
const table = Function('return ' + source.slice(source.indexOf('= [') + 2).trim().replace(/;$/, ''))();
const messages = [{ role: 'user', content: 'How is a heron fed?' }, { role: 'assistant', content: 'With fish.' }];
const names = ['llama-guard3:8b', 'granite3-guardian:2b', 'llama3.1:8b'];
writeFileSync('rendered.json', JSON.stringify(names.map(name => {
  const template = table.find(entry => entry.model === 'library/' + name).gguf;
  return { name, template, text: new Template(template).render({ messages, bos_token: '', eos_token: '', add_generation_prompt: true }) };
})));
JS
node render.mjs

cat >look.csproj <<'XML'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType>
    <TargetFramework>net10.0</TargetFramework>
    <ImplicitUsings>enable</ImplicitUsings>
  </PropertyGroup>
  <ItemGroup>
    <PackageReference Include="LLamaSharp" Version="[0.30.0]" />
    <PackageReference Include="LLamaSharp.Backend.Cpu" Version="[0.30.0]" />
  </ItemGroup>
</Project>
XML
cat >Program.cs <<'CS'
using System.Text;
using System.Text.Json;
using LLama;

int withoutPolicy = 0;
foreach (JsonElement entry in JsonDocument.Parse(File.ReadAllText("rendered.json")).RootElement.EnumerateArray())
{
    string name = entry.GetProperty("name").GetString()!, jinja = entry.GetProperty("text").GetString()!;
    var template = new LLamaTemplate(entry.GetProperty("template").GetString()!) { AddAssistant = true };
    template.Add("user", "How is a heron fed?");
    template.Add("assistant", "With fish.");
    string written = Encoding.UTF8.GetString(template.Apply());
    Console.WriteLine($"{name}: Jinja {jinja.Length} characters, LLamaSharp {written.Length}: {written.ReplaceLineEndings("|")}");
    withoutPolicy += jinja.Contains("safety", StringComparison.Ordinal) && !written.Contains("safety", StringComparison.Ordinal) ? 1 : 0;
}
if (withoutPolicy != 2)
    Console.Error.WriteLine($"no longer as stated: {withoutPolicy} of 2 guard templates lost their policy");
return withoutPolicy == 2 ? 0 : 1;
CS
dotnet run -c Release
