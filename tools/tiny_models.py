"""Tiny random models of every family, for check_models.py and model_goldens.py. Development only."""
import copy

import torch
import transformers as T

SMALL = dict(vocab_size=300, hidden_size=24, intermediate_size=44, num_hidden_layers=3, num_attention_heads=6, num_key_value_heads=2,
             head_dim=10, max_position_embeddings=64, bos_token_id=None, eos_token_id=None, pad_token_id=0)
LONG = dict(max_position_embeddings=16)  # rows get longer than this


def rope(kind, theta=1e4, **keys):
    return dict(rope_parameters=dict(rope_type=kind, rope_theta=theta, **keys))


def partial(fraction):
    return rope("default", partial_rotary_factor=fraction)


GPT2 = dict(vocab_size=300, n_embd=24, n_layer=3, n_head=4, n_inner=44, n_positions=64, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
            bos_token_id=None, eos_token_id=None)
FACTORS = dict(short_factor=[1.0, 1.1, 1.2, 1.3, 1.4], long_factor=[1.0, 2.0, 3.0, 4.0, 5.0])
FULL_AND_SLIDING = dict(rope_parameters=dict(full_attention=dict(rope_type="linear", rope_theta=1e6, factor=8.0),
                                             sliding_attention=dict(rope_type="default", rope_theta=1e4)))
MOE = dict(moe_intermediate_size=20, num_experts=5, num_experts_per_tok=2)

# name: (model class, config class, changes to SMALL)
CASES = {
    "llama": (T.LlamaForCausalLM, T.LlamaConfig, {}),
    "llama_biases_tied": (T.LlamaForCausalLM, T.LlamaConfig, dict(attention_bias=True, mlp_bias=True, tie_word_embeddings=True)),
    "llama_linear": (T.LlamaForCausalLM, T.LlamaConfig, rope("linear", factor=4.0)),
    "llama_dynamic": (T.LlamaForCausalLM, T.LlamaConfig, LONG | rope("dynamic", factor=2.0)),
    "llama_llama3": (T.LlamaForCausalLM, T.LlamaConfig, rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                                             original_max_position_embeddings=32)),
    "llama_yarn": (T.LlamaForCausalLM, T.LlamaConfig, rope("yarn", factor=4.0, original_max_position_embeddings=16)),
    "mistral": (T.MistralForCausalLM, T.MistralConfig, dict(sliding_window=7)),
    "qwen2": (T.Qwen2ForCausalLM, T.Qwen2Config, dict(head_dim=None, tie_word_embeddings=True)),
    "qwen2_window": (T.Qwen2ForCausalLM, T.Qwen2Config, dict(head_dim=None, use_sliding_window=True, sliding_window=5, max_window_layers=1)),
    "qwen3": (T.Qwen3ForCausalLM, T.Qwen3Config, dict(attention_bias=True)),
    "qwen3_yarn": (T.Qwen3ForCausalLM, T.Qwen3Config, rope("yarn", 1e6, factor=4.0, original_max_position_embeddings=16)),
    "gemma2": (T.Gemma2ForCausalLM, T.Gemma2Config, dict(sliding_window=6, query_pre_attn_scalar=20, attn_logit_softcapping=2.0,
                                                        final_logit_softcapping=5.0)),
    "gemma3_text": (T.Gemma3ForCausalLM, T.Gemma3TextConfig, dict(sliding_window=6, query_pre_attn_scalar=12, layer_types=[
        "sliding_attention", "full_attention", "sliding_attention"])),
    "gemma3_linear": (T.Gemma3ForCausalLM, T.Gemma3TextConfig, FULL_AND_SLIDING | dict(sliding_window=6, layer_types=[
        "sliding_attention", "full_attention", "sliding_attention"])),
    "smollm3": (T.SmolLM3ForCausalLM, T.SmolLM3Config, dict(head_dim=None, no_rope_layers=[1, 0, 1], use_sliding_window=True, sliding_window=5)),
    "phi3": (T.Phi3ForCausalLM, T.Phi3Config, dict(num_attention_heads=4, head_dim=None, sliding_window=7)),
    "phi3_partial": (T.Phi3ForCausalLM, T.Phi3Config, dict(hidden_size=32, num_attention_heads=4, head_dim=None) | partial(0.75)),
    "phi3_longrope": (T.Phi3ForCausalLM, T.Phi3Config, dict(hidden_size=40, num_attention_heads=4, head_dim=None,
                      original_max_position_embeddings=16) | rope("longrope", **FACTORS)),
    "gpt2": (T.GPT2LMHeadModel, T.GPT2Config, GPT2),
    "gpt2_scaled": (T.GPT2LMHeadModel, T.GPT2Config, GPT2 | dict(scale_attn_by_inverse_layer_idx=True, tie_word_embeddings=False)),
    "qwen3_moe": (T.Qwen3MoeForCausalLM, T.Qwen3MoeConfig, MOE | dict(mlp_only_layers=[1])),
    "qwen3_moe_normalized": (T.Qwen3MoeForCausalLM, T.Qwen3MoeConfig, MOE | dict(norm_topk_prob=True, decoder_sparse_step=2)),
    "gpt_oss": (T.GptOssForCausalLM, T.GptOssConfig, dict(num_local_experts=5, num_experts_per_tok=2, sliding_window=6)),
}
TEACHERS_ONLY = ("qwen3_moe", "gpt_oss")
LENGTH_DEPENDENT = ("llama_dynamic", "phi3_longrope")


def make_config(name, **overrides):
    _, config_class, changes = CASES[name]
    keys = changes if config_class is T.GPT2Config else SMALL | changes
    if keys.get("head_dim", 0) is None:
        keys = {k: v for k, v in keys.items() if k != "head_dim"}
    return config_class(**copy.deepcopy(keys | overrides))


def make_model(name, seed=0, **overrides):
    torch.manual_seed(seed)
    model = CASES[name][0](make_config(name, **overrides)).float().eval()
    model.config._experts_implementation = "eager"  # the grouped product wants aligned sizes
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            parameter.copy_(torch.randn_like(parameter) * (0.2 if parameter.dim() > 1 else 0.1))
            if "norm" in key or ".ln_" in key:
                parameter.add_(0.0 if "gemma" in name or key.endswith("bias") else 1.0)
    return model
