"""check_memory.py AURUM MODELS [CASE...]: runs aurum on real models, and compares its peak resident memory with what `aurum inspect`
predicts. MODELS is a folder with smollm2-hf, gemma3-hf, qwen25c-hf and the three GGUF files of tools/fetch_models.sh; CASE picks
cases by a part of their names. Prints a Markdown table; fails when a prediction is off by more than 15 %. Development only.
"""
import json
import os
import subprocess
import sys
import tempfile

AURUM, FOLDER = sys.argv[1:3]
MODELS = {"smollm2": "smollm2-hf", "gemma3": "gemma3-hf", "qwen1.5b": "qwen25c-hf", "smollm2 gguf": "SmolLM2-135M-Instruct.Q4_1.gguf",
          "gemma3 gguf": "gemma-3-270m-q4_k_m.gguf", "qwen1.5b gguf": "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"}
SCORED, CONTEXT, NEW = 2048, 1024, 32
CONFIG = """
data: {train: {datasets: [{dataset_name: text_sft_jsonl, dataset_path: %s/rows.jsonl}]}}
training:
  trainer_type: TRL_GOLD
  max_steps: 2
  logging_steps: 1
  save_final_model: false
  gold: {use_uld_loss: true, uld_use_hybrid_loss: true, lmbda: %s, max_completion_length: %d}
"""
LORA, SAVING = ["--training.use_peft", "true"], ["--training.enable_gradient_checkpointing", "true"]
# student, teacher, rows, tokens of a row, kind; with rollouts, all but the four prompt tokens of a row are sampled
TRAINED = [("smollm2", "smollm2", 1, 128, "full"), ("smollm2", "smollm2", 4, 512, "full"),
           ("smollm2", "smollm2", 4, 512, "full_checkpointing"), ("smollm2", "smollm2", 4, 512, "lora"),
           ("smollm2", "smollm2", 4, 512, "lora_checkpointing"), ("smollm2 gguf", "qwen1.5b gguf", 4, 384, "full"),
           ("gemma3", "smollm2 gguf", 4, 256, "full"), ("gemma3", "smollm2 gguf", 4, 256, "full_checkpointing"),
           ("gemma3 gguf", "smollm2 gguf", 4, 512, "lora"), ("qwen1.5b gguf", "smollm2 gguf", 2, 256, "lora")]
ROLLED_OUT = [("smollm2", "smollm2", 4, 256, "full"), ("smollm2", "smollm2", 4, 256, "lora_checkpointing"),
              ("smollm2 gguf", "qwen1.5b gguf", 4, 96, "full"), ("gemma3", "smollm2 gguf", 4, 128, "lora"),
              ("qwen1.5b gguf", "smollm2 gguf", 4, 64, "lora_checkpointing")]


def path(name):
    return os.path.join(FOLDER, MODELS[name])


def predicted(name, *options):
    command = [AURUM, "inspect", path(name), "--json", *options]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["model"]["memory"]


def peak(command, lines, folder):
    """The largest resident size of one run, in bytes."""
    with open(f"{folder}/input.jsonl", "w") as file:
        file.write("\n".join(json.dumps(line) for line in lines))
    with open(f"{folder}/input.jsonl") as file, open(f"{folder}/log", "w") as log:
        process = subprocess.Popen([AURUM, *command], stdin=file, stdout=subprocess.DEVNULL, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, open(f"{folder}/log").read()[-500:]
    return usage.ru_maxrss * 1024


def score(name, dtype, folder):
    command = ["logits", "--model", path(name), "--dtype", dtype, "--output", f"{folder}/logits.safetensors"]
    return peak(command, [{"ids": list(range(SCORED))}], folder)


def generate(name, dtype, folder):
    line = {"prompt": " the" * (CONTEXT - NEW - 1), "max_new_tokens": NEW}
    return peak(["generate", "--model", path(name), "--dtype", dtype], [line], folder)


def train(student, teacher, rows, length, kind, lmbda, folder):
    words = ["apple", "river", "stone", "cloud"]
    with open(f"{folder}/rows.jsonl", "w") as file:
        for i in range(8):
            text = " ".join(words[(7 * k + i) % 4] for k in range(length - 4))
            file.write(json.dumps({"prompt": "Count:", "completion": f" {text}"}) + "\n")
    with open(f"{folder}/train.yaml", "w") as file:
        file.write(CONFIG % (folder, lmbda, length))
    command = ["train", "-c", f"{folder}/train.yaml", "--training.output_dir", f"{folder}/run", "--overwrite",
               "--model.model_name", path(student), "--training.gold.teacher_model_name_or_path", path(teacher),
               "--training.per_device_train_batch_size", str(rows), "--model.model_max_length", "8192"]
    command += (LORA if kind.startswith("lora") else []) + (SAVING if kind.endswith("checkpointing") else [])
    return peak(command, [], folder)


def cases(folder):
    for name in MODELS:
        for dtype in ("bfloat16", "float32"):
            options = ["--tokens", str(SCORED), "--context", str(CONTEXT)]
            yield (f"score {SCORED}, {name}, {dtype}", lambda: predicted(name, *options)["score"][dtype],
                   lambda: score(name, dtype, folder))
            yield (f"generate to {CONTEXT}, {name}, {dtype}", lambda: predicted(name, *options)["generate"][dtype],
                   lambda: generate(name, dtype, folder))
    for lmbda, trained in (0.0, TRAINED), (1.0, ROLLED_OUT):
        for student, teacher, rows, length, kind in trained:
            options = ["--teacher", path(teacher), "--tokens", str(rows * length)]
            title = f"train {kind}{' with rollouts' if lmbda else ''} {rows} x {length}, {student} from {teacher}"
            yield (title, lambda: predicted(student, *options)["train"][kind],
                   lambda: train(student, teacher, rows, length, kind, lmbda, folder))


with tempfile.TemporaryDirectory() as folder:
    failed = False
    print("| run | predicted MB | measured MB | ratio |\n| --- | --- | --- | --- |")
    for title, predict, measure in cases(folder):
        if not any(part in title for part in sys.argv[3:] or [""]):
            continue
        expected, found = predict()["total"], measure()
        failed |= not 1 / 1.15 <= expected / found <= 1.15
        print(f"| {title} | {expected / 1e6:.0f} | {found / 1e6:.0f} | {expected / found:.2f} |", flush=True)
sys.exit(failed)
