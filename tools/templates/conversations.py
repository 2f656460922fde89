"""Requests that exercise chat templates: roles, tools, reasoning, lists and nulls as content."""

TOOLS = [
    {"type": "function", "function": {
        "name": "get_weather", "description": "Get the weather of a city.\nUse Celsius.",
        "parameters": {"type": "object", "properties": {
            "city": {"type": "string", "description": "City, e.g. \"Köln\""},
            "days": {"type": ["integer", "null"], "default": 1, "minimum": 0.5, "maximum": 1e16},
            "units": {"type": "string", "enum": ["C", "F"]}}, "required": ["city"]},
        "return": {"type": "string"}}},
    {"type": "function", "function": {
        "name": "add", "description": "Add <numbers> & 'quote' them",
        "parameters": {"type": "object", "properties": {
            "numbers": {"type": "array", "items": {"type": "number"}},
            "exact": {"type": "boolean", "default": False}}}}},
]


def call(name, arguments, call_id="call0000a"):
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def user(content):
    return {"role": "user", "content": content}


def assistant(content, **more):
    return {"role": "assistant", "content": content, **more}


SYSTEM = {"role": "system", "content": "You are <b>terse</b>.\n"}
CITY = {"city": "Köln", "days": 2}
RESULT = {"role": "tool", "tool_call_id": "call0000a", "name": "get_weather", "content": "{\"t\": 21.5}"}

CONVERSATIONS = {
    "user": [user("Hi")],
    "system": [SYSTEM, user("Hi\n")],
    "two_turns": [user("Hi"), assistant("Hello!"), user(" And now? ")],
    "system_two_turns": [SYSTEM, user("a"), assistant("b"), user("c"), assistant("d")],
    "unicode": [user("Ünïcödé 漢字 🙂 \u2028 'q' \"d\" \\n <|im_end|>"), assistant("ß\tΣΑΣ")],
    "blanks": [SYSTEM, user("\n  padded \t\n"), assistant("  \n answer  \n\n")],
    "empty": [user(""), assistant("")],
    "think_text": [user("2+2?"), assistant("<think>\nFour.\n</think>\n\n4"), user("sure?")],
    "think_final": [user("2+2?"), assistant("<think>\nFour.\n</think>\n\n4")],
    "reasoning_content": [user("2+2?"), assistant("4", reasoning_content="Two and two.\n"), user("why?"),
                          assistant("Because.", reasoning_content="Hm")],
    "thinking": [user("2+2?"), assistant("4", thinking="Two and two.")],
    "reasoning": [user("2+2?"), assistant("4", reasoning="Two and two."), user("ok")],
    "tool_call": [user("Weather?"), assistant("", tool_calls=[call("get_weather", CITY)]), RESULT],
    "tool_call_null": [SYSTEM, user("Weather?"), assistant(None, tool_calls=[call("get_weather", CITY)]), RESULT,
                       assistant("21.5 degrees"), user("Thanks")],
    "tool_call_text": [user("W?"), assistant("Let me see.", tool_calls=[call("get_weather", '{"city": "Köln"}')]),
                       RESULT],
    "two_tool_calls": [user("W?"), assistant("", tool_calls=[
        call("get_weather", CITY), call("add", {"numbers": [1, 2.5, -3e20], "exact": True, "none": None}, "call0000b")]),
        RESULT, {"role": "tool", "tool_call_id": "call0000b", "name": "add", "content": "0"}, assistant("Done")],
    "tool_think": [user("W?"), assistant("", reasoning_content="look it up", tool_calls=[call("get_weather", CITY)]),
                   RESULT, assistant("<think>ok</think>Warm"), user("more")],
    "bare_tool_call": [user("W?"), assistant("", tool_calls=[{"name": "add", "arguments": {"numbers": []}}])],
    "list": [user([{"type": "text", "text": "Look "}, {"type": "text", "text": "here"}]), assistant("ok")],
    "list_image": [user([{"type": "image"}, {"type": "text", "text": "What?"}]),
                   assistant([{"type": "text", "text": "A cat."}])],
    "list_system": [{"role": "system", "content": [{"type": "text", "text": "Be nice"}]}, user("x")],
    "null": [user("x"), assistant(None)],
    "developer": [{"role": "developer", "content": "Obey."}, user("x")],
    "no_user": [SYSTEM, assistant("Hello?")],
    "wrong_order": [user("a"), user("b"), assistant("c"), assistant("d")],
    "extra_keys": [{"role": "user", "content": "x", "name": "Bob", "weight": 1.0, "tags": ["a", 1, None, True]}],
    "ipython": [user("run"), assistant("<|python_tag|>1"), {"role": "ipython", "content": {"output": 1}}],
    "long": [SYSTEM] + [m for i in range(12) for m in (user("q%d" % i), assistant("a%d" % i))],
}

# What is passed beside the messages.
OPTIONS = {
    "plain": {},
    "prompt": {"add_generation_prompt": True},
    "tools": {"tools": TOOLS, "add_generation_prompt": True},
    "no_thinking": {"add_generation_prompt": True, "variables": {"enable_thinking": False, "thinking": False}},
    "thinking": {"add_generation_prompt": True, "tools": TOOLS[:1],
                 "variables": {"enable_thinking": True, "thinking": True, "reasoning_effort": "high",
                               "builtin_tools": ["browser", "python"], "date_string": "26 Jul 2024"}},
    "documents": {"documents": [{"title": "Doc", "text": "Text é"}, {"title": "B", "text": ""}]},
    "continue": {"continue_final_message": True},
}

SPECIAL_TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
NOW = "2026-01-31T12:34:56"


def requests():
    """Yields (name, request) for every conversation with every option."""
    for conversation, messages in CONVERSATIONS.items():
        for option, more in OPTIONS.items():
            yield conversation + "/" + option, {"messages": messages, "now": NOW, "special": SPECIAL_TOKENS, **more}
