#include "config/reference.h"

#include <utility>
#include <vector>

#include <fmt/format.h>

#include "config/section.h"
#include "config/training_config.h"
#include "config/value_reader.h"

namespace aurum::config {

namespace {

constexpr const char* kIntroduction = R"(# Configuration

<!-- Generated: `aurum config docs > docs/config.md`. Change the field lists in src/config. -->

`aurum train -c FILE` reads an Oumi TrainingConfig (YAML). Any key can be set on the command line:
`--training.gold.beta 0.3` or `data.train.datasets[0].dataset_path=rows.jsonl`; values are YAML.
Precedence: the file, then dotted keys, then `--model-name --output-dir --learning-rate --max-steps
--batch-size --dataset`.

- Values are typed as OmegaConf types them: `1` and `"0.5"` are numbers where a number is wanted,
  `yes` and `off` are bools, `null` fits only where the type says so. Words such as `TRL_GOLD` are
  read in any case.
- `${other.key}`, `${oc.env:NAME}` and `${oc.env:NAME,default}` are replaced.
- An unknown key, a wrong type, a value out of range or a contradiction is an error that names the
  file, the line, the key and what is accepted. NaN and infinity are out of range everywhere.
- `aurum config check FILE...` validates and says which keys act, which are refused by `train`, and
  which have no effect; it names data files and local models that are not there. `--json` prints
  that for programs.
- `aurum config show -c FILE` prints the whole effective config; `--with-help` explains each key.
- `aurum config export --format trl -c FILE` prints the arguments of TRL's GOLDConfig as JSON.

Configs to start from: `configs/demo.yaml`, `configs/demo-gemma.yaml`.

`[]` stands for the index of a list item. Keys marked *refused* can only be left at their default:
`train` stops at anything else. Keys marked *no effect* are named once in a warning when they ask
for something.
)";

constexpr const char* kTrainerKwargs = R"(
## training.trainer_kwargs

Arguments by the names of TRL's GOLDConfig. `num_generations`, `uld_token_merge_strategy`,
`vllm_structured_outputs_regex` and `max_length` act (`model.model_max_length` beats the last one
with a warning); those that Oumi sets from a key of its own are errors that name the key; others are
refused where they would change the result, and otherwise named in a warning.
)";

std::string effect_text(const Field& field) {
  if (field.effect == Effect::kRefused) return fmt::format(" *Refused: {}.*", field.note);
  if (field.effect == Effect::kIgnored) return fmt::format(" *No effect: {}.*", field.note);
  return "";
}

std::string default_text(const Entry& entry) {
  if (entry.field.is_required) return "required";
  return "`" + to_json(entry.leaf).dump() + "`";
}

std::string escape(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) {
    text.insert(at, "\\");
  }
  return text;
}

// The three splits have the same keys.
bool is_repeated(const std::string& path) {
  return path.rfind("data.test.", 0) == 0 || path.rfind("data.validation.", 0) == 0;
}

// "training.gold" for "training.gold.beta", "data.train" for "data.train.datasets[].split".
std::string heading_of(const std::string& path) {
  const std::size_t first = path.find('.');
  const std::size_t second = path.find('.', first + 1);
  return second == std::string::npos ? path.substr(0, first) : path.substr(0, second);
}

}  // namespace

std::string reference_markdown() {
  std::vector<std::pair<std::string, std::string>> tables;  // heading and rows
  const auto rows_of = [&](const std::string& heading) -> std::string& {
    for (auto& [name, rows] : tables) {
      if (name == heading) return rows;
    }
    return tables.emplace_back(heading, "").second;
  };
  TrainingConfig config;
  const auto add = [&](const std::string& path, const Entry& entry) {
    if (is_repeated(path)) return;
    const std::string heading = heading_of(path);
    rows_of(heading) += fmt::format(
        "| `{}` | {} | {} | {}{} |\n", path.substr(heading.size() + 1), escape(expectation(entry)),
        default_text(entry), escape(std::string(entry.field.help)), effect_text(entry.field));
  };
  for_each_key(bind(config), add, true);
  std::string out = kIntroduction;
  for (const auto& [heading, rows] : tables) {
    const char* others = heading == "data.train" ? ", data.validation, data.test" : "";
    out += fmt::format(
        "\n## {}{}\n\n| key | type | default | meaning |\n| --- | --- | --- | --- |\n{}", heading,
        others, rows);
  }
  return out + kTrainerKwargs;
}

std::string acting_keys_help() {
  std::string out = "Keys (--KEY VALUE over the file; `aurum config docs` lists all of them):\n";
  TrainingConfig config;
  const auto add = [&](const std::string& path, const Entry& entry) {
    if (entry.field.effect != Effect::kActs || is_repeated(path)) return;
    out +=
        fmt::format("  {}\n      {} [{}; {}]\n", path, entry.field.help, expectation(entry),
                    entry.field.is_required ? "required" : "default " + to_json(entry.leaf).dump());
  };
  for_each_key(bind(config), add, true);
  return out;
}

}  // namespace aurum::config
