"""make_sparse_goldens.py FOLDER: tiny random qwen3_moe and gpt_oss models as GGUF files, written by the gguf package as llama.cpp's
converter writes them, and the logits that transformers computes for the same weights. gpt_oss has its experts in MXFP4, in GGUF and
in a Hugging Face folder's blocks and scales, whose values are dequantized by transformers. Development only; needs gguf, numpy,
torch, transformers and safetensors. `make_sparse_goldens.py tests/golden/model` makes the test's files again.
"""
import json
import os
import sys

import gguf
import numpy as np
import torch
import transformers as T
from safetensors.torch import save_file
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

FOLDER = sys.argv[1]
ROWS = [[1, 5, 2, 9, 4, 7, 3, 11, 30, 6], [3, 3]]
COMMON = dict(vocab_size=36, hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
              head_dim=8, max_position_embeddings=64, bos_token_id=None, eos_token_id=None, pad_token_id=0)
MXFP4 = gguf.GGMLQuantizationType.MXFP4
HALF = gguf.GGMLQuantizationType.F16


def as_mxfp4(stack):
    """[experts, out, in] float32 -> its GGUF bytes, and the values that those stand for."""
    data = gguf.quantize(stack.numpy(), MXFP4)
    return data, torch.from_numpy(gguf.dequantize(data, MXFP4))


def as_half(stack):
    return stack.numpy().astype(np.float16), stack.to(torch.float16).float()


def blocks_and_scales(data):
    """GGUF holds values i and i + 16 of a block in one byte, a Hugging Face folder values 2 i and 2 i + 1."""
    blocks = data.reshape(*data.shape[:2], -1, 17)
    nibbles = np.concatenate([blocks[..., 1:] & 15, blocks[..., 1:] >> 4], -1)
    return torch.from_numpy(nibbles[..., ::2] | nibbles[..., 1::2] << 4), torch.from_numpy(blocks[..., 0].copy())


def interleaved(gate, up):
    return torch.stack([gate, up], 2).flatten(1, 2)


def write_common(writer, config, model):
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    put(writer, "token_embd.weight", model.model.embed_tokens.weight, HALF)
    put(writer, "output_norm.weight", model.model.norm.weight)
    put(writer, "output.weight", model.lm_head.weight, HALF)


def put(writer, name, tensor, dtype=None):
    values = tensor.detach().numpy()
    writer.add_tensor(name, values.astype(np.float16) if dtype == HALF else values)


def write_layer(writer, i, layer):
    attention = layer.self_attn
    put(writer, f"blk.{i}.attn_norm.weight", layer.input_layernorm.weight)
    for ours, theirs in (("attn_q", attention.q_proj), ("attn_k", attention.k_proj), ("attn_v", attention.v_proj),
                         ("attn_output", attention.o_proj)):
        put(writer, f"blk.{i}.{ours}.weight", theirs.weight, HALF)
        if theirs.bias is not None:
            put(writer, f"blk.{i}.{ours}.bias", theirs.bias)


def round_to_half(model):
    """The matrices are stored in float16: the reference must hold the same values."""
    for parameter in model.parameters():
        if parameter.dim() == 2:
            parameter.data = parameter.data.to(torch.float16).float()


def finish(writer, name, model):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with torch.no_grad():
        logits = {f"logits.{i}": model(torch.tensor([row])).logits[0].contiguous() for i, row in enumerate(ROWS)}
    save_file(logits, os.path.join(FOLDER, name + ".safetensors"), metadata={"format": "pt"})


def start(name, architecture):
    return gguf.GGUFWriter(os.path.join(FOLDER, name + ".gguf"), architecture)


def randomize(model):
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        scale = 0.2 if parameter.dim() == 1 else 0.4
        parameter.data = torch.randn_like(parameter) * scale + (1.0 if name.endswith("norm.weight") else 0.0)


def qwen3_moe():
    config = T.Qwen3MoeConfig(**COMMON, moe_intermediate_size=32, num_experts=4, num_experts_per_tok=2, norm_topk_prob=True,
                              attn_implementation="eager", rope_parameters=dict(rope_type="default", rope_theta=1e6))
    model = T.Qwen3MoeForCausalLM(config).eval()
    randomize(model)
    round_to_half(model)
    writer = start("qwen3_moe_gguf", "qwen3moe")
    write_common(writer, config, model)
    writer.add_expert_count(4)
    writer.add_expert_used_count(2)
    writer.add_expert_feed_forward_length(32)
    for i, layer in enumerate(model.model.layers):
        write_layer(writer, i, layer)
        put(writer, f"blk.{i}.attn_q_norm.weight", layer.self_attn.q_norm.weight)
        put(writer, f"blk.{i}.attn_k_norm.weight", layer.self_attn.k_norm.weight)
        put(writer, f"blk.{i}.ffn_norm.weight", layer.post_attention_layernorm.weight)
        put(writer, f"blk.{i}.ffn_gate_inp.weight", layer.mlp.gate.weight)
        experts = layer.mlp.experts
        gate_data, gate = as_half(experts.gate_up_proj.data[:, :32].contiguous())
        up_data, up = as_half(experts.gate_up_proj.data[:, 32:].contiguous())
        down_data, down = as_half(experts.down_proj.data.contiguous())
        experts.gate_up_proj.data, experts.down_proj.data = torch.cat([gate, up], 1), down
        for kind, data in (("gate", gate_data), ("up", up_data), ("down", down_data)):
            writer.add_tensor(f"blk.{i}.ffn_{kind}_exps.weight", data)
    finish(writer, "qwen3_moe_gguf", model)


