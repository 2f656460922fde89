#!/usr/bin/env python3
"""Times TRL's hybrid ULD loss in PyTorch and `aurum loss --form fused` on the same tensors: forward
and backward from hidden states through bfloat16 heads. One process per measurement, in turns.

Prints, per size and program: seconds of the loss (best of the rounds), seconds of the head products
alone, what is left, and the memory that the loss needs beyond its inputs and its gradients.

Example: python tools/bench_loss.py --program build/aurum --positions 256 1024
Needs torch, safetensors and trl==1.16.0.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from types import SimpleNamespace

import torch
from safetensors.torch import load_file, save_file

PROMPT = 16  # tokens before the completion


def make_window(args, positions):
    """One row: a completion of `positions` student tokens, aligned over the same bytes."""
    generator = torch.Generator().manual_seed(positions)
    student_hidden, student_vocab, teacher_hidden, teacher_vocab = args.sizes
    randint = lambda high, size: torch.randint(0, high, size, generator=generator)
    lengths = randint(4, (positions,)) + 2
    student_ends = lengths.cumsum(0)
    # The teacher splits one token in eight and joins none.
    cuts = student_ends[randint(8, (positions,)) == 0] - 1
    teacher_ends = torch.cat([student_ends, cuts]).sort().values
    window = {}
    for side, ends, hidden, vocab in (
        ("student", student_ends, student_hidden, student_vocab),
        ("teacher", teacher_ends, teacher_hidden, teacher_vocab),
    ):
        size = PROMPT + len(ends)
        ids = randint(vocab, (size,))
        labels = ids.clone()
        labels[:PROMPT] = -100
        begins = torch.cat([torch.zeros(1, dtype=torch.long), ends[:-1]])
        spans = torch.zeros(size, 2, dtype=torch.long)
        spans[PROMPT:] = torch.stack([begins, ends], 1)
        # Heads that give logits of a trained model's spread.
        head = torch.randn(vocab, hidden, generator=generator, dtype=torch.float32) * 3 / hidden**0.5
        window[f"{side}_head"] = head.to(torch.bfloat16)
        window[f"{side}_hidden.0"] = torch.randn(size, hidden, generator=generator).to(torch.bfloat16)
        window[f"{side}_ids.0"], window[f"{side}_labels.0"] = ids, labels
        window[f"{side}_spans.0"] = spans
        window[f"{side}_eos.0"] = torch.tensor(0, dtype=torch.uint8)
    student = torch.randperm(student_vocab, generator=generator)[: args.matched].sort().values
    teacher = torch.randperm(teacher_vocab, generator=generator)[: args.matched]
    window["matched_ids"] = torch.stack([student, teacher], 1)
    return window


CONFIG = """
model: {model_name: unused}
training:
  trainer_type: TRL_GOLD
  gold: {use_uld_loss: true, uld_use_hybrid_loss: true, uld_skip_student_eos: false,
         uld_skip_teacher_eos: false}
"""


def resident_bytes(field):
    """VmRSS, resident now, or VmHWM, its highest since the last reset."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field))


def reset_peak():
    with open("/proc/self/clear_refs", "w") as refs:
        refs.write("5")


def trl_loss_function(window):
    from trl.experimental.gold.gold_trainer import ULDLoss

    uld = ULDLoss(
        SimpleNamespace(
            uld_crossentropy_weight=0.0,
            uld_distillation_weight=1.0,
            uld_student_temperature=1.0,
            uld_teacher_temperature=1.0,
            uld_skip_student_eos=False,
            uld_skip_teacher_eos=False,
            use_extended_uld=True,
            uld_token_merge_strategy="bayesian",
            uld_use_hybrid_loss=True,
            uld_hybrid_matched_weight=None,
            uld_hybrid_unmatched_weight=None,
            beta=0.5,
        )
    )
    pairs = window["matched_ids"]
    uld._vocab_mapping = {t: s for s, t in pairs.tolist()}
    uld._student_matched_ids, uld._teacher_matched_ids = set(pairs[:, 0].tolist()), set(pairs[:, 1].tolist())
    uld.mapping_tensor = torch.full((int(pairs[:, 1].max()) + 1,), -1, dtype=torch.long)
    uld.mapping_tensor[pairs[:, 1]] = pairs[:, 0]
    return uld


