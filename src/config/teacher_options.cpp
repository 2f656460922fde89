#include "config/teacher_options.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace aurum::config {

namespace {

constexpr std::array<std::string_view, 5> kAttentionKernels = {
    "eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention"};

TeacherOptionNote refuse(std::string why) { return {Effect::kRefused, std::move(why)}; }

// "torch.float32" and "f32" are other spellings of "float32"; nullopt for an unknown name.
std::optional<std::string> dtype_name(std::string_view text) {
  if (text.starts_with("torch.")) text.remove_prefix(6);
  if (text == "auto") return "auto";
  if (text == "float32" || text == "float" || text == "f32") return "float32";
  if (text == "bfloat16" || text == "bf16") return "bfloat16";
  return std::nullopt;
}

// Transformers has two names for the key, of which the reader keeps the last.
std::string dtype_text(const Json& entries) {
  const Json value = entries.value(entries.contains("dtype") ? "dtype" : "torch_dtype", Json());
  return value.is_string() ? value.get<std::string>() : "auto";
}

TeacherOptionNote check_dtype(const std::string& text) {
  if (dtype_name(text)) return {};
  return refuse(fmt::format(
      "{} is no number format of a teacher here; choose one of auto, float32, bfloat16", text));
}

}  // namespace

TeacherOptions teacher_options(const GoldParams& gold) {
  const Json& entries = gold.teacher_model_init_kwargs.entries;
  const auto text = [&](const char* key) -> std::optional<std::string> {
    if (!entries.contains(key) || !entries[key].is_string()) return std::nullopt;
    return entries[key].get<std::string>();
  };
  return {.dtype = dtype_name(dtype_text(entries)).value_or("auto"),
          .device_map = text("device_map"),
          .revision = text("revision")};
}

TeacherOptionNote check_teacher_option(const GoldParams& gold, const std::string& name) {
  const Json& entries = gold.teacher_model_init_kwargs.entries;
  const bool is_dtype = name == "torch_dtype" || name == "dtype";
  const bool is_attention = name == "attn_implementation";
  if (!is_dtype && !is_attention && name != "device_map" && name != "revision") {
    return {Effect::kIgnored,
            "the teacher's loader knows torch_dtype, device_map, attn_implementation and revision"};
  }
  if (!entries.contains(name)) {
    return refuse("torch_dtype and dtype are the same: delete one of them");
  }
  const Json& value = entries[name];
  if (value.is_null()) return {};
  if (!value.is_string()) return refuse(fmt::format("it must be text, found {}", value.dump()));
  const auto text = value.get<std::string>();
  if (is_dtype) return check_dtype(text);
  if (!is_attention) return {};
  const bool is_known = std::find(kAttentionKernels.begin(), kAttentionKernels.end(), text) !=
                        kAttentionKernels.end();
  if (!is_known && text.find('/') == std::string::npos) {  // "org/name" is a kernel on the hub
    return refuse(fmt::format("{} is no attention kernel; choose one of {}", value.dump(),
                              fmt::join(kAttentionKernels, ", ")));
  }
  return {Effect::kIgnored, "there is one attention kernel, fused and exact"};
}

}  // namespace aurum::config
