"""Renders requests with transformers' own code: the reference for aurum's chat templates."""

import datetime
import re

import transformers.utils.chat_template_utils as reference


class _Clock:
    """Stands in for the datetime class inside transformers, so that strftime_now is repeatable."""

    value = datetime.datetime(2026, 1, 31, 12, 34, 56)

    @classmethod
    def now(cls):
        return cls.value


reference.datetime = _Clock


def _without_nulls(messages):
    return [{k: v for k, v in message.items() if v is not None} for message in messages]


def _byte_spans(text, spans):
    def to_byte(position):
        return len(text[:position].encode())

    return [[to_byte(begin), to_byte(end)] for begin, end in spans]


def render(template, request):
    """The answer of apply_chat_template: {"text", "generation_spans"}, or {"error"}."""
    _Clock.value = datetime.datetime.fromisoformat(request["now"])
    continues = request.get("continue_final_message", False)
    prompts = request.get("add_generation_prompt", False)
    try:
        if not request["messages"]:
            raise ValueError("empty conversation")
        if continues and prompts:
            raise ValueError("continue_final_message and add_generation_prompt")
        rendered, spans = reference.render_jinja_template(
            [_without_nulls(request["messages"])], chat_template=template, tools=request.get("tools"),
            documents=request.get("documents"), return_assistant_tokens_mask=not continues,
            continue_final_message=continues, add_generation_prompt=prompts,
            **{**request.get("special", {}), **request.get("variables", {})})
        text = rendered[0]
        text.encode()
        return {"text": text, "generation_spans": [] if continues else _byte_spans(text, spans[0])}
    except Exception as error:  # noqa: BLE001  whatever Jinja2 and the template raise
        return {"error": re.sub(r"\s+", " ", "%s: %s" % (type(error).__name__, error))[:300]}
