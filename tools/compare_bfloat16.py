"""compare_bfloat16.py AURUM FOLDER...: how far bfloat16 logits lie from transformers' float32 logits, aurum's beside those of
transformers' own bfloat16 (eager and SDPA attention), as mean |difference| per text. Development only; needs transformers, torch
and safetensors. Fails when aurum's mean over all texts is the larger one.
"""
import json
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

TEXTS = [
    "Explain in two sentences how to reverse a list in Python, and why a copy may be better than a change in place.",
    "def add(a, b):\n    \"\"\"Returns the sum.\"\"\"\n    return a + b\n\n\nclass Point:\n    def __init__(self, x, y):\n        self.x, self.y = x, y\n",
    "The old lighthouse keeper climbed the stairs every evening. He counted them, though he knew the number by heart, and lit the lamp.",
    "Die Hauptstadt von Frankreich ist Paris; en été, il fait chaud. 日本の首都は東京です。 Привет, мир! 🙂",
    "1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1597, 2584, 4181, 6765",
    "{\"name\": \"aurum\", \"tags\": [\"c++\", \"distillation\"], \"stars\": 12, \"nested\": {\"a\": null, \"b\": [1.5, -2e-3]}}",
    "Water boils at 100 degrees Celsius at sea level. At the top of Mount Everest it boils at about 68 degrees, because the pressure is lower.",
    "User: What is 17 times 23?\nAssistant: 17 times 23 is 391.\nUser: And divided by 7?\nAssistant:",
]


def aurum_logits(aurum, folder, rows):
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        lines = "\n".join(json.dumps({"ids": row}) for row in rows)
        command = [aurum, "--threads", "1", "logits", "--model", folder, "--dtype", "bfloat16", "--output", file.name]
        subprocess.run(command, input=lines, text=True, check=True)
        found = load_file(file.name)
    return [found[f"logits.{i}"] for i in range(len(rows))]


def transformers_logits(folder, rows, dtype, attention):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation=attention)
    with torch.no_grad():
        return [model(torch.tensor([row])).logits[0].float() for row in rows]


def distances(logits, exact):
    return [(a - b).abs().mean().item() for a, b in zip(logits, exact)]


def compare(aurum, folder):
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    rows = [tokenizer(text, add_special_tokens=True).input_ids for text in TEXTS]
    exact = transformers_logits(folder, rows, torch.float32, "eager")
    found = {"aurum": distances(aurum_logits(aurum, folder, rows), exact)}
    for attention in ("eager", "sdpa"):
        found[attention] = distances(transformers_logits(folder, rows, torch.bfloat16, attention), exact)
    print(folder)
    for name, values in found.items():
        print(f"  {name:6} mean {sum(values) / len(values):.4f}   " + " ".join(f"{v:.4f}" for v in values))
    means = {name: sum(values) for name, values in found.items()}
    return means["aurum"] <= min(means["eager"], means["sdpa"])


if __name__ == "__main__":
    torch.set_num_threads(1)
    results = [compare(sys.argv[1], folder) for folder in sys.argv[2:]]
    sys.exit(0 if all(results) else 1)
