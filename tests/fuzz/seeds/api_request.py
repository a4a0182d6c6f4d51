#!/usr/bin/env python3
"""Seeds of api_request_fuzz: bodies that the endpoints accept, or nearly so. The first byte chooses the route."""

import json
import pathlib
import sys

# Places in the table of server/routes.cpp.
CHAT, TEXT, TOKENIZE, DETOKENIZE, TEMPLATE = 5, 7, 9, 10, 11

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 17 + 25?"}]
CALLS = [
    {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b\u20ac"}]},
    {"role": "assistant", "content": None, "tool_calls": [
        {"id": "c", "type": "function", "function": {"name": "add", "arguments": "{\"a\": 1.50, \"b\": [2]}"}}]},
    {"role": "tool", "tool_call_id": "c", "content": "42"},
]
TOOLS = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object", "big": 123456789012345678901}}}]
SAMPLING = {"temperature": 0.5, "top_k": 40, "top_p": 0.9, "min_p": 0.05, "repeat_penalty": 1.1, "repeat_last_n": 64,
            "presence_penalty": 0.5, "frequency_penalty": -0.5, "seed": 7, "max_tokens": 16, "stop": ["\n", "x"],
            "logit_bias": {"7": -100}, "stream": True, "stream_options": {"include_usage": True}}

SEEDS = [
    (CHAT, {"messages": MESSAGES}),
    (CHAT, {"messages": MESSAGES, **SAMPLING}),
    (CHAT, {"messages": CALLS, "tools": TOOLS, "tool_choice": "auto", "chat_template_kwargs": {"thinking": False}}),
    (CHAT, {"messages": MESSAGES, "n": 1, "logprobs": False, "response_format": {"type": "text"}, "seed": -1}),
    (CHAT, {"messages": MESSAGES, "tools": TOOLS, "user": "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call> x"}),
    (TEXT, {"prompt": "Once", **SAMPLING}),
    (TEXT, {"prompt": [1, 2, 3], "logit_bias": [[3, 1.5], [4, False]], "max_tokens": -1}),
    (TOKENIZE, {"content": "some text", "add_special": True, "with_pieces": True}),
    (DETOKENIZE, {"tokens": [104, 105, 255]}),
    (TEMPLATE, {"messages": MESSAGES, "add_generation_prompt": False}),
]


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for i, (route, body) in enumerate(SEEDS):
        (folder / f"{i}").write_bytes(bytes([route]) + json.dumps(body).encode())
    deep = b'{"messages":' + b"[" * 70 + b"]" * 70 + b"}"
    (folder / "deep").write_bytes(bytes([CHAT]) + deep)
    (folder / "escaped").write_bytes(bytes([CHAT]) + b'{"mess\\u0061ges":[{"role":"user","content":"\\ud83d\\ude00"}]}')


if __name__ == "__main__":
    main()
