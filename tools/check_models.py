"""check_models.py AURUM [CASE...]: makes tiny random models of every family with transformers and compares logits in float32 and
bfloat16, packed and padded, and greedy completions. Development only; needs transformers, torch, safetensors and tokenizers.

float32: within 1e-4 of the largest logit. bfloat16: no farther from float32 than 1.3 times transformers' own bfloat16.
"""
import json
import os
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file

import tiny_models

AURUM = sys.argv[1]
LENGTHS = (1, 9, 23, 14, 30)
NEW_TOKENS = 20


def write_tokenizer(folder):
    """One token per byte, so that a text is its own ids."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = [b for b in range(256) if b not in printable]
    letters = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(other)}
    vocabulary = {letters[b]: b for b in range(256)} | {f"<x{i}>": i for i in range(256, 300)}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    with open(f"{folder}/tokenizer.json", "w") as file:
        json.dump({"version": "1.0", "added_tokens": [], "normalizer": None, "pre_tokenizer": byte_level, "post_processor": None,
                   "decoder": byte_level, "model": {"type": "BPE", "vocab": vocabulary, "merges": []}}, file)


def aurum_logits(folder, rows, dtype, batch, padding):
    output = f"{folder}/logits.safetensors"
    lines = "\n".join(json.dumps({"ids": row}) for row in rows)
    subprocess.run([AURUM, "logits", "--model", folder, "--dtype", dtype, "--batch", str(batch), "--padding", padding, "--output", output],
                   input=lines, text=True, check=True)
    found = load_file(output)
    return [found[f"logits.{i}"] for i in range(len(rows))]


def padded_logits(model, rows, side):
    width = max(map(len, rows))
    left = side == "left"
    ids = torch.tensor([[0] * (width - len(r)) + r if left else r + [0] * (width - len(r)) for r in rows])
    mask = torch.tensor([[0] * (width - len(r)) + [1] * len(r) if left else [1] * len(r) + [0] * (width - len(r)) for r in rows])
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    with torch.no_grad():
        logits = model(ids, attention_mask=mask, position_ids=positions).logits
    return [logits[i][mask[i].bool()] for i in range(len(rows))]


def plain_logits(model, rows):
    with torch.no_grad():
        return [model(torch.tensor([row])).logits[0].float() for row in rows]


def worst(ours, theirs):
    return max(((a - b).abs().max() / b.abs().max()).item() for a, b in zip(ours, theirs))


def distance(ours, theirs):
    return (torch.cat(ours) - torch.cat(theirs)).abs().mean().item()


def greedy(model, prompt):
    ids = torch.tensor([list(prompt.encode())])
    return model.generate(ids, max_new_tokens=NEW_TOKENS, do_sample=False, pad_token_id=0)[0, ids.shape[1]:].tolist()


def plain_greedy(model, prompt):
    """Without a cache: the definition, where transformers' cache goes stale (dynamic)."""
    ids = list(prompt.encode())
    for _ in range(NEW_TOKENS):
        fresh_rope(model)
        ids.append(plain_logits(model, [ids])[0][-1].argmax().item())
    return ids[len(prompt):]


def fresh_rope(model):
    rotary = getattr(model.model, "rotary_emb", None) if hasattr(model, "model") else None
    if rotary is not None and hasattr(rotary, "original_inv_freq"):
        rotary.register_buffer("inv_freq", rotary.original_inv_freq.clone(), persistent=False)
        rotary.max_seq_len_cached = rotary.original_max_seq_len


def aurum_greedy(folder, prompts):
    lines = "\n".join(json.dumps({"prompt": p}) for p in prompts)
    command = [AURUM, "generate", "--model", folder, "--dtype", "float32", "--temperature", "0", "--max-new-tokens", str(NEW_TOKENS)]
    result = subprocess.run(command, input=lines, text=True, check=True, capture_output=True)
    return [json.loads(line)["ids"] for line in result.stdout.splitlines()]


def check(name):
    with tempfile.TemporaryDirectory() as folder:
        model = tiny_models.make_model(name)
        model.config._attn_implementation = "eager"
        model.save_pretrained(folder)
        write_tokenizer(folder)
        generator = torch.Generator().manual_seed(1)
        rows = [torch.randint(0, 300, (n,), generator=generator).tolist() for n in LENGTHS]
        reference = []
        for row in rows:
            fresh_rope(model)
            reference += plain_logits(model, [row])
        errors = {"f32": worst(aurum_logits(folder, rows, "float32", 1, "right"), reference)}
        errors["f32 batch"] = worst(aurum_logits(folder, rows, "float32", 3, "left"), reference)
        if name not in tiny_models.LENGTH_DEPENDENT:
            ours = aurum_logits(folder, rows, "float32", 5, "left")
            for side in ("left", "right"):
                errors[f"f32 {side}"] = worst(ours, padded_logits(model, rows, side))
        ok = all(e < 1e-4 for e in errors.values())
        prompts = ["a", "hello", "the quick brown"]
        theirs = [plain_greedy(model, p) if name in tiny_models.LENGTH_DEPENDENT else greedy(model, p) for p in prompts]
        same = aurum_greedy(folder, prompts) == theirs
        half = tiny_models.make_model(name).to(torch.bfloat16)
        half.config._attn_implementation = "eager"
        half_rows = []
        for row in rows:
            fresh_rope(half)
            half_rows += plain_logits(half, [row])
        rounded = tiny_models.make_model(name).to(torch.bfloat16).float()
        exact = []
        for row in rows:
            fresh_rope(rounded)
            exact += plain_logits(rounded, [row])
        ours = aurum_logits(folder, rows, "bfloat16", 5, "right")
        own, peer, between = distance(ours, exact), distance(half_rows, exact), distance(ours, half_rows)
        fine = ok and same and own < 1.3 * peer
        print(f"{'ok  ' if fine else 'FAIL'} {name:22} float32 {max(errors.values()):.1e}  greedy {'equal' if same else 'DIFFERS'}  "
              f"bfloat16 ours {own:.4f} transformers {peer:.4f} between {between:.4f}", flush=True)
        return fine


torch.set_num_threads(1)
names = sys.argv[2:] or list(tiny_models.CASES)
results = [check(name) for name in names]
sys.exit(0 if all(results) else 1)
