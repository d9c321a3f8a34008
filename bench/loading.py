#!/usr/bin/env python3
"""Times loading a model, loading it with an adapter, and merging, beside a plain read of the same file.

    bench/loading.py                                    a made 1.2B Llama in bf16, 2.5 GB, and an adapter of rank 16
    bench/loading.py --shape 3b --rank 64               3.4B, 6.7 GB
    bench/loading.py --against "dotnet OLD/nvaccine.dll"    each merge in turns with another build, whose files must be the same bytes

Needs Python 3.9, nothing else; three times the model's size on the disk, twice its size in memory (the file stays in the page cache). Prints a
table for bench/results/loading.md. Build first: dotnet build -c Release.
"""
import argparse, hashlib, json, os, random, shlex, shutil, statistics, struct, subprocess, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SHAPES = {"1b": (22, 2048, 5504), "3b": (28, 3072, 8192)}  # layers, hidden, MLP
VOCABULARY = 32000


def write_safetensors(path, tensors, kind, block):
    """tensors: names and shapes; norms are ones, all else is cut from `block`, from another place each."""
    size = {"BF16": 2, "F32": 4}[kind]
    one = struct.pack("<H", 0x3F80) if kind == "BF16" else struct.pack("<f", 1)
    header, offset = {}, 0
    for name, shape in tensors:
        length = size * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [offset, offset + length]}
        offset += length
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for i, (name, shape) in enumerate(tensors):
            left = header[name]["data_offsets"][1] - header[name]["data_offsets"][0]
            source = one * (left // size) if len(shape) == 1 else block[4 * (i * 7919 % 1000):]
            while left > 0:
                left -= file.write(source[:left])


def normal(count, seed):
    generator = random.Random(seed)
    return struct.pack(f"<{count}f", *(generator.gauss(0, 0.02) for _ in range(count)))


def bf16(floats):
    return b"".join(floats[i + 2:i + 4] for i in range(0, len(floats), 4))


def projections(hidden, mlp):
    attention = [(f"self_attn.{name}_proj", hidden, hidden) for name in "qkvo"]
    return attention + [("mlp.gate_proj", mlp, hidden), ("mlp.up_proj", mlp, hidden), ("mlp.down_proj", hidden, mlp)]


def make(folder, shape, rank):
    layers, hidden, mlp = SHAPES[shape]
    model, adapter = os.path.join(folder, "model"), os.path.join(folder, "adapter")
    os.makedirs(model), os.makedirs(adapter)
    fixture = os.path.join(ROOT, "tests", "fixtures", "tiny-llama")
    for name in ("tokenizer.model", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(os.path.join(fixture, name), model)
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": VOCABULARY, "hidden_size": hidden, "intermediate_size": mlp,
              "num_hidden_layers": layers, "num_attention_heads": hidden // 64, "num_key_value_heads": hidden // 64, "max_position_embeddings": 2048,
              "rms_norm_eps": 1e-5, "hidden_act": "silu", "tie_word_embeddings": False, "torch_dtype": "bfloat16", "bos_token_id": 1, "eos_token_id": 2}
    json.dump(config, open(os.path.join(model, "config.json"), "w"))
    tensors, matrices = [("model.embed_tokens.weight", (VOCABULARY, hidden))], []
    for layer in range(layers):
        tensors += [(f"model.layers.{layer}.{norm}_layernorm.weight", (hidden,)) for norm in ("input", "post_attention")]
        for name, outputs, inputs in projections(hidden, mlp):
            tensors.append((f"model.layers.{layer}.{name}.weight", (outputs, inputs)))
            path = f"base_model.model.model.layers.{layer}.{name}"
            matrices += [(f"{path}.lora_A.weight", (rank, inputs)), (f"{path}.lora_B.weight", (outputs, rank))]
    tensors += [("model.norm.weight", (hidden,)), ("lm_head.weight", (VOCABULARY, hidden))]
    block = normal(1 << 20, 1)
    write_safetensors(os.path.join(model, "model.safetensors"), tensors, "BF16", bf16(block))
    write_safetensors(os.path.join(adapter, "adapter_model.safetensors"), matrices, "F32", block)
    targets = sorted({name.split(".")[1] for name, _, _ in projections(hidden, mlp)})
    json.dump({"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": rank, "lora_dropout": 0.0, "bias": "none",
               "base_model_name_or_path": model, "target_modules": targets}, open(os.path.join(adapter, "adapter_config.json"), "w"))
    return model, adapter


def read_plainly(path):
    begin = time.perf_counter()
    with open(path, "rb", buffering=0) as file:
        memory = memoryview(bytearray(os.path.getsize(path)))
        done = 0
        while done < len(memory):
            done += file.readinto(memory[done:])
    return time.perf_counter() - begin


def run(command):
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


def merge(program, model, adapter, out):
    shutil.rmtree(out, ignore_errors=True)
    os.sync()
    seconds = run([*program, "merge", "--model", model, "--adapter", adapter, "--out", out])
    with open(os.path.join(out, "model.safetensors"), "rb") as file:
        return seconds, hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else hashlib.sha256(file.read()).hexdigest()


def say(what, times, beside=None):
    ratio = statistics.median(a / b for a, b in zip(times, beside)) if beside else None
    print(f"| {what} | {statistics.median(times):.2f} | {min(times):.2f} to {max(times):.2f} | {'' if ratio is None else f'{ratio:.2f}'} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="1b")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--program", default=f"dotnet {ROOT}/src/NativeVaccine.Cli/bin/Release/net10.0/nvaccine.dll")
    parser.add_argument("--against", help="another build's command")
    given = parser.parse_args()
    program, other = shlex.split(given.program), shlex.split(given.against or "")
    with tempfile.TemporaryDirectory() as folder:
        model, adapter = make(folder, given.shape, given.rank)
        weights = os.path.join(model, "model.safetensors")
        generate = [*program, "generate", "--model", model, "--prompt", "hello", "--max-new-tokens", "1"]
        read_plainly(weights), run(generate)
        names = ["a plain read into memory", "generate, one token, --template none", "generate, one token", "the same with the adapter"]
        times = [[] for _ in names]
        for _ in range(given.turns):
            for into, seconds in zip(times, (lambda: read_plainly(weights), lambda: run([*generate, "--template", "none"]), lambda: run(generate),
                                             lambda: run([*generate, "--adapter", adapter]))):
                into.append(seconds())
        print("| | s, median | from, to | ratio, median of turns |\n|---|---:|---:|---:|")
        for i, name in enumerate(names):
            say(name, times[i], times[2] if i == 3 else times[0] if i else None)
        ours, theirs, out = [], [], os.path.join(folder, "merged")
        for _ in range(given.turns):
            before = merge(other, model, adapter, out) if other else None
            seconds, digest = merge(program, model, adapter, out)
            if before and before[1] != digest:
                raise SystemExit("the two builds merge to different bytes")
            ours.append(seconds), theirs.append(before[0] if before else 0)
        if other:
            say(f"merge, the other build, rank {given.rank}", theirs)
        say(f"merge, rank {given.rank}", ours, theirs if other else None)


main()
