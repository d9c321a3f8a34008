"""A T-Vaccine step in PyTorch, transformers and peft, timed on random weights: what `nvaccine bench step` is compared with.

    python3 tvaccine_step.py [--tiny] [--device cuda:0] [--samples 10] [--length 200] [--steps 5]

Does what the authors' trainer does in a step: the attention's adapters train in the chosen layers only, the MLPs' in all; layers i and i - 1
of each chosen i keep their activations and all others are computed again by reentrant checkpoints, below which no gradient goes. The chosen
layers are the same in every step, spread over all from the first. Pass 1 takes the gradient at the attention outputs of the chosen layers,
pass 2 adds rho * gradient / norm there and trains. Prints JSON.
"""
import argparse
import json
import statistics
import time

import torch
from peft import LoraConfig, get_peft_model
from torch.utils.checkpoint import checkpoint
from transformers import LlamaConfig, LlamaForCausalLM

RHO, CHOSEN, RANK = 3.0, 8, 8
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
MLP = ["gate_proj", "up_proj", "down_proj"]


def shape(tiny):
    if tiny:
        return LlamaConfig(vocab_size=512, hidden_size=64, intermediate_size=160, num_hidden_layers=16, num_attention_heads=4)
    return LlamaConfig(vocab_size=32000, hidden_size=4096, intermediate_size=11008, num_hidden_layers=32, num_attention_heads=32)


def build(config, device):
    """Random weights made in bf16 on the device; adapters in fp32."""
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(device):
        model = LlamaForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    model.config.use_cache = False
    lora = LoraConfig(r=RANK, lora_alpha=4, lora_dropout=0.1, target_modules=ATTENTION + MLP, task_type="CAUSAL_LM")
    model = get_peft_model(model, lora)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return model


class Sites:
    """Reads and disturbs the attention outputs of the chosen layers."""

    def __init__(self, layers, chosen):
        self.outputs, self.added = {}, {}
        for index in chosen:
            layers[index].self_attn.register_forward_hook(lambda _, __, output, index=index: self.visit(index, output))

    def visit(self, index, output):
        hidden, rest = (output[0], output[1:]) if isinstance(output, tuple) else (output, None)
        if index in self.added:
            hidden = hidden + self.added[index]
        elif hidden.requires_grad:
            hidden.retain_grad()
            self.outputs[index] = hidden
        return hidden if rest is None else (hidden, *rest)

    def set_perturbation(self):
        gradients = {index: output.grad.float() for index, output in self.outputs.items()}
        norm = torch.sqrt(sum(gradient.square().sum() for gradient in gradients.values()))
        self.added = {index: (RHO * gradient / (norm + 1e-7)).bfloat16() for index, gradient in gradients.items()}

    def clear(self):
        self.outputs, self.added = {}, {}


def prepare(model, config):
    """Freezes, and puts checkpoints around the layers that do not keep their activations."""
    layers = model.base_model.model.model.layers
    count = config.num_hidden_layers
    chosen = [index * count // CHOSEN for index in range(CHOSEN)]
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            layer = int(name.split(".layers.")[1].split(".")[0])
            parameter.requires_grad_(layer in chosen or not any(projection in name for projection in ATTENTION))
    kept = set(chosen) | {index - 1 for index in chosen}
    for index, layer in enumerate(layers):
        if index in kept:
            continue
        def recomputed(hidden, *rest, inner=layer.forward, **named):
            return checkpoint(lambda x: inner(x, *rest, **named), hidden, use_reentrant=True)
        layer.forward = recomputed
    return Sites(layers, chosen)


def step(model, sites, optimizer, ids):
    with torch.autocast(ids.device.type, dtype=torch.bfloat16):
        model(input_ids=ids, labels=ids).loss.backward()
    sites.set_perturbation()
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(ids.device.type, dtype=torch.bfloat16):
        loss = model(input_ids=ids, labels=ids).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.grad is not None], 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    sites.clear()
    return loss.item()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--length", type=int, default=200)
    parser.add_argument("--steps", type=int, default=5)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    config = shape(arguments.tiny)
    model = build(config, arguments.device)
    model.train()
    sites = prepare(model, config)
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=1e-3, weight_decay=0.1)
    ids = torch.randint(config.vocab_size, (arguments.samples, arguments.length), device=arguments.device)
    on_gpu = ids.is_cuda
    seconds, loss = [], 0.0
    for number in range(2 + arguments.steps):
        start = time.perf_counter()
        loss = step(model, sites, optimizer, ids)
        if on_gpu:
            torch.cuda.synchronize()
        if number >= 2:
            seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds)
    print(json.dumps({
        "torch": torch.__version__,
        "tokens": ids.numel(),
        "seconds": seconds,
        "median_seconds": median,
        "tokens_per_second": ids.numel() / median,
        "loss": loss,
        "peak_bytes": torch.cuda.max_memory_allocated() if on_gpu else None,
        "reserved_bytes": torch.cuda.max_memory_reserved() if on_gpu else None,
        "trainable_parameters": sum(p.numel() for p in trainable),
    }, indent=2))


if __name__ == "__main__":
    main()
