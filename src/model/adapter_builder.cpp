#include "model/adapter_builder.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "model/families/tensor_names.h"
#include "model/layers/linear.h"

namespace aurum::model {

namespace {

constexpr std::string_view kAllLinear = "all-linear";

std::string last_part(const std::string& module) { return module.substr(module.rfind('.') + 1); }

}  // namespace

AdapterBuilder::AdapterBuilder(const AdapterOptions& options, bool input_major)
    : options_(options), config_(options.config) {
  config_.fan_in_fan_out = input_major;
  dropout_ = std::make_shared<AdapterDropout>();
  dropout_->seed = options.seed;
  if (options.uses_dropout) dropout_->probability = config_.dropout;
  if (!config_.modules_to_save.empty() ||
      (options.start && !options.start->replacements().empty())) {
    throw InputError(
        "an adapter that trains layers whole is not supported: take out its modules_to_save");
  }
}

bool AdapterBuilder::targets_all() const {
  return config_.target_pattern == kAllLinear ||
         std::ranges::find(config_.target_modules, kAllLinear) != config_.target_modules.end();
}

void AdapterBuilder::refuse(const std::string& module) const {
  if (targets_all() || !config_.targets(module)) return;
  throw InputError(fmt::format(
      "an adapter cannot change {}; supported: the linear layers of the model's blocks. "
      "Take it out of the target modules.",
      module));
}

std::optional<LowRank> AdapterBuilder::make(const std::string& module, std::int64_t first_row,
                                            std::int64_t rows, std::int64_t columns) {
  seen_.insert(last_part(module));
  if (!config_.targets(module)) return std::nullopt;
  adapted_.insert(last_part(module));
  auto [a, b] = start_of(module, rows, columns);
  const double scale = config_.scale_of(module, a.size(0));
  return LowRank{.module = module,
                 .begin = first_row,
                 .end = first_row + rows,
                 .a = std::move(a),
                 .b = std::move(b),
                 .scale = scale,
                 .dropout = dropout_};
}

weights::LoraConfig AdapterBuilder::finish() {
  if (adapted_.empty()) {
    throw InputError(
        fmt::format("the adapter's target modules name no linear layer of this model; it has {}",
                    fmt::join(seen_, ", ")));
  }
  if (targets_all()) {
    config_.target_pattern.clear();
    config_.target_modules.assign(adapted_.begin(), adapted_.end());
  }
  return config_;
}

// A [rank, columns] and B [rows, rank] in float32.
std::pair<at::Tensor, at::Tensor> AdapterBuilder::start_of(const std::string& module,
                                                           std::int64_t rows,
                                                           std::int64_t columns) const {
  if (!options_.start) {
    const std::int64_t rank = config_.rank_of(module);
    return {initial_a(options_.seed, module, rank, columns), at::zeros({rows, rank}, at::kFloat)};
  }
  const auto found = options_.start->matrices().find(module + ".weight");
  if (found == options_.start->matrices().end()) {
    throw InputError(fmt::format(
        "the adapter to start from has no matrices for {}, which its target_modules name. Save it "
        "again with peft.",
        module));
  }
  const weights::LoraMatrices& matrices = found->second;
  if (matrices.a.shape[1] != columns || matrices.b.shape[0] != rows) {
    throw InputError(fmt::format(
        "the adapter to start from is for [{}, {}] at {}, which is [{}, {}]. Give the model that "
        "the adapter was trained on.",
        matrices.b.shape[0], matrices.a.shape[1], module, rows, columns));
  }
  return {expand(matrices.a, at::kFloat), expand(matrices.b, at::kFloat)};
}

std::vector<std::string> default_adapter_targets(const weights::ModelConfig& config) {
  const std::vector<std::string> qkv = tensor_names(config).layers.front().qkv;
  if (qkv.size() == 1) return {last_part(qkv.front())};
  return {last_part(qkv.front()), last_part(qkv.back())};
}

}  // namespace aurum::model
