"""make_lora_golden.py FOLDER: writes tests/weights/golden/lora: a tiny Llama, LoRA adapters of several kinds that peft saved, and
the weights that peft merges. Development only; needs peft, transformers, torch and safetensors.
"""
import os
import sys

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

KINDS = {
    "list": dict(target_modules=["q_proj", "down_proj"], bias="none"),
    "rslora": dict(target_modules="all-linear", use_rslora=True, rank_pattern={"down_proj": 3}, alpha_pattern={"layers.0.mlp.down_proj": 5}),
    "pattern": dict(target_modules=r".*layers\.\d+\.mlp\.(up|gate)_proj"),
    "embedding": dict(target_modules=["embed_tokens"], modules_to_save=["lm_head"]),
}
folder = sys.argv[1]


def make_model():
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(vocab_size=12, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
                                        num_key_value_heads=1, tie_word_embeddings=False))


make_model().save_pretrained(os.path.join(folder, "base"))
for kind, options in KINDS.items():
    model = get_peft_model(make_model(), LoraConfig(r=2, lora_alpha=8, task_type="CAUSAL_LM", **options))
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = torch.randn(parameter.shape, generator=generator)
    target = os.path.join(folder, kind)
    model.save_pretrained(target)
    merged = {k: v.contiguous() for k, v in model.merge_and_unload().state_dict().items()}
    save_file(merged, os.path.join(target, "merged.safetensors"))
    os.remove(os.path.join(target, "README.md"))
