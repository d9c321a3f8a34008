#!/usr/bin/env bash
# Guessed: `{{ tools | tojson }}`, by which chat templates put the list of tools into the prompt, gives one text in every renderer.
# Seen: four texts for one tool. Jinja2 3.1.2 with the filter that transformers puts in keeps keys as they stand. Plain Jinja2 sorts them and
# writes < > & ' as \u003c and so on. minijinja 2.11.0 (the engine of several Rust servers, here its npm build) does both too and leaves the spaces
# out. @huggingface/jinja 0.5.11 writes 1.0 as 1, 1e-07 as 1e-7, moves number-like keys to the front and rounds
# whole numbers beyond 2^53: JSON.parse has done it before the template sees the list.
# Why it matters: a model trained or attacked with tools in the prompt is evaluated on other tokens, without a message; refusals depend on
# such things. Render once, with the renderer that will serve, and keep the text; or compare `input_ids`, not conversations.
# Upstream: https://jinja.palletsprojects.com/en/stable/templates/#jinja-filters.tojson, https://docs.rs/minijinja (filters::tojson)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >npm.log
npm install --no-audit --no-fund @huggingface/jinja@0.5.11 minijinja-js@2.11.0 >>npm.log
apt-get download -qq python3-jinja2=3.1.2-1+deb12u3 python3-markupsafe=2.1.2-1+b1 2>apt.log # Debian 12
for package in ./*.deb; do dpkg -x "$package" debian; done

cat >tools.json <<'JSON'
[{"name": "heat", "description": "Sets a kiln's heat, if < 1300", "parameters": {"power": {"type": "number", "default": 1.0, "step": 1e-07},
 "levels": {"low": 300, "2": 900, "1": 600}, "owner": 12345678901234567}}]
JSON
cat >python.py <<'PY'
import json, sys
sys.path.insert(0, "debian/usr/lib/python3/dist-packages")
import jinja2
environment = jinja2.Environment()
if sys.argv[1] == "transformers":
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
print(environment.from_string("{{ tools | tojson }}").render(tools=json.load(open("tools.json"))))
PY
cat >javascript.mjs <<'JS'
import { readFileSync } from 'node:fs';
import { Template } from '@huggingface/jinja';
import { Environment } from 'minijinja-js';
const context = { tools: JSON.parse(readFileSync('tools.json', 'utf8')) };
const template = '{{ tools | tojson }}';
console.log(process.argv[2] === 'minijinja' ? new Environment().renderStr(template, context) : new Template(template).render(context));
JS
python3 python.py transformers >transformers.txt
python3 python.py plain >plain.txt
node javascript.mjs jinja >huggingface-jinja.txt
node javascript.mjs minijinja >minijinja.txt
for name in transformers plain huggingface-jinja minijinja; do
  printf '%-18s %s characters: %s\n' "$name" "$(wc -m <"$name.txt")" "$(cat "$name.txt")"
done

fail() { echo "no longer as stated: $1" >&2; exit 1; }
[ "$(cat transformers.txt plain.txt huggingface-jinja.txt minijinja.txt | sort -u | wc -l)" = 4 ] || fail "the four texts are not all different"
grep -q '"default": 1.0, "step": 1e-07' transformers.txt || fail "transformers' filter changed numbers"
grep -qF "kiln\\u0027s heat, if \\u003c" plain.txt && grep -q '\[{"description"' plain.txt || fail "plain Jinja2 neither sorts nor escapes"
grep -q '"default": 1, "step": 1e-7' huggingface-jinja.txt && grep -q '{"1": 600, "2": 900, "low"' huggingface-jinja.txt || fail "@huggingface/jinja kept numbers and order"
grep -qF 'kiln\u0027s heat, if \u003c' minijinja.txt && grep -q '\[{"description":"' minijinja.txt || fail "minijinja neither sorts nor escapes"
