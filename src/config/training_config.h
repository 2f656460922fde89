#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/data_params.h"
#include "config/model_params.h"
#include "config/peft_params.h"
#include "config/sharding_params.h"
#include "config/training_params.h"

namespace aurum::config {

// A key that the file or the command line sets.
struct SetKey {
  std::string path;   // "data.train.datasets[0].split"
  std::string place;  // "run.yaml:12" or "command line"
};

// Oumi's TrainingConfig: every key with Oumi's name and default, and a few of ours in
// training.gold. Each section's header is its manual; docs/config.md is generated from the same
// lists.
struct TrainingConfig {
  DataParams data;
  ModelParams model;
  TrainingParams training;
  PeftParams peft;
  FsdpParams fsdp;
  DeepspeedParams deepspeed;

  // Not keys: what was read. The arguments in a mapping are keys of their own here, such as
  // "training.trainer_kwargs.max_length".
  std::string source;            // the file's name
  std::vector<SetKey> set_keys;  // in the order of the file
  std::vector<std::string> warnings;

  bool is_set(const std::string& path) const;
  // Where a key is set: "run.yaml:12", or the file's name for a default.
  std::string place_of(const std::string& path) const;

  static void fields(auto& self, auto&& visit) {
    visit("data", self.data);
    visit("model", self.model);
    visit("training", self.training);
    visit("peft", self.peft);
    visit("fsdp", self.fsdp);
    visit("deepspeed", self.deepspeed);
  }
};

// A dotted key ("data.train.datasets[0].dataset_path") and its value as YAML text.
struct Override {
  std::string path, value;
  bool only_if_missing = false;  // a default for this run: the file wins
};
using Overrides = std::vector<Override>;  // later ones win

// Reads a YAML file, lays the overrides over it, resolves interpolations, and checks the name, type
// and range of every key and the contradictions between keys. What `train` cannot honour is no
// error here: see support.h. `model.model_name` may be missing, so that `config show` and `loss`
// read partial files; check_complete() insists on it.
// Throws ConfigError ("run.yaml:12: training.gold.beta must be ...") or IoError.
TrainingConfig load_training_config(const std::string& file, const Overrides& overrides = {});

// The same for text in memory; `source` takes the place of the file's name in messages.
TrainingConfig parse_training_config(const std::string& text, const std::string& source,
                                     const Overrides& overrides = {});

// Throws ConfigError when a key is missing that has no default.
void check_complete(const TrainingConfig& config);

// Every key with its effective value; load_training_config reads it back. `with_help` puts each
// key's help above it.
std::string to_yaml(const TrainingConfig& config, bool with_help = false);

// JSON of TRL's GOLDConfig keyword arguments that training.gold and training.trainer_kwargs stand
// for.
Json to_trl_arguments(const TrainingConfig& config);

}  // namespace aurum::config
