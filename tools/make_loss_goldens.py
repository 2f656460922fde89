#!/usr/bin/env python3
"""Writes tests/golden/loss_trl.jsonl and tests/golden/loss_spec.jsonl: losses and gradients that
tests/loss/golden_test.cpp compares ours with.

loss_trl.jsonl   TRL's own code (trl.experimental.gold 1.16.0: ULDLoss and
                 GOLDTrainer.generalized_jsd_loss), run in float64, for `compat: trl`
loss_spec.jsonl  `reference` below, plain float64 code written from the formulas in
                 src/loss/*.cpp, for our defaults

One line a case: the settings that differ from the defaults, the rows, a seed from which both
programs draw the logits (SplitMix64), the results. Gradients are those of `loss` with respect to
the student's logits, row after row.

Example: python tools/make_loss_goldens.py            (needs torch and trl==1.16.0)
"""

import json
import math
import random
from pathlib import Path
from types import SimpleNamespace

import torch

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden"
FLOOR = 1e-8


class SplitMix64:
    """Steele, Lea, Flood 2014: the same stream in Python and C++."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        mask = (1 << 64) - 1
        self.state = (self.state + 0x9E3779B97F4A7C15) & mask
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return z ^ (z >> 31)

    def logits(self, positions, vocab, scale):
        values = [(2.0 * (self.next() >> 11) * 2.0**-53 - 1.0) * scale for _ in range(positions * vocab)]
        return torch.tensor(values, dtype=torch.float64).view(positions, vocab)


DEFAULTS = dict(
    use_uld_loss=True,
    use_extended_uld=True,
    hybrid=False,
    matched_weight=None,
    unmatched_weight=None,
    crossentropy_weight=0.0,
    distillation_weight=1.0,
    student_temperature=1.0,
    teacher_temperature=1.0,
    temperature=1.0,
    beta=0.5,
    skip_student_eos=True,
    skip_teacher_eos=True,
    merge="bayesian",
    compat_trl=False,
)


# ---------------------------------------------------------------------------------------- cases


def split_bytes(rng, length, most):
    """Random token borders over [0, length)."""
    spans, at = [], 0
    while at < length:
        end = min(length, at + rng.randint(1, most))
        spans.append([at, end])
        at = end
    return spans


def make_side(rng, length, eos, vocab, prompt):
    spans = split_bytes(rng, length, rng.choice([1, 2, 3]))
    if eos:
        spans.append([length, length])
    ids = [rng.randrange(vocab) for _ in range(prompt + len(spans))]
    return dict(ids=ids, prompt=prompt, spans=spans, eos=eos)


def make_rows(rng, config, student_vocab, teacher_vocab):
    rows = []
    for _ in range(rng.choice([1, 1, 2, 3])):
        prompt = [rng.choice([0, 1, 1, 2]) for _ in range(2)]
        length = rng.choice([0, 1, 3, 4, 5, 6])
        eos = rng.random() < 0.6
        student = make_side(rng, length, eos, student_vocab, prompt[0])
        if not config["use_uld_loss"]:
            rows.append([student, student])
            continue
        teacher_eos = eos if rng.random() < 0.8 else not eos
        teacher_length = length if rng.random() < 0.8 else max(0, length - 1)
        rows.append([student, make_side(rng, teacher_length, teacher_eos, teacher_vocab, prompt[1])])
    for row in rows:
        for side in row:
            if not side["ids"]:
                side["ids"], side["prompt"] = [0], 1
    return rows


def random_config(rng, compat_trl):
    config = dict(DEFAULTS, compat_trl=compat_trl, beta=rng.choice([0.0, 0.3, 0.5, 1.0]))
    if rng.random() < 0.15:
        config.update(use_uld_loss=False, temperature=rng.choice([0.5, 0.9, 1.0]))
        return config
    config.update(
        use_extended_uld=rng.random() < 0.75,
        hybrid=rng.random() < 0.6,
        crossentropy_weight=rng.choice([0.0, 0.0, 0.3, 1.0]),
        distillation_weight=rng.choice([1.0, 1.0, 0.25]),
        student_temperature=rng.choice([1.0, 0.7, 2.0]),
        teacher_temperature=rng.choice([1.0, 1.5]),
        skip_student_eos=rng.random() < 0.5,
        skip_teacher_eos=rng.random() < 0.5,
        merge=rng.choice(["bayesian", "observed"]),
    )
    if config["hybrid"] and rng.random() < 0.5:
        config.update(matched_weight=rng.choice([0.0, 1.0, 0.6]), unmatched_weight=rng.choice([1.0, 0.4]))
    return config


def make_case(seed, compat_trl):
    rng = random.Random(seed)
    config = random_config(rng, compat_trl)
    student_vocab, teacher_vocab = rng.randint(4, 9), rng.randint(4, 9)
    if not config["use_uld_loss"]:
        teacher_vocab = student_vocab
    student_size, teacher_size = student_vocab, teacher_vocab
    if not compat_trl:
        student_size, teacher_size = student_vocab - rng.choice([0, 0, 1]), teacher_vocab - rng.choice([0, 1])
    # TRL raises without any overlap, and both sides may be matched to the last column.
    fewest, most = (1, min(student_size, teacher_size)) if compat_trl else (0, min(student_size, teacher_size))
    count = rng.randint(fewest, most)
    matched = sorted(zip(rng.sample(range(student_size), count), rng.sample(range(teacher_size), count)))
    return dict(
        seed=seed,
        scale=rng.choice([1.0, 4.0, 4.0, 30.0]),
        config=config,
        vocab=[student_vocab, teacher_vocab],
        size=[student_size, teacher_size],
        matched=[list(pair) for pair in matched] if config["hybrid"] else [],
        rows=make_rows(rng, config, student_size, teacher_size),
    )


def draw_logits(case):
    stream = SplitMix64(case["seed"])
    sides = []
    for side in range(2):
        sides.append([stream.logits(len(row[side]["ids"]), case["vocab"][side], case["scale"]) for row in case["rows"]])
    for logits in sides[0]:
        logits.requires_grad_(True)
    return sides


# ------------------------------------------------------------------------------------------ TRL


class Vocabulary:
    """As much of a tokenizer as TRL's hybrid loss looks at."""

    def __init__(self, size, side, names):
        self.entries = {names.get(i, f"{side}{i}"): i for i in range(size)}

    def get_vocab(self):
        return self.entries


