"""Renders a conversation with chat_template.jinja, in the environment that Hugging Face's libraries give to chat templates."""

import json
import pathlib

from jinja2.sandbox import ImmutableSandboxedEnvironment

TEMPLATE = (pathlib.Path(__file__).parent / "chat_template.jinja").read_text(encoding="utf-8")

_environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
_environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
_template = _environment.from_string(TEMPLATE)


def render(conversation, add_generation_prompt=False):
    return _template.render(messages=conversation["messages"], tools=conversation.get("tools"), documents=None,
                            add_generation_prompt=add_generation_prompt, bos_token="", eos_token="<|im_end|>")
