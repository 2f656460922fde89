#include "weights/gguf_export.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/error.h"
#include "weights/convert_tensor.h"
#include "weights/gguf_corrections.h"
#include "weights/gguf_metadata.h"
#include "weights/gguf_names.h"

namespace aurum::weights {
namespace {

GgufTensorToWrite tensor_to_write(const Checkpoint& checkpoint, const std::string& name,
                                  const std::string& gguf, QuantizationMix mix) {
  const ModelConfig& config = checkpoint.config();
  std::vector<std::int64_t> shape = checkpoint.tensor(name).shape;
  const Correction correction = correction_of(name, shape.size(), config);
  if (correction == Correction::kTranspose) std::swap(shape[0], shape[1]);
  const DType dtype = stored_type(mix, gguf, shape, config);
  const auto write = [&checkpoint, name, correction, dtype](const ByteSink& sink) {
    const TensorView view =
        apply_correction(checkpoint.tensor(name), correction, checkpoint.config());
    write_converted(view, dtype, sink);
  };
  return {gguf, dtype, std::move(shape), write};
}

// Embedding first, then layer by layer, as llama.cpp's converter leaves them.
std::pair<int, std::int64_t> place_of(std::string_view name) {
  if (!name.starts_with("blk.")) return {name.starts_with("output") ? 2 : 0, 0};
  std::int64_t layer = 0;
  std::from_chars(name.data() + 4, name.data() + name.size(), layer);
  return {1, layer};
}

std::vector<GgufTensorToWrite> tensors_to_write(const Checkpoint& checkpoint, QuantizationMix mix) {
  std::vector<GgufTensorToWrite> tensors;
  for (const RopeTensor& rope : gguf_rope_tensors(checkpoint.config())) {
    const auto write = [values = rope.values](const ByteSink& sink) {
      sink(std::as_bytes(std::span(values)));
    };
    const auto size = static_cast<std::int64_t>(rope.values.size());
    tensors.push_back({rope.name, DType::kFloat32, {size}, write});
  }
  for (const std::string& name : checkpoint.tensor_names()) {
    const auto gguf = gguf_name(name, checkpoint.config());
    if (!gguf) {
      throw InputError(
          fmt::format("{}: tensor {} has no place in GGUF. Write a Hugging Face folder instead "
                      "(--format hf).",
                      checkpoint.path().string(), name));
    }
    tensors.push_back(tensor_to_write(checkpoint, name, *gguf, mix));
  }
  std::ranges::stable_sort(tensors, {},
                           [](const GgufTensorToWrite& t) { return place_of(t.name); });
  return tensors;
}

}  // namespace

void export_gguf(const Checkpoint& checkpoint, QuantizationMix mix, const GgufMetadata& tokenizer,
                 const std::filesystem::path& path) {
  GgufMetadata metadata = gguf_metadata(checkpoint.config(), checkpoint.path().string());
  metadata.emplace_back("general.name", path.stem().string());
  metadata.emplace_back("general.file_type", gguf_file_type(mix));
  metadata.emplace_back("general.quantization_version", std::uint32_t{2});
  metadata.insert(metadata.end(), tokenizer.begin(), tokenizer.end());
  write_gguf(path, metadata, tensors_to_write(checkpoint, mix));
}

}  // namespace aurum::weights