def pad_rows(tensors, value):
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=value)


def labels_of(side):
    return torch.tensor([-100] * side["prompt"] + side["ids"][side["prompt"] :])


def trl_loss(case, student, teacher):
    from trl.experimental.gold.gold_trainer import GOLDTrainer, ULDLoss

    config = case["config"]
    ids = [pad_rows([torch.tensor(row[s]["ids"]) for row in case["rows"]], 0) for s in range(2)]
    labels = [pad_rows([labels_of(row[s]) for row in case["rows"]], -100) for s in range(2)]
    logits = [pad_rows(student, 0.0), pad_rows(teacher, 0.0)]
    if not config["use_uld_loss"]:
        loss = GOLDTrainer.generalized_jsd_loss(
            logits[0][:, :-1],
            logits[1][:, :-1],
            labels=labels[0][:, 1:],
            beta=config["beta"],
            temperature=config["temperature"],
        )
        return loss, 0.0, 0.0
    spans = [
        pad_rows([torch.tensor([[0, 0]] * row[s]["prompt"] + row[s]["spans"]) for row in case["rows"]], 0)
        for s in range(2)
    ]
    names = [{pair[s]: f"both{k}" for k, pair in enumerate(case["matched"])} for s in range(2)]
    uld = ULDLoss(
        SimpleNamespace(
            uld_crossentropy_weight=config["crossentropy_weight"],
            uld_distillation_weight=config["distillation_weight"],
            uld_student_temperature=config["student_temperature"],
            uld_teacher_temperature=config["teacher_temperature"],
            uld_skip_student_eos=config["skip_student_eos"],
            uld_skip_teacher_eos=config["skip_teacher_eos"],
            use_extended_uld=config["use_extended_uld"],
            uld_token_merge_strategy=config["merge"],
            uld_use_hybrid_loss=config["hybrid"],
            uld_hybrid_matched_weight=config["matched_weight"],
            uld_hybrid_unmatched_weight=config["unmatched_weight"],
            beta=config["beta"],
        ),
        student_tokenizer=Vocabulary(case["size"][0], "s", names[0]),
        teacher_tokenizer=Vocabulary(case["size"][1], "t", names[1]),
    )
    loss = uld(*logits, *labels, *ids, *spans)
    return loss, None, None


