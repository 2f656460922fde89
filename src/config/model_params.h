#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/field.h"
#include "config/values.h"

namespace aurum::config {

// model: the student.
struct ModelParams {
  std::string model_name;
  std::optional<std::string> adapter_model;
  bool adapter_trainable = false;
  std::optional<std::string> tokenizer_name;
  std::optional<std::string> tokenizer_pad_token;
  Mapping tokenizer_kwargs;
  Mapping processor_kwargs;
  std::optional<std::int64_t> model_max_length;
  bool load_pretrained_weights = true;
  bool trust_remote_code = false;
  std::string torch_dtype_str = "auto";
  bool compile = false;
  std::optional<std::string> chat_template;
  std::optional<Mapping> chat_template_kwargs;
  std::optional<std::string> attn_implementation;
  std::optional<std::string> device_map = "auto";
  Mapping model_kwargs;
  bool enable_liger_kernel = false;
  bool shard_for_eval = false;
  Texts freeze_layers;
  bool text_only = false;
  std::optional<std::string> model_revision;
  std::optional<std::string> tool_call_parser;

  static void fields(auto& self, auto&& visit) {
    visit("model_name", self.model_name,
          acts("The student: a Hugging Face folder, a .gguf file or a hub id.").required());
    visit("adapter_model", self.adapter_model,
          acts("A LoRA adapter to start from: added into the weights, or trained on as it is "
               "configured with training.use_peft: true."));
    visit("adapter_trainable", self.adapter_trainable,
          ignored("Goes on training that adapter.", "training.use_peft: true does"));
    visit("tokenizer_name", self.tokenizer_name,
          acts("The student's tokenizer; null takes the one beside the model."));
    visit("tokenizer_pad_token", self.tokenizer_pad_token,
          ignored("Token that fills short rows.", "rows are batched without padding"));
    visit("tokenizer_kwargs", self.tokenizer_kwargs,
          ignored("Options of Hugging Face's tokenizer loader.", "tokenizer.json says it all"));
    visit("processor_kwargs", self.processor_kwargs,
          ignored("Options of an image processor.", "models here read text"));
    visit("model_max_length", self.model_max_length,
          acts("Longest row; longer ones lose their oldest prompt tokens. Beats "
               "trainer_kwargs.max_length.")
              .at_least(1)
              .in("tokens"));
    visit("load_pretrained_weights", self.load_pretrained_weights,
          refused("false starts from random weights.", "set it to true"));
    visit("trust_remote_code", self.trust_remote_code,
          ignored("Runs the model's own Python code.", "no Python runs here"));
    visit("torch_dtype_str", self.torch_dtype_str,
          acts("Number format of the student's weights.")
              .one_of({{"auto"},
                       {"float32", "f32", "float"},
                       {"bfloat16", "bf16"},
                       {"float16", "f16", "half"},
                       {"float64", "f64", "double"},
                       {"uint8"}}));
    visit("compile", self.compile,
          ignored("Compiles the model.", "the kernels are compiled already"));
    visit("chat_template", self.chat_template,
          acts("A Jinja chat template, or a file with one, in place of the tokenizer's."));
    visit("chat_template_kwargs", self.chat_template_kwargs,
          refused("Variables of the chat template.", "write them into model.chat_template"));
    loading_fields(self, visit);
  }

 private:
  static void loading_fields(auto& self, auto&& visit) {
    visit("attn_implementation", self.attn_implementation,
          ignored("Attention kernel.", "there is one, fused and exact"));
    visit("device_map", self.device_map,
          acts("Where both models compute: auto (the first CUDA device that libtorch has, else the "
               "CPU), cpu, cuda or cuda:N. Rollouts, the loss and the optimizer stay on the CPU."));
    visit("model_kwargs", self.model_kwargs,
          ignored("Options of Hugging Face's model loader.", "config.json says it all"));
    visit("enable_liger_kernel", self.enable_liger_kernel,
          ignored("Uses Liger's fused kernels.", "the loss and the head are fused already"));
    visit("shard_for_eval", self.shard_for_eval,
          ignored("Shards the model for evaluation.", "one process holds the whole model"));
    visit("freeze_layers", self.freeze_layers,
          acts("Layers whose weights stay as they are, such as model.embed_tokens or "
               "model.layers.0."));
    visit("text_only", self.text_only,
          ignored("Loads only the language part of an image model.", "that is always so"));
    visit("model_revision", self.model_revision,
          acts("Branch, tag or commit of the student on the hub; null is main."));
    visit("tool_call_parser", self.tool_call_parser,
          ignored("Parses tool calls at inference.", "training compares raw tokens"));
  }
};

}  // namespace aurum::config
