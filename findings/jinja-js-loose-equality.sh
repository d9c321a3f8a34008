#!/usr/bin/env bash
# Guessed: @huggingface/jinja renders Llama-2's chat template as Jinja2 (transformers) does, for any system message.
# Seen (@huggingface/jinja 0.5.11, Jinja2 3.1): `==` and `!=` are JavaScript's loose ones, for which "", " " and "0" equal false. Llama-2's
# template asks `system_message != false`, so a system message that is empty, blank or "0" is left out where Jinja2 writes it in its frame.
# Also `| trim` takes U+FEFF away, which Python's strip leaves, and leaves U+001F, which it takes.
# Why it matters: data sets fill an absent system prompt with "", and a model is then trained on one prompt and served with another.
# Leave the system message out where it has no text.
# Upstream: https://github.com/huggingface/huggingface.js/tree/main/packages/jinja
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >npm.log
npm install --no-audit --no-fund @huggingface/ollama-utils@0.0.18 @huggingface/jinja@0.5.11 >>npm.log
apt-get download -qq python3-jinja2=3.1.2-1+deb12u3 python3-markupsafe=2.1.2-1+b1 2>apt.log # Debian 12
for package in ./*.deb; do dpkg -x "$package" debian; done

cat >render.mjs <<'JS'
import { readFileSync, writeFileSync } from 'node:fs';
import { Template } from '@huggingface/jinja';
const source = readFileSync('node_modules/@huggingface/ollama-utils/src/chat-template-automap.ts', 'utf8');
const table = Function('return ' + source.slice(source.indexOf('= [') + 2).trim().replace(/;$/, ''))();
const template = table.find(entry => entry.model === 'library/llama2:7b').gguf;
const rendered = ['Be short.', '', ' ', '0'].map(system => {
  const messages = [{ role: 'system', content: system }, { role: 'user', content: 'hi' }];
  return { messages, text: new Template(template).render({ messages, bos_token: '<s>', eos_token: '</s>' }) };
});
const trimmed = new Template("{{ text | trim }}").render({ text: '\ufeffx\u001f' });
writeFileSync('rendered.json', JSON.stringify({ template, rendered, trimmed }));
JS
node render.mjs
cat >compare.py <<'PY'
import json
import jinja2.sandbox
environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
with open("rendered.json", encoding="utf-8") as file:
    content = json.load(file)
template = environment.from_string(content["template"])
differs = []
for each in content["rendered"]:
    text = template.render(messages=each["messages"], bos_token="<s>", eos_token="</s>")
    print(f"system {each['messages'][0]['content']!r}:\n  Jinja2             {text!r}\n  @huggingface/jinja {each['text']!r}")
    differs.append(text != each["text"])
trimmed = environment.from_string("{{ text | trim }}").render(text="\ufeffx\x1f")
print(f"trim: {trimmed!r} and {content['trimmed']!r}")
assert differs == [False, True, True, True], differs
assert (trimmed, content["trimmed"]) == ("\ufeffx", "x\x1f")
PY
PYTHONPATH=debian/usr/lib/python3/dist-packages python3 compare.py
