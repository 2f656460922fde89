"""model_goldens.py FOLDER: logits, gradients and greedy ids of very small models by transformers, for tests/model/golden_test.cpp.

The weights are a formula of name and place (`weight_values`), so that no file holds them. The loss is half the sum of the squared
logits of all rows. Usage: python tools/model_goldens.py tests/golden/model
"""
import json
import sys
import tempfile

import numpy
import torch
from safetensors.torch import load_file, save_file

import tiny_models

COMMON = dict(vocab_size=13, hidden_size=16, intermediate_size=12, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=4)
GPT2 = dict(vocab_size=13, n_embd=16, n_layer=2, n_head=4, n_inner=12)
FACTORS = dict(rope_type="longrope", rope_theta=1e4, short_factor=[1.0, 1.5], long_factor=[1.0, 3.0])
CASES = {
    "llama_llama3": COMMON,
    "mistral": COMMON | dict(sliding_window=3),
    "qwen2": {k: v for k, v in COMMON.items() if k != "head_dim"},
    "qwen3_yarn": COMMON,
    "gemma2": COMMON | dict(sliding_window=3),
    "gemma3_text": COMMON | dict(sliding_window=3, layer_types=["sliding_attention", "full_attention"]),
    "smollm3": {k: v for k, v in COMMON.items() if k != "head_dim"} | dict(no_rope_layers=[1, 0], sliding_window=3, layer_types=None),
    "phi3_longrope": {k: v for k, v in COMMON.items() if k != "head_dim"} | dict(rope_parameters=FACTORS, original_max_position_embeddings=4),
    "gpt2_scaled": GPT2,
    "qwen3_moe": COMMON | dict(mlp_only_layers=[1], moe_intermediate_size=6),
    "gpt_oss": COMMON | dict(sliding_window=3, layer_types=["sliding_attention", "full_attention"]),
}
ROWS = [[1, 5, 2, 9, 4, 7, 3], [3, 3]]
NEW_TOKENS = 6


def weight_values(name, shape, adds_one):
    seed = 2166136261
    for byte in name.encode():
        seed = ((seed ^ byte) * 16777619) & 0xFFFFFFFF
    count = int(numpy.prod(shape))
    mixed = (numpy.arange(count, dtype=numpy.uint64) * 2654435761 + seed) & 0xFFFFFFFF
    values = mixed.astype(numpy.float64) / 2.0**32 - 0.5
    if len(shape) == 1:
        is_scale = ("norm" in name or ".ln_" in name) and name.endswith("weight") and not adds_one
        values = values * 0.4 + (1.0 if is_scale else 0.0)
    return torch.tensor(values, dtype=torch.float32).reshape(shape)


def state_in_files(model):
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return load_file(f"{folder}/model.safetensors")


def run(name, folder):
    model = tiny_models.make_model(name, **CASES[name])
    model.config._attn_implementation = "eager"
    teacher = name in tiny_models.TEACHERS_ONLY
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            parameter.copy_(weight_values(key, parameter.shape, "gemma" in name))
    tensors = {}
    if teacher:  # the experts' names differ in files: keep the weights
        state = state_in_files(model)
        tensors |= {f"weight.{key}": value for key, value in state.items()}
    loss = 0.0
    for i, row in enumerate(ROWS):
        logits = model(torch.tensor([row])).logits[0]
        tensors[f"logits.{i}"] = logits.detach().clone()
        loss = loss + 0.5 * logits.pow(2).sum()
    if not teacher:
        loss.backward()
        tensors |= {f"gradient.{key}": p.grad.clone() for key, p in model.named_parameters()}
    ids = list(ROWS[0])
    for _ in range(NEW_TOKENS):
        with torch.no_grad():
            ids.append(model(torch.tensor([ids])).logits[0, -1].argmax().item())
    tensors["greedy"] = torch.tensor(ids[len(ROWS[0]):], dtype=torch.int32)
    save_file(tensors, f"{folder}/{name}.safetensors")
    with open(f"{folder}/{name}.json", "w") as file:
        json.dump(json.loads(model.config.to_json_string()), file, indent=0)


for case in CASES:
    run(case, sys.argv[1])