# ------------------------------------------------------------------------- our own specification


def align(student, teacher):
    """Groups of token ranges that end at the same byte; pairs with an empty side are dropped."""
    groups, s, t, begin = [], 0, 0, (0, 0)
    while s < len(student) and t < len(teacher):
        ends = student[s][1], teacher[t][1]
        s += ends[0] <= ends[1]
        t += ends[1] <= ends[0]
        if ends[0] == ends[1]:
            groups.append((range(begin[0], s), range(begin[1], t)))
            begin = (s, t)
    groups.append((range(begin[0], len(student)), range(begin[1], len(teacher))))
    return [g for g in groups if len(g[0]) and len(g[1])]


def groups_of(row, config):
    """Pairs of position lists."""
    content, closing = [], []
    for side in row:
        positions = list(range(side["prompt"], len(side["ids"])))
        closing.append(positions.pop() if side["eos"] else None)
        content.append(positions)
    skips = config["skip_student_eos"], config["skip_teacher_eos"]
    if config["use_extended_uld"]:
        spans = [side["spans"][: len(content[s])] for s, side in enumerate(row)]
        groups = [([content[0][i] for i in g], [content[1][i] for i in h]) for g, h in align(*spans)]
        if None not in closing and not any(skips):
            groups.append(([closing[0]], [closing[1]]))
    else:
        for s in range(2):
            if closing[s] is not None and not skips[s]:
                content[s].append(closing[s])
        groups = [([a], [b]) for a, b in zip(*content)]
    if config["merge"] == "bayesian":
        groups = [g for g in groups if g[0][0] > 0 and g[1][0] > 0]
    return groups


def merged(logits, ids, positions, temperature, merge):
    """[vocab]: the distribution of a group."""
    probs = lambda position: torch.softmax(logits[position] / temperature, -1)
    if merge == "bayesian":
        result = probs(positions[-1] - 1)
        factors = [probs(j - 1)[ids[j]] for j in positions[:-1]]
    else:
        result = probs(positions[0])
        factors = [probs(j)[ids[j]] for j in positions[1:]]
    for factor in factors:
        result = result * factor.clamp_min(FLOOR)
    return result


def jsd(p, q, beta):
    kl = lambda a, b: (a * (a.log() - b.log())).sum()
    if beta == 0:
        return kl(q, p)
    if beta == 1:
        return kl(p, q)
    m = beta * q + (1 - beta) * p
    return beta * kl(q, m) + (1 - beta) * kl(p, m)


def sorted_l1(p, q):
    width = max(len(p), len(q))
    pad = lambda x: torch.cat([x.sort(descending=True).values, torch.zeros(width - len(x), dtype=x.dtype)])
    return (pad(p) - pad(q)).abs().sum()


