"""compare_logits.py AURUM FOLDER: loads a Hugging Face folder that aurum wrote with transformers, and compares the logits
of both programs on a few texts, in float32. Development only; needs transformers, torch and safetensors.
"""
import json
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

aurum, folder = sys.argv[1], sys.argv[2]
texts = ["Hello world", "def add(a, b):\n    return a + b\n", "Explain in two sentences how to reverse a list in Python."]
tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
rows = [tokenizer(text, add_special_tokens=False).input_ids for text in texts]
with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
    lines = "\n".join(json.dumps({"ids": row}) for row in rows)
    subprocess.run([aurum, "logits", "--model", folder, "--dtype", "float32", "--output", file.name], input=lines, text=True, check=True)
    ours = load_file(file.name)
worst = 0.0
for i, row in enumerate(rows):
    with torch.no_grad():
        theirs = model(torch.tensor([row])).logits[0]
    worst = max(worst, ((ours[f"logits.{i}"] - theirs).abs().max() / theirs.abs().max()).item())
print(f"largest difference relative to the largest logit: {worst:.2e}")
sys.exit(0 if worst < 1e-4 else 1)
