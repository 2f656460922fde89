#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/field.h"
#include "config/values.h"

namespace aurum::config {

inline constexpr const char* kNoPeft = "it only matters with training.use_peft: true";

// peft: the LoRA adapter of training.use_peft.
struct PeftParams {
  std::int64_t lora_r = 8;
  std::int64_t lora_alpha = 8;
  double lora_dropout = 0.0;
  std::optional<Texts> lora_target_modules;
  std::optional<Texts> lora_exclude_modules;
  std::optional<Texts> lora_target_parameters;
  std::optional<Texts> lora_modules_to_save;
  std::string lora_bias = "none";
  std::string lora_init_weights = "DEFAULT";
  std::string lora_task_type = "CAUSAL_LM";
  bool q_lora = false;
  std::int64_t q_lora_bits = 4;
  std::string bnb_4bit_quant_type = "fp4";
  std::optional<Texts> llm_int8_skip_modules;
  bool use_bnb_nested_quant = false;
  std::string bnb_4bit_quant_storage = "uint8";
  std::string bnb_4bit_compute_dtype = "float32";
  std::string peft_save_mode = "ADAPTER_ONLY";

  static void fields(auto& self, auto&& visit) {
    visit("lora_r", self.lora_r, acts("Rank of the adapter.").at_least(1));
    visit("lora_alpha", self.lora_alpha, acts("The adapter is scaled by lora_alpha / lora_r."));
    visit("lora_dropout", self.lora_dropout,
          acts("Dropout in front of the adapter, with training.gold.disable_dropout: false.")
              .between(0, 1));
    visit("lora_target_modules", self.lora_target_modules,
          acts("Names, or ends of names, of the linear layers that get an adapter; all-linear "
               "is all of them but the head, null the model's usual set (q_proj and v_proj)."));
    visit("lora_exclude_modules", self.lora_exclude_modules,
          acts("Names, or ends of names, of layers that get none."));
    visit("lora_target_parameters", self.lora_target_parameters,
          refused("Names of bare parameters that get an adapter.", "use lora_target_modules"));
    visit("lora_modules_to_save", self.lora_modules_to_save,
          refused("Names of layers that are trained whole beside the adapter.",
                  "remove it, or set training.use_peft: false to train all layers whole"));
    visit("lora_bias", self.lora_bias,
          refused("Which biases are trained.", "set it to none")
              .one_of({{"none"}, {"all"}, {"lora_only"}}));
    visit("lora_init_weights", self.lora_init_weights,
          refused("How the adapter starts.", "set it to DEFAULT: A is random and B is zero")
              .one_of({{"DEFAULT"},
                       {"RANDOM"},
                       {"GAUSSIAN"},
                       {"EVA"},
                       {"PISA", "pissa"},
                       {"PISSA_NITER", "pissa_niter_[number of iters]"},
                       {"LOFTQ"},
                       {"OLORA"}}));
    visit("lora_task_type", self.lora_task_type,
          refused("What the adapter is for.", "set it to CAUSAL_LM")
              .one_of({{"SEQ_CLS"},
                       {"SEQ_2_SEQ_LM"},
                       {"CAUSAL_LM"},
                       {"TOKEN_CLS"},
                       {"QUESTION_ANS"},
                       {"FEATURE_EXTRACTION"}}));
    quantization_fields(self, visit);
    visit("peft_save_mode", self.peft_save_mode,
          refused("What the final folder holds: the adapter, adapter and base model, or merged "
                  "weights.",
                  "set it to ADAPTER_ONLY, and merge with aurum convert MODEL OUT --adapter RUN")
              .one_of({{"ADAPTER_ONLY"}, {"ADAPTER_AND_BASE_MODEL"}, {"MERGED"}}));
  }

 private:
  static void quantization_fields(auto& self, auto&& visit) {
    constexpr const char* kNoBits = "a GGUF base model keeps its own number format";
    visit("q_lora", self.q_lora,
          refused("Quantizes the base model with bitsandbytes.",
                  "set it to false; a quantized GGUF base model serves the same end"));
    visit("q_lora_bits", self.q_lora_bits,
          ignored("Bits of the quantized base model.", kNoBits).in("bits"));
    visit("bnb_4bit_quant_type", self.bnb_4bit_quant_type,
          ignored("fp4 or nf4.", kNoBits).one_of({{"fp4"}, {"nf4"}}));
    visit("llm_int8_skip_modules", self.llm_int8_skip_modules,
          ignored("Layers that stay as they are.", kNoBits));
    visit("use_bnb_nested_quant", self.use_bnb_nested_quant,
          ignored("Quantizes the scales too.", kNoBits));
    visit("bnb_4bit_quant_storage", self.bnb_4bit_quant_storage,
          ignored("Number format of the packed bits.", kNoBits));
    visit("bnb_4bit_compute_dtype", self.bnb_4bit_compute_dtype,
          ignored("Number format of the arithmetic.", kNoBits));
  }
};

}  // namespace aurum::config