def reference(case, student, teacher):
    config, (student_size, teacher_size) = case["config"], case["size"]
    zero = student[0].sum() * 0
    predicted = [range(max(1, row[0]["prompt"]), len(row[0]["ids"])) for row in case["rows"]]
    tokens = sum(len(p) for p in predicted)
    if not config["use_uld_loss"]:
        width, tau = min(student_size, teacher_size), config["temperature"]
        total = zero
        for p, zs, zt in zip(predicted, student, teacher):
            for j in p:
                soft = [torch.log_softmax(z[j - 1, :width] / tau, -1).exp() for z in (zs, zt)]
                total = total + jsd(*soft, config["beta"]) / tokens
        return total, zero, zero
    matched, unmatched, plain, entropy = zero, zero, zero, zero
    s_ids, t_ids = [p[0] for p in case["matched"]], [p[1] for p in case["matched"]]
    s_rest = [i for i in range(student_size) if i not in s_ids]
    t_rest = [i for i in range(teacher_size) if i not in t_ids]
    for row, zs, zt, p in zip(case["rows"], student, teacher, predicted):
        zs, zt = zs[:, :student_size], zt[:, :teacher_size]
        groups = groups_of(row, config)
        share = 1 / (max(1, len(groups)) * len(case["rows"]))
        for s, t in groups:
            P = merged(zs, row[0]["ids"], s, config["student_temperature"], config["merge"])
            Q = merged(zt, row[1]["ids"], t, config["teacher_temperature"], config["merge"])
            plain = plain + share * sorted_l1(P, Q)
            if s_ids:
                clamp = lambda x: x.clamp_min(FLOOR)
                matched = matched + share * jsd(clamp(P[s_ids]), clamp(Q[t_ids]), config["beta"])
            unmatched = unmatched + share * sorted_l1(P[s_rest], Q[t_rest])
        for j in p:
            entropy = entropy - torch.log_softmax(zs[j - 1], -1)[row[0]["ids"][j]] / tokens
    if config["hybrid"]:
        w_m = config["matched_weight"]
        w_u = config["unmatched_weight"]
        if w_m is None:
            w_m = len(s_ids) / teacher_size
            w_u = 1 - w_m
        plain = w_m * matched + w_u * unmatched
    else:
        matched = unmatched = zero
    if config["crossentropy_weight"] == 0:
        entropy = zero
    loss = config["distillation_weight"] * plain + config["crossentropy_weight"] * entropy
    return loss, matched, unmatched


# -------------------------------------------------------------------------------------- writing


def finish(case, loss_function, digits):
    student, teacher = draw_logits(case)
    loss, matched, unmatched = loss_function(case, student, teacher)
    loss.sum().backward()
    number = lambda x: float(f"{float(x):.{digits}g}") or 0
    gradient = [g for z in student for g in (z.grad if z.grad is not None else torch.zeros_like(z)).flatten().tolist()]
    assert math.isfinite(loss.sum().item()) and all(map(math.isfinite, gradient)), case
    case["loss"] = loss.sum().item()
    if matched is not None:
        case["matched_loss"], case["unmatched_loss"] = float(torch.as_tensor(matched).detach()), float(torch.as_tensor(unmatched).detach())
    case["gradient"] = [number(g) if abs(g) > 1e-18 else 0 for g in gradient]
    case["config"] = {k: v for k, v in case["config"].items() if v != DEFAULTS[k]}
    for row in case["rows"]:
        for s, side in enumerate(row):
            row[s] = [side["ids"], side["prompt"], [end for _, end in side["spans"]], int(side["eos"])]
    return json.dumps(case, separators=(",", ":"))


def has_ce_token(case):
    """TRL's cross entropy is NaN without any."""
    return any(len(row[0]["ids"]) > max(1, row[0]["prompt"]) for row in case["rows"])


def write(name, count, compat_trl, loss_function, digits):
    lines, seed = [], 0
    while len(lines) < count:
        seed += 1
        case = make_case(seed, compat_trl)
        if has_ce_token(case) or not compat_trl:
            lines.append(finish(case, loss_function, digits))
    path = GOLDEN / name
    path.write_text("\n".join(lines) + "\n")
    print(f"{path.name}: {count} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)  # TRL makes zeros of the default type
    GOLDEN.mkdir(exist_ok=True)
    write("loss_trl.jsonl", 240, True, trl_loss, 7)
    write("loss_spec.jsonl", 80, False, reference, 12)