def run_trl(args):
    """In its own process: seconds and peak memory of TRL's loss on the file's tensors."""
    torch.set_num_threads(args.threads)
    window = load_file(args.worker)
    row = {name[:-2]: tensor[None] for name, tensor in window.items() if name.endswith(".0")}
    hidden = row["student_hidden"].requires_grad_(True)
    head = window["student_head"].requires_grad_(True)
    uld = trl_loss_function(window)
    cast = torch.float32 if args.trl_dtype == "float32" else torch.bfloat16

    def products():
        z = hidden @ head.t()
        with torch.no_grad():
            row["teacher_hidden"] @ window["teacher_head"].t()
        z.backward(torch.ones_like(z))

    def loss():
        z = (hidden @ head.t()).to(cast)
        with torch.no_grad():
            t = (row["teacher_hidden"] @ window["teacher_head"].t()).to(cast)
        value = uld(z, t, row["student_labels"], row["teacher_labels"], row["student_ids"], row["teacher_ids"],
                    row["student_spans"], row["teacher_spans"])
        value.backward()
        return float(value)

    for tensor in window.values():
        tensor.float().sum()  # bring the file's pages in, so that they do not count as growth
    reset_peak()
    before = resident_bytes("VmRSS")
    start = time.perf_counter()
    value = loss()
    seconds, memory = time.perf_counter() - start, resident_bytes("VmHWM") - before
    gradients = hidden.grad.nbytes + head.grad.nbytes
    hidden.grad = head.grad = None
    products()
    hidden.grad = head.grad = None
    start = time.perf_counter()
    products()
    print(json.dumps(dict(loss=value, seconds=seconds, products=time.perf_counter() - start, memory=memory - gradients)))


def run_aurum(args, file, folder):
    config, output = os.path.join(folder, "config.yaml"), os.path.join(folder, "loss.safetensors")
    with open(config, "w") as out:
        out.write(CONFIG)
    command = [args.program, "loss", "-c", config, "--inputs", file, "--output", output, "--form", "fused", "--timing",
               "--threads", str(args.threads), "--chunk", str(args.chunk)]
    process = subprocess.run(command, check=True, capture_output=True, text=True)
    line = next(l for l in process.stderr.splitlines() if l.startswith("timing "))
    return dict(loss=load_file(output)["loss"].item(), **json.loads(line[len("timing "):]))


def worker(args, file):
    command = [sys.executable, "-W", "ignore", __file__, "--worker", file, "--threads", str(args.threads),
               "--trl-dtype", args.trl_dtype]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/aurum")
    parser.add_argument("--positions", type=int, nargs="+", default=[256])
    parser.add_argument("--sizes", type=int, nargs=4, default=[576, 49152, 1536, 151936],
                        metavar=("HIDDEN", "VOCAB", "TEACHER_HIDDEN", "TEACHER_VOCAB"))
    parser.add_argument("--matched", type=int, default=39237)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--chunk", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trl-dtype", choices=["bfloat16", "float32"], default="float32",
                        help="of TRL's softmax and sort; the products are bfloat16")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        return run_trl(args)
    for positions in args.positions:
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "window.safetensors")
            save_file(make_window(args, positions), file)
            ours, theirs = [], []
            for _ in range(args.rounds):
                theirs.append(worker(args, file))
                ours.append(run_aurum(args, file, folder))
        for name, runs in (("TRL", theirs), ("aurum", ours)):
            print(f"{positions} positions, {name}: " + ", ".join(f"{r['seconds']:.3f} s" for r in runs),
                  f"loss {runs[0]['loss']:.6f}")
        best = min(r["seconds"] for r in theirs) / min(r["seconds"] for r in ours)
        products = min(r["products"] for r in theirs)
        print(f"  TRL's products alone {products:.3f} s, its memory {theirs[0]['memory'] / 1e6:.0f} MB; ratio {best:.1f}",
              flush=True)


if __name__ == "__main__":
    main()
