"""Writes tests/golden/config/oumi.jsonl and trl_arguments.json: YAML files, and what Oumi 0.9 makes of them.

Run in an environment with `pip install --no-deps oumi==0.9` plus omegaconf, jsonschema, torch,
transformers and trl:  python tools/make_config_golden.py

One case a line: {"yaml", "ok", "values": {key: effective value}, "ours": why we differ}.
"values" holds every leaf that is not at its default. A case with "ours" is one where we answer
differently on purpose; its "ok" and "values" are what aurum must say.
"""

import dataclasses
import enum
import json
import logging
import os
import pathlib
import random
import tempfile
import warnings

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)

from oumi.core.configs import TrainingConfig  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE.parent / "tests" / "golden" / "config" / "oumi.jsonl"


def leaves(value, path=""):
    """(path, JSON value) of every leaf; dictionaries are leaves."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from leaves(getattr(value, field.name), f"{path}.{field.name}" if path else field.name)
    elif isinstance(value, list) and value and dataclasses.is_dataclass(value[0]):
        for i, item in enumerate(value):
            yield from leaves(item, f"{path}[{i}]")
    elif isinstance(value, enum.Enum):
        yield path, value.name
    elif isinstance(value, pathlib.Path):
        yield path, str(value)
    else:
        yield path, value


def oumi_says(text):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", delete=False) as file:
        file.write(text)
    try:
        config = TrainingConfig.from_yaml(file.name)
        # finalize_and_validate() also looks for files and needs a data set; the merge is the point.
        config.data.finalize_and_validate() if config.data.train.datasets else None
        return config
    except Exception:
        return None
    finally:
        os.unlink(file.name)


def defaults():
    return dict(leaves(oumi_says("model: {model_name: m}\n")))


DEFAULTS = defaults()


def case(text, ours=None, ok=None, values=None):
    config = oumi_says(text)
    result = {"yaml": text, "ok": config is not None}
    if config is not None:
        changed = {}
        for path, value in leaves(config):
            if DEFAULTS.get(path, "absent") == value:
                continue
            changed[path] = value
        # Ours is model_max_length itself; Oumi copies it into trainer_kwargs.
        changed.pop("model.model_name", None)
        result["values"] = changed
    if ours is not None:
        result["ours"] = ours
        result["ok"] = ok
        result["values"] = values or {}
    return result


MODEL = "model: {model_name: m}\n"
SCALARS = {
    "training.use_peft": ["0", "1", "yes", '"no"', "Y", "on", "OFF", "TRUE", "1.0", "null", "~", '"t"', "[1]", "{}"],
    "training.save_steps": ["3", '"3"', "3.0", "3.5", '"3.5"', "1e3", "0x10", "010", "0o10", "1_000", "true", "null",
                            "abc", "+5", '" 5 "', '"1_0"', ".inf", "5.", "[1]"],
    "training.learning_rate": ["3", '"0.5"', "1e-4", "1E4", ".5", "5.", "1_0.0", "true", "null", "abc", "0x10",
                               '"1e-3 "', "-0.0"],
    "training.output_dir": ["3", "1e-5", "1.0", "true", "off", "null", "[a]", "{a: b}", "2020-01-01", "0x10", "007",
                            "1_000", '"true"', "1.50", "1e20", "123456789.125", "a b", "é"],
    "training.resume_from_checkpoint": ["null", "~", "", "7", "x"],
    "training.trainer_type": ["TRL_GOLD", "trl_gold", "TrainerType.TRL_GOLD", "6", "null", "true", "TRL_GOLDEN"],
    "deepspeed.zero_stage": ["ZERO_2", '"2"', "ZERO_9"],
    "peft.lora_init_weights": ["PISA", "pissa", "PISSA_NITER", "gaussian", "pissa_niter_4"],
    "peft.lora_target_modules": ["[a, b]", "a", "[1, true]", "null", "[null]", "{a: 1}", "[]"],
    "model.freeze_layers": ["null"],
    "training.eval_steps": ["500", "0.5", '"0.5"', "1.5", "true", "0", "1.0", "abc", "500.0"],
    "training.dataloader_num_workers": ["auto", "4", '"4"', "0", "true", "1.5", "null", "x"],
    "training.trainer_kwargs": ["{}", "null", "[1]", "3", "{disable_tqdm: true}", "{1: a}", "{true: b}"],
    "training.gold.beta": ["0", "1", "1.0001", "-0.1", ".nan", "0.3", '"0.3"', "null"],
    "training.gold.temperature": ["0", "1", "1e-9", "1.5", ".inf"],
    "training.gold.top_p": ["0", "1", "2"],
    "training.gold.top_k": ["-1", "0", "50", "0.5"],
    "training.gold.lmbda": ["0.0", "1.0", "-1", "2"],
    "training.gold.max_completion_length": ["0", "1", "-3"],
    "training.gold.vllm_mode": ["server", "colocate", "other"],
    "training.gold.teacher_model_name_or_path": ["x", '""', '"  "', "null"],
    "training.gold.teacher_model_init_kwargs": ["{device_map: x}", "{torch_dtype: bfloat16}", "{}", "3"],
    "training.gradient_accumulation_steps": ["0", "1", "8"],
    "training.max_grad_norm": ["null", "0", "-1", "0.5"],
    "training.mixed_precision_dtype": ["NONE", "BF16"],
    "training.warmup_steps": ["null", "10", "0"],
    "training.profiler.schedule.active": ["0", "2"],
    "training.profiler.schedule.wait": ["-1", "2"],
    "training.grpo.temperature": ["0", "1.5"],
    "training.gkd.temperature": ["0", "1"],
    "fsdp.sharding_strategy": ["NO_SHARD", "NONE"],
    "no_such_section": ["{}", "1"],
    "training.no_such_key": ["1"],
}

SPECIAL = [
    "", "[]", "training: {}\n" + MODEL, "training: 3\n" + MODEL, "training: [1]\n" + MODEL, "data: null\n" + MODEL,
    "data: {train: null}\n" + MODEL, "data: {train: {datasets: null}}\n" + MODEL,
    "data: {train: {datasets: {}}}\n" + MODEL, "data: {train: {datasets: [null]}}\n" + MODEL,
    "data: {train: {datasets: [{}]}}\n" + MODEL, "data: {train: {datasets: [{dataset_path: x}]}}\n" + MODEL,
    "data: {train: {datasets: [{dataset_name: null}]}}\n" + MODEL,
    "data: {train: {datasets: [{dataset_name: a, split: test}, {dataset_name: b, sample_count: 3}]}}\n" + MODEL,
    "data: {train: {datasets: [{dataset_name: a, sample_count: -1}]}}\n" + MODEL,
    "data: {train: {datasets: [{dataset_name: a, mixture_proportion: 0.5}, {dataset_name: b}]}}\n" + MODEL,
    "data: {train: {datasets: [{dataset_name: a, mixture_proportion: 0.5},"
    " {dataset_name: b, mixture_proportion: 0.4}]}}\n" + MODEL,
    "data: {train: {datasets: [{dataset_name: a, mixture_proportion: 0.6},"
    " {dataset_name: b, mixture_proportion: 0.4}], mixture_strategy: all_exhausted}}\n" + MODEL,
    "data: {train: {datasets: [{dataset_name: a}], mixture_strategy: no_such}}\n" + MODEL,
    "data: {train: {datasets: [{dataset_name: a, dataset_kwargs: {split: x}}]}}\n" + MODEL,
    "data: {train: {datasets: [{dataset_name: a, transform_num_workers: auto}]}}\n" + MODEL,
    "data: {train: {datasets: [{dataset_name: a, transform_num_workers: 0}]}}\n" + MODEL,
    "data: {train: {datasets: [{dataset_name: a}]}, validation: {collator_name: x}}\n" + MODEL,
    "data: {train: {train_target: all_assistant_turns}}\n" + MODEL,
    "data: {train: {train_target: all_assistant_turns,"
    " collator_name: text_completions_only_with_padding}}\n" + MODEL,
    "deepspeed: {offload_param: null}\n" + MODEL, "deepspeed: {offload_param: {device: cpu}}\n" + MODEL,
    "deepspeed: {zero_stage: ZERO_3, offload_param: {device: NVME}}\n" + MODEL,
    "deepspeed: {offload_optimizer: {}}\n" + MODEL,
    "fsdp: {enable_fsdp: true}\ndeepspeed: {enable_deepspeed: true}\n" + MODEL,
    "fsdp: {enable_fsdp: true}\n" + MODEL,
    "deepspeed: {enable_deepspeed: true, train_batch_size: 4}\ntraining: {trainer_type: TRL_GOLD}\n" + MODEL,
    "fsdp: {use_orig_params: false}\ntraining: {compile: true}\n" + MODEL,
    "model: {model_name: a}\nmodel: {model_name: b}\n", "training: {seed: 1, seed: 2}\n" + MODEL,
    "training: &t {seed: 4}\n" + MODEL, "training: {gold: {<<: {beta: 0.25}, lmbda: 0.1}}\n" + MODEL,
    "training: {gold: {<<: {beta: 0.25}, beta: 0.1}}\n" + MODEL,
    MODEL + "---\ntraining: {seed: 6}\n", "model.model_name: x\n", "training: {max_steps: 0, num_train_epochs: 0}\n" + MODEL,
    "training: {max_steps: 5, num_train_epochs: 0}\n" + MODEL,
    "model: {model_name: m, torch_dtype_str: float32}\ntraining: {mixed_precision_dtype: bf16}\n",
    "model: {model_name: m, torch_dtype_str: bfloat16}\ntraining: {mixed_precision_dtype: bf16}\n",
    "model: {model_name: m, torch_dtype_str: int7}\n", "model: {model_name: m, compile: true}\n",
    "model: {model_name: null}\n", "model: {}\n", "training: {reward_functions: [a]}\n" + MODEL,
    "training: {reward_function_kwargs: {a: 1}}\n" + MODEL,
    "training: {gold: {use_uld_loss: true, uld_student_temperature: -1}}\n" + MODEL,
    "training: {gold: {use_uld_loss: false, uld_student_temperature: -1}}\n" + MODEL,
    "training: {gold: {use_uld_loss: true, uld_crossentropy_weight: -1}}\n" + MODEL,
    "training: {gold: {use_uld_loss: true, uld_use_hybrid_loss: true, uld_hybrid_matched_weight: 1}}\n" + MODEL,
    "training: {gold: {use_uld_loss: true, uld_use_hybrid_loss: true, uld_hybrid_matched_weight: 1,"
    " uld_hybrid_unmatched_weight: 0.5}}\n" + MODEL,
]

OURS = [
    ("training: {use_peft: 3}\n" + MODEL, "a bool is 0, 1 or a word", False, None),
    ("training: {learning_rate: .inf}\n" + MODEL, "infinity is out of range", False, None),
    ("training: {learning_rate: -1}\n" + MODEL, "out of range", False, None),
    ("training: {per_device_train_batch_size: 0}\n" + MODEL, "out of range", False, None),
    ("training: {gold: {uld_hybrid_matched_weight: 0.5}}\n" + MODEL, "both or neither, always", False, None),
    ("training: {gold: {vllm_sync_frequency: 0}}\n" + MODEL, "out of range", False, None),
    ("training: {lr_scheduler_type: foo}\n" + MODEL, "no such schedule", False, None),
    ("training: {logging_strategy: foo}\n" + MODEL, "no such strategy", False, None),
    ("training: {save_steps: 12345678901234567890}\n" + MODEL, "beyond 64 bits", False, None),
    ("peft: {lora_task_type: causal_lm}\n" + MODEL, "words in any case", True, {}),
    ("deepspeed: {zero_stage: zero_2}\n" + MODEL, "words in any case", True, {"deepspeed.zero_stage": "ZERO_2"}),
    ("deepspeed: {zero_stage: 2}\n" + MODEL, "the value, quoted or not", True, {"deepspeed.zero_stage": "ZERO_2"}),
    ("training: {gold: {num_generations: 2}}\n" + MODEL, "a key of ours", True, {"training.gold.num_generations": 2}),
    ("training: {gold: {vllm_structured_outputs_regex: a+}}\n" + MODEL, "TRL's newer name", True,
     {"training.gold.vllm_guided_decoding_regex": "a+"}),
]


def nested(path, text):
    out = text
    for part in reversed(path.split(".")):
        out = "{%s: %s}" % (part, out)
    return out[1:-1] + "\n"


def mixtures():
    """Files that set several keys at once, some of them badly."""
    draw = random.Random(7)
    flat = [p for p, v in DEFAULTS.items() if p.startswith(("training.", "peft.", "fsdp.")) and not isinstance(v, dict)]
    plain = {bool: ["true", "false", "no"], int: ["1", "2", "17", '"4"'], float: ["0.5", "1", '"0.25"', "1e-3"]}
    for _ in range(80):
        lines = ["model:", "  model_name: m"]
        for path in sorted(draw.sample(flat, 5)):
            value = DEFAULTS[path]
            choices = plain.get(type(value), [])
            if draw.random() < 0.08:
                choices = ["abc", "null", "[]", "1.5"]
            if choices:
                lines.append((path, draw.choice(choices)))
        tree = {}
        for path, value in lines[2:]:
            node = tree
            *sections, name = path.split(".")
            for section in sections:
                node = node.setdefault(section, {})
            node[name] = value

        def write(node, indent):
            out = ""
            for key, value in node.items():
                out += " " * indent + key + ":"
                out += "\n" + write(value, indent + 2) if isinstance(value, dict) else " " + value + "\n"
            return out

        yield "model:\n  model_name: m\n" + write(tree, 0)


EXPORTS = [
    "",
    "training: {gold: {teacher_tokenizer_name_or_path: t, vllm_guided_decoding_regex: 'a+'}}",
    "training: {gold: {use_uld_loss: true, uld_use_hybrid_loss: true, uld_hybrid_matched_weight: 1,"
    " uld_hybrid_unmatched_weight: 0.25, uld_crossentropy_weight: 0.5, temperature: 0.7, top_k: 5}}",
    "training: {gold: {teacher_model_name_or_path: t, teacher_model_init_kwargs: {revision: x}}}",
    "training: {gold: {use_vllm: true, vllm_mode: colocate, vllm_enable_sleep_mode: true, vllm_sync_frequency: 3}}",
]


def trl_arguments(text):
    arguments = oumi_says(text).training.gold.to_hf_trainer_kwargs()
    load = arguments["teacher_model_init_kwargs"]
    if "dtype" in load:  # Oumi writes the name that the installed TRL reads; ours is the one it had first.
        load["torch_dtype"] = load.pop("dtype")
    return arguments


def main():
    exports = [{"yaml": MODEL + text, "arguments": trl_arguments(MODEL + text)} for text in EXPORTS]
    cases = [case(MODEL + nested(path, v)) for path, vs in SCALARS.items() if not path.startswith("model.") for v in vs]
    cases += [case("model: {model_name: m, %s: %s}\n" % (path.split(".")[1], v))
              for path, vs in SCALARS.items() if path.startswith("model.") for v in vs]
    cases += [case(text) for text in SPECIAL]
    cases += [case(text, ours, ok, values) for text, ours, ok, values in OURS]
    cases += [case(text) for text in mixtures()]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    with OUT.open("w") as file:
        for item in cases:
            file.write(json.dumps(item, ensure_ascii=False) + "\n")
    (OUT.parent / "trl_arguments.json").write_text(json.dumps(exports, indent=1) + "\n")
    accepted = sum(item["ok"] for item in cases)
    print(f"{len(cases)} cases, {accepted} accepted, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
