#!/usr/bin/env python3
"""Times optimizer steps of aurum and of TRL's GOLDTrainer side by side, alternating, on the same models and rows.

  benchmarks/train/compare_with_trl.py --python TRL_ENV/bin/python --student STUDENT_FOLDER --teacher TEACHER_FOLDER

Both programs get bfloat16 Hugging Face folders, the hybrid ULD loss, the same rows, batch, length limit and threads. The first
step of every run is left out (it warms caches up). Prints one Markdown table row per policy: medians, range and ratio.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

AURUM_CONFIG = """
model: {{model_name: {student}, model_max_length: 512, torch_dtype_str: bfloat16}}
data: {{train: {{datasets: [{{dataset_name: text_sft_jsonl, dataset_path: {rows}}}]}}}}
training:
  trainer_type: TRL_GOLD
  output_dir: {output}
  max_steps: {steps}
  per_device_train_batch_size: {batch}
  gradient_accumulation_steps: 1
  learning_rate: 1.0e-4
  logging_steps: 1
  save_steps: 0
  save_final_model: false
  gold:
    teacher_model_name_or_path: {teacher}
    use_uld_loss: true
    uld_use_hybrid_loss: true
    lmbda: {lmbda}
    max_completion_length: {max_new_tokens}
"""


def run_aurum(a, lmbda):
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "config.yaml"
        config.write_text(AURUM_CONFIG.format(**{**vars(a), "lmbda": lmbda, "output": f"{folder}/run"}))
        subprocess.run([a.program, "train", "-c", config, "--threads", str(a.threads)], check=True, stderr=subprocess.DEVNULL)
        lines = [json.loads(line) for line in open(f"{folder}/run/metrics_rank0000.jsonl")]
    steps = [line for line in lines if "loss" in line]
    return [step["seconds_total"] for step in steps][1:], steps[-1]["peak_memory_bytes"] / 2**30


def run_trl(a, lmbda):
    arguments = [a.python, HERE / "trl_steps.py", "--student", a.student, "--teacher", a.teacher, "--rows", a.rows, "--lmbda", str(lmbda),
                 "--steps", str(a.steps), "--batch", str(a.batch), "--max-new-tokens", str(a.max_new_tokens), "--threads", str(a.threads)]
    out = subprocess.run(arguments, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    result = json.loads(out.strip().splitlines()[-1])
    return result["seconds"][1:], result["peak_gib"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True, help="interpreter of an environment with trl")
    parser.add_argument("--student", required=True)
    parser.add_argument("--teacher", required=True)
    parser.add_argument("--program", default=str(ROOT / "build" / "aurum"))
    parser.add_argument("--rows", default=str(ROOT / "configs" / "demo-data" / "train.jsonl"))
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--max-new-tokens", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    a = parser.parse_args()
    for lmbda, policy in ((1, "on-policy"), (0, "off-policy")):
        seconds, peaks = {"aurum": [], "TRL": []}, {"aurum": 0.0, "TRL": 0.0}
        for _ in range(a.runs):
            for name, run in (("aurum", run_aurum), ("TRL", run_trl)):
                steps, peak = run(a, lmbda)
                seconds[name] += steps
                peaks[name] = max(peaks[name], peak)
        cells = [f"{statistics.median(s):.2f} s ({min(s):.2f}-{max(s):.2f}), {peaks[name]:.1f} GiB" for name, s in seconds.items()]
        ratio = statistics.median(seconds["TRL"]) / statistics.median(seconds["aurum"])
        print(f"| {policy} | {cells[0]} | {cells[1]} | {ratio:.1f} |", flush=True)


if __name__ == "__main__":
    main()