def gpt_oss():
    yarn = dict(rope_type="yarn", rope_theta=150000.0, factor=8.0, beta_fast=32.0, beta_slow=1.0, truncate=False,
                original_max_position_embeddings=4096)
    config = T.GptOssConfig(**COMMON | dict(max_position_embeddings=32768), num_local_experts=4, num_experts_per_tok=2, sliding_window=4, attn_implementation="eager",
                            layer_types=["sliding_attention", "full_attention"], rope_parameters=yarn)
    model = T.GptOssForCausalLM(config).eval()
    randomize(model)
    round_to_half(model)
    folder = os.path.join(FOLDER, "gpt_oss_mxfp4")
    os.makedirs(folder, exist_ok=True)
    state = {name: tensor for name, tensor in model.state_dict().items() if ".mlp.experts." not in name}
    dequantized = {}
    writer = start("gpt_oss_gguf", "gpt-oss")
    write_common(writer, config, model)
    writer.add_expert_count(4)
    writer.add_expert_used_count(2)
    writer.add_expert_feed_forward_length(32)
    writer.add_sliding_window(4)
    writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    writer.add_rope_scaling_factor(8.0)
    writer.add_rope_scaling_orig_ctx_len(4096)
    writer.add_rope_scaling_yarn_beta_fast(32.0)
    writer.add_rope_scaling_yarn_beta_slow(1.0)
    for i, layer in enumerate(model.model.layers):
        write_layer(writer, i, layer)
        put(writer, f"blk.{i}.attn_sinks.weight", layer.self_attn.sinks)
        put(writer, f"blk.{i}.post_attention_norm.weight", layer.post_attention_layernorm.weight)
        put(writer, f"blk.{i}.ffn_gate_inp.weight", layer.mlp.router.weight)
        put(writer, f"blk.{i}.ffn_gate_inp.bias", layer.mlp.router.bias)
        experts = layer.mlp.experts
        parts = experts.gate_up_proj.data.transpose(1, 2)
        gate_data, gate = as_mxfp4(parts[:, ::2].contiguous())
        up_data, up = as_mxfp4(parts[:, 1::2].contiguous())
        down_data, down = as_mxfp4(experts.down_proj.data.transpose(1, 2).contiguous())
        experts.gate_up_proj.data = interleaved(gate, up).transpose(1, 2).contiguous()
        experts.down_proj.data = down.transpose(1, 2).contiguous()
        for kind, data in (("gate", gate_data), ("up", up_data), ("down", down_data)):
            writer.add_tensor(f"blk.{i}.ffn_{kind}_exps.weight", data, raw_dtype=MXFP4)
        put(writer, f"blk.{i}.ffn_gate_exps.bias", experts.gate_up_proj_bias[:, ::2])
        put(writer, f"blk.{i}.ffn_up_exps.bias", experts.gate_up_proj_bias[:, 1::2])
        put(writer, f"blk.{i}.ffn_down_exps.bias", experts.down_proj_bias)
        prefix = f"model.layers.{i}.mlp.experts."
        gate_up = [interleaved(a, b) for a, b in zip(blocks_and_scales(gate_data), blocks_and_scales(up_data))]
        for kind, (blocks, scales) in (("gate_up_proj", gate_up), ("down_proj", blocks_and_scales(down_data))):
            state[f"{prefix}{kind}_blocks"], state[f"{prefix}{kind}_scales"] = blocks.contiguous(), scales.contiguous()
            state[f"{prefix}{kind}_bias"] = getattr(experts, kind + "_bias").data
            values = convert_moe_packed_tensors(blocks, scales)
            assert torch.equal(values.float(), getattr(experts, kind).data), kind  # transformers and gguf agree
            if i == 0:
                dequantized[f"{prefix}{kind}"] = values.contiguous()
    finish(writer, "gpt_oss_gguf", model)
    save_file({n: t.contiguous() for n, t in state.items()}, f"{folder}/model.safetensors", metadata={"format": "pt"})
    save_file(dequantized, f"{folder}/dequantized.safetensors", metadata={"format": "pt"})
    keys = json.loads(config.to_json_string()) | {"quantization_config": {"quant_method": "mxfp4"}, "architectures": ["GptOssForCausalLM"]}
    with open(f"{folder}/config.json", "w") as file:
        json.dump(keys, file, indent=1)


qwen3_moe()
gpt_oss()
