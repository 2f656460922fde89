"""Writes tests/golden/train/{schedules,optimizers}.json: learning rates by transformers' schedules
and weights by torch's and transformers' optimizers, in float32 on the CPU.

    python tools/make_optimizer_goldens.py tests/golden/train
"""

import json
import sys
from pathlib import Path

import torch
from transformers import get_scheduler
from transformers.optimization import Adafactor

PEAK, STEPS = 0.02, 24
SCHEDULES = [
    ("linear", {}), ("cosine", {}), ("cosine", {"num_cycles": 1.25}),
    ("cosine_with_restarts", {"num_cycles": 3}), ("polynomial", {"power": 2.0, "lr_end": 0.001}),
    ("constant", {}), ("constant_with_warmup", {}), ("inverse_sqrt", {}),
    ("inverse_sqrt", {"timescale": 7}), ("cosine_with_min_lr", {"min_lr": 0.004}),
    ("cosine_with_min_lr", {"min_lr_rate": 0.3, "num_cycles": 0.75}),
    ("cosine_warmup_with_min_lr", {"min_lr_rate": 0.1}),
    ("cosine_warmup_with_min_lr", {"min_lr": 0.001, "warmup_lr_rate": 0.25}),
    ("warmup_stable_decay", {"num_decay_steps": 6}),
    ("warmup_stable_decay", {"num_decay_steps": 6, "num_stable_steps": 4, "warmup_type": "cosine",
                             "decay_type": "linear", "min_lr_ratio": 0.1}),
    ("warmup_stable_decay", {"num_decay_steps": 9, "warmup_type": "1-sqrt", "decay_type": "1-sqrt"}),
]
PLATEAUS = [{}, {"patience": 1, "factor": 0.5, "cooldown": 2},
            {"mode": "max", "threshold_mode": "abs", "threshold": 0.05, "patience": 0, "min_lr": 0.003}]


def optimizer_at_peak():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=PEAK)


def schedule_rates(name, options, warmup):
    optimizer = optimizer_at_peak()
    scheduler = get_scheduler(name, optimizer, warmup, STEPS, options)
    rates = []
    for _ in range(STEPS + 3):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def plateau_rates(options, losses):
    optimizer = optimizer_at_peak()
    scheduler = get_scheduler("reduce_lr_on_plateau", optimizer, scheduler_specific_kwargs=options)
    rates = []
    for loss in losses:
        scheduler.step(loss)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


class Lion(torch.optim.Optimizer):
    """Chen et al. 2023, algorithm 2, written out."""

    def __init__(self, groups, lr, betas):
        super().__init__(groups, {"lr": lr, "betas": betas, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                b1, b2 = group["betas"]
                direction = (b1 * m + (1 - b1) * p.grad).sign()
                p.mul_(1 - group["lr"] * group["weight_decay"]).sub_(group["lr"] * direction)
                m.mul_(b2).add_(p.grad, alpha=1 - b2)


def optimizers():
    adam = {"betas": (0.8, 0.95), "eps": 1e-6}
    return {
        "adamw_torch": (lambda g: torch.optim.AdamW(g, lr=PEAK, **adam), {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-6}),
        "sgd": (lambda g: torch.optim.SGD(g, lr=PEAK), {}),
        "sgd_with_momentum": (lambda g: torch.optim.SGD(g, lr=PEAK, momentum=0.9), {"momentum": 0.9}),
        "adagrad": (lambda g: torch.optim.Adagrad(g, lr=PEAK), {}),
        "rmsprop": (lambda g: torch.optim.RMSprop(g, lr=PEAK), {}),
        "adafactor": (lambda g: Adafactor(g, lr=PEAK, scale_parameter=False, relative_step=False), {}),
        "lion_32bit": (lambda g: Lion(g, PEAK, (0.8, 0.95)), {"beta1": 0.8, "beta2": 0.95}),
    }


def gradient(shape, step):
    count = torch.Size(shape).numel()
    values = torch.sin(torch.arange(count, dtype=torch.float64) * 0.7 + step * 1.3) * (1 + step % 3)
    return values.to(torch.float32).reshape(shape)


def weights_after(make, num_steps=5, scale=0.5, decay=0.1):
    matrix = torch.nn.Parameter(torch.linspace(-1, 1, 12).reshape(3, 4).clone())
    vector = torch.nn.Parameter(torch.linspace(0.5, 1.5, 5).clone())
    optimizer = make([{"params": [matrix], "weight_decay": decay},
                      {"params": [vector], "weight_decay": 0.0}])
    for step in range(num_steps):
        matrix.grad, vector.grad = gradient((3, 4), step) * scale, gradient((5,), step) * scale
        optimizer.step()
    return {"matrix": matrix.detach().flatten().tolist(), "vector": vector.detach().tolist()}


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"type": n, "options": o, "warmup_steps": w, "rates": schedule_rates(n, o, w)}
            for n, o in SCHEDULES for w in (0, 5)]
    losses = [1.0, 0.9, 0.95, 0.91, 0.9, 0.9, 0.95, 0.2, 0.3, 0.3, 0.3, 0.3, 0.3] + [0.3] * 12
    plateaus = [{"options": o, "losses": losses, "rates": plateau_rates(o, losses)} for o in PLATEAUS]
    (folder / "schedules.json").write_text(
        json.dumps({"peak": PEAK, "max_steps": STEPS, "schedules": rows, "plateaus": plateaus}) + "\n")
    rules = [{"type": name, "config": config, **weights_after(make)}
             for name, (make, config) in optimizers().items()]
    (folder / "optimizers.json").write_text(json.dumps({"learning_rate": PEAK, "rules": rules}) + "\n")


if __name__ == "__main__":
    main()
