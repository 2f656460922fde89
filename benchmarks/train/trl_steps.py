"""Runs optimizer steps of TRL's GOLDTrainer and prints one JSON line: the seconds of each step and the peak memory.

Called by compare_with_trl.py in the environment that has torch, transformers, datasets and trl.
"""
import argparse
import json
import resource
import tempfile
import time

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl.experimental.gold import GOLDConfig, GOLDTrainer


class StepClock(TrainerCallback):
    def __init__(self):
        self.seconds = []

    def on_step_begin(self, *_, **__):
        self.start = time.perf_counter()

    def on_step_end(self, *_, **__):
        self.seconds.append(time.perf_counter() - self.start)


def main():
    parser = argparse.ArgumentParser()
    for name in ("student", "teacher", "rows"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--lmbda", type=float, required=True)
    for name in ("steps", "batch", "max-new-tokens", "threads"):
        parser.add_argument(f"--{name}", type=int, required=True)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    student = AutoModelForCausalLM.from_pretrained(a.student, dtype=torch.bfloat16)
    teacher = AutoModelForCausalLM.from_pretrained(a.teacher, dtype=torch.bfloat16)
    config = GOLDConfig(
        output_dir=tempfile.mkdtemp(), use_uld_loss=True, uld_use_hybrid_loss=True, uld_token_merge_strategy="bayesian",
        teacher_tokenizer_name_or_path=a.teacher, lmbda=a.lmbda, max_completion_length=a.max_new_tokens, max_length=512,
        per_device_train_batch_size=a.batch, gradient_accumulation_steps=1, max_steps=a.steps, learning_rate=1e-4,
        gradient_checkpointing=False, use_cpu=True, bf16=False, logging_steps=1, save_strategy="no", report_to=[], disable_tqdm=True)
    with open(a.rows) as lines:
        rows = Dataset.from_list([json.loads(line) for line in lines])
    trainer = GOLDTrainer(model=student, teacher_model=teacher, args=config, train_dataset=rows,
                          processing_class=AutoTokenizer.from_pretrained(a.student))
    clock = StepClock()
    trainer.add_callback(clock)
    trainer.train()
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": clock.seconds, "peak_gib": peak_gib}))


if __name__ == "__main__":
    main()
