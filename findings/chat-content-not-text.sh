#!/usr/bin/env bash
# Guessed: a message whose `content` is no text (a list of parts, as OpenAI writes it; null, as beside tool calls) is refused by a chat
# template that knows only text, and the two usual renderers, Jinja2 (transformers) and @huggingface/jinja, agree about it.
# Seen (Jinja2 3.1.2, @huggingface/jinja 0.5.11, 97 published templates from @huggingface/ollama-utils 0.0.18): one is silent where the
# other refuses. Jinja2's `| trim` takes anything: Llama 3, 3.1, 3.2, Gemma 2 and two more write Python's form of the list as what the user
# said, and null as the answer "None", which a model then learns to give; @huggingface/jinja refuses all six. There `+` takes anything:
# 65 other templates write the list as JSON, and Jinja2 refuses 64 of them.
# Why it matters: training goes on and the loss falls (the wrapping is easy to learn), but the prompts served later have another form.
# Join text parts and replace null before rendering; search a rendered sample for `'type'`, `"type"` and `None`.
# Upstream: https://huggingface.co/docs/transformers/chat_templating, https://github.com/huggingface/huggingface.js/tree/main/packages/jinja
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
const user = content => ({ role: 'user', content });
const chats = { parts: [user([{ type: 'text', text: 'hi' }])], none: [user('hi'), { role: 'assistant', content: null }, user('more')] };
const render = (template, messages) => {
  try { return new Template(template).render({ messages, bos_token: '<s>', eos_token: '</s>', add_generation_prompt: true }); }
  catch { return null; }
};
writeFileSync('rendered.json', JSON.stringify(table.map(({ model, gguf }) => ({ model: model.replace('library/', ''), gguf,
  chats: Object.fromEntries(Object.entries(chats).map(([name, messages]) => [name, { messages, js: render(gguf, messages) }])) }))));
JS
node render.mjs

cat >look.py <<'PY'
import json, sys
sys.path.insert(0, "debian/usr/lib/python3/dist-packages")
from jinja2.sandbox import ImmutableSandboxedEnvironment

def refuse(message): raise ValueError(message)
environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])  # as transformers has it
environment.filters["tojson"] = lambda value, **options: json.dumps(value, ensure_ascii=False, **options)
environment.globals.update(raise_exception=refuse, strftime_now=lambda form: "today")

def render(template, messages):
    try: return environment.from_string(template).render(messages=messages, bos_token="<s>", eos_token="</s>", add_generation_prompt=True)
    except Exception: return None

def silent(text, mark): return text is not None and mark in text

rows = json.load(open("rendered.json"))
for row in rows:
    for chat in row["chats"].values(): chat["py"] = render(row["gguf"], chat["messages"])
python_parts = [r["model"] for r in rows if silent(r["chats"]["parts"]["py"], "{'type'") and r["chats"]["parts"]["js"] is None]
js_parts = [r["model"] for r in rows if silent(r["chats"]["parts"]["js"], '{"type"')]
js_only = [r for r in rows if r["model"] in js_parts and r["chats"]["parts"]["py"] is None]
python_none = [r["model"] for r in rows if silent(r["chats"]["none"]["py"], "None") and r["chats"]["none"]["js"] is None]
print("Jinja2 writes the list, JavaScript refuses:", *python_parts)
print("Jinja2 writes None, JavaScript refuses:    ", *python_none)
print(f"JavaScript writes the list as JSON: {len(js_parts)} of {len(rows)}; Jinja2 refuses {len(js_only)} of these")
llama = next(r for r in rows if r["model"] == "llama3.1:8b")["chats"]
print("Llama 3.1, Jinja2:", repr(llama["parts"]["py"][-140:]), "and", repr(llama["none"]["py"][-200:]))
if len(python_parts) != 6 or python_none != python_parts or len(js_only) < 60 or len(js_parts) - len(js_only) > 1:
    sys.exit("no longer as stated: the two renderers refuse other templates")
PY
python3 look.py
