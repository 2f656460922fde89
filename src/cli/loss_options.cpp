#include "cli/loss_options.h"

namespace aurum::cli {

loss::LossConfig loss_config(const config::GoldParams& gold) {
  const bool observed = gold.uld_token_merge_strategy == "observed";
  return {.use_uld_loss = gold.use_uld_loss,
          .use_extended_uld = gold.use_extended_uld,
          .hybrid = gold.uld_use_hybrid_loss,
          .hybrid_matched_weight = gold.uld_hybrid_matched_weight,
          .hybrid_unmatched_weight = gold.uld_hybrid_unmatched_weight,
          .crossentropy_weight = gold.uld_crossentropy_weight,
          .distillation_weight = gold.uld_distillation_weight,
          .student_temperature = gold.uld_student_temperature,
          .teacher_temperature = gold.uld_teacher_temperature,
          .temperature = gold.temperature,
          .beta = gold.beta,
          .skip_student_eos = gold.uld_skip_student_eos,
          .skip_teacher_eos = gold.uld_skip_teacher_eos,
          .merge = observed ? loss::MergeStrategy::kObserved : loss::MergeStrategy::kBayesian,
          .compat_trl = gold.compat == "trl"};
}

bool uses_sequence_level_kd(const config::GoldParams& gold) {
  return gold.seq_kd && gold.compat != "trl";
}

}  // namespace aurum::cli
