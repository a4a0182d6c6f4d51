#!/usr/bin/env python3
"""Talks to a server program with the openai client, as users' programs do.

usage: server_openai_client.py [--demo MODEL] SERVER [OPTION...]

Without --demo, SERVER is the test program fake_server, whose answers are scripted. With it, SERVER is vkinfer-server and
has to answer with MODEL. Exits with 77 (skipped) where the client is not installed.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

try:
    import openai
except ImportError:
    print("skipped: python3-openai is not installed")
    sys.exit(77)

START_TIMEOUT_S = 120
KEY = "test-key"


class Server:
    """The program under test, from its start to the end that SIGTERM brings."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.url = None
        self.lines = []
        for line in self.process.stderr:
            self.lines.append(line)
            if "listens on " in line:
                self.url = line.split("listens on ")[1].strip()
                break
        assert self.url, f"no address printed: {self.lines}"
        # Somebody has to read on, or the server blocks when the pipe is full.
        threading.Thread(target=lambda: self.lines.extend(self.process.stderr), daemon=True).start()

    def status(self, path):
        try:
            with urllib.request.urlopen(self.url + path) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def wait_until_ready(self):
        end = time.monotonic() + START_TIMEOUT_S
        seen = set()
        while True:
            status, body = self.status("/health")
            seen.add(status)
            if status == 200:
                assert body == {"status": "ok"}, body
                return seen
            assert status == 503 and body["error"]["message"] == "Loading model", body
            assert time.monotonic() < end, "the model does not get ready"
            time.sleep(0.02)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=60)
        assert status == 0, f"exit status {status}: {''.join(self.lines)}"

    def client(self, key=KEY):
        return openai.OpenAI(base_url=self.url + "/v1", api_key=key, max_retries=0, timeout=120)


def user(text):
    return [{"role": "user", "content": text}]


def streamed_text(stream):
    text, reason, usage = "", None, None
    for chunk in stream:
        if chunk.usage:
            usage = chunk.usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            reason = choice.finish_reason or reason
    return text, reason, usage


def expect_error(kind, code, call):
    try:
        call()
    except kind as error:
        assert error.code == code, (error.code, code)
        return error
    raise AssertionError(f"{kind.__name__} expected")


def test_fake(server):
    client = server.client()
    model = client.models.list().data[0].id
    assert model == "fake"
    assert client.models.retrieve(model).id == model

    answer = client.chat.completions.create(model=model, messages=user("count 5"))
    assert answer.choices[0].message.content == "1 2 3 4 5 "
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.completion_tokens == 5
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 5

    stream = client.chat.completions.create(
        model=model, messages=user("count 5"), stream=True, stream_options={"include_usage": True}, max_tokens=3)
    text, reason, usage = streamed_text(stream)
    assert (text, reason, usage.completion_tokens) == ("1 2 3 ", "length", 3)

    parts = [{"role": "user", "content": [{"type": "text", "text": "count 2"}]}]
    assert client.chat.completions.create(model=model, messages=parts).choices[0].message.content == "1 2 "
    assert client.chat.completions.create(model=model, messages=user("count 9"), stop=["4", "x"]).choices[0].message.content == "1 2 3 "

    completion = client.completions.create(model=model, prompt="count 3", temperature=0, seed=1)
    assert completion.choices[0].text == "1 2 3 "
    pieces = [chunk.choices[0].text for chunk in client.completions.create(model=model, prompt="count 3", stream=True)]
    assert "".join(pieces) == "1 2 3 "

    tools = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]
    call = 'echo <tool_call>\n{"name": "add", "arguments": {"a": 17, "b": 25}}\n</tool_call>'
    choice = client.chat.completions.create(model=model, messages=user(call.replace("\n", " ")), tools=tools).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls[0].function.name == "add"
    assert json.loads(choice.message.tool_calls[0].function.arguments) == {"a": 17, "b": 25}

    expect_error(openai.BadRequestError, "invalid_value",
                 lambda: client.chat.completions.create(model=model, messages=user("x"), max_tokens=-5))
    expect_error(openai.BadRequestError, "context_length_exceeded",
                 lambda: client.chat.completions.create(model=model, messages=user("x" * 10_000)))
    expect_error(openai.BadRequestError, "unsupported_parameter",
                 lambda: client.chat.completions.create(model=model, messages=user("x"), n=2))
    expect_error(openai.AuthenticationError, "invalid_api_key", lambda: server.client("wrong").models.list())
    expect_error(openai.NotFoundError, "model_not_found", lambda: client.models.retrieve("other"))
    expect_error(openai.InternalServerError, "device_lost",
                 lambda: client.chat.completions.create(model=model, messages=user("fail now"), stream=True))
    # An error in the middle of a stream reaches the program that reads it.
    stream = client.chat.completions.create(model=model, messages=user("fail"), stream=True)
    try:
        text, _, _ = streamed_text(stream)
        raise AssertionError("the stream ended as if all were well")
    except openai.APIError as error:
        assert "stopped answering" in str(error)

    test_concurrent_streams(client, model, "slow 10", lambda text: text.endswith("10 "))

    # Hanging up frees the place at once; the server lives on.
    stream = client.chat.completions.create(model=model, messages=user("slow 4000"), stream=True)
    next(iter(stream))
    stream.close()
    assert client.chat.completions.create(model=model, messages=user("count 1")).choices[0].message.content == "1 "


def test_concurrent_streams(client, model, prompt, is_right):
    texts = {}

    def run(name):
        texts[name] = streamed_text(client.chat.completions.create(model=model, messages=user(prompt), stream=True))[0]

    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(texts) == 4 and all(is_right(text) for text in texts.values()), texts


def test_demo(server):
    client = server.client()
    model = client.models.list().data[0].id
    question = user("What is 17 + 25?")
    answer = client.chat.completions.create(model=model, messages=question)
    assert "42" in answer.choices[0].message.content, answer
    assert answer.choices[0].finish_reason == "stop"
    text, reason, usage = streamed_text(client.chat.completions.create(
        model=model, messages=question, stream=True, stream_options={"include_usage": True}))
    assert "42" in text and reason == "stop" and usage.completion_tokens > 0
    again = client.chat.completions.create(model=model, messages=question)
    assert again.choices[0].message.content == answer.choices[0].message.content
    limited = client.chat.completions.create(model=model, messages=question, max_tokens=1)
    assert limited.choices[0].finish_reason == "length" and limited.usage.completion_tokens == 1
    assert client.completions.create(model=model, prompt="vkinfer", max_tokens=4).usage.completion_tokens <= 4
    expect_error(openai.BadRequestError, "context_length_exceeded",
                 lambda: client.chat.completions.create(model=model, messages=user("word " * 100_000)))
    expect_error(openai.BadRequestError, "invalid_value",
                 lambda: client.chat.completions.create(model=model, messages=user("x"), max_tokens=-5))
    test_concurrent_streams(client, model, "What is 17 + 25?", lambda text: "42" in text)


def test_endings(program):
    """How the program ends: each case with a process of its own."""
    # A model that cannot be loaded.
    failed = subprocess.run([program, "--port", "0", "-m", "missing"], capture_output=True, text=True, timeout=60)
    assert failed.returncode == 1 and "There is no model missing" in failed.stderr, failed
    # A signal while the model loads: nobody waits for the rest.
    server = Server([program, "--port", "0", "-m", "60000"])
    assert server.status("/health")[0] == 503
    begin = time.monotonic()
    server.end()
    assert time.monotonic() - begin < 30
    # A port that is taken.
    server = Server([program, "--port", "0", "-m", "1"])
    server.wait_until_ready()
    port = server.url.rsplit(":", 1)[1]
    second = subprocess.run([program, "--port", port, "-m", "1"], capture_output=True, text=True, timeout=60)
    assert second.returncode == 1 and "Cannot listen" in second.stderr, second
    # A signal while an answer is under way: it is finished first.
    stream = server.client().chat.completions.create(model="x", messages=user("slow 30"), stream=True)
    chunks = iter(stream)
    next(chunks)
    server.process.send_signal(signal.SIGTERM)
    assert streamed_text(chunks)[0].endswith("30 ")
    stream.close()
    assert server.process.wait(timeout=60) == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--demo")
    parser.add_argument("server")
    parser.add_argument("options", nargs="*")
    arguments = parser.parse_args()
    if arguments.demo and not os.path.exists(arguments.demo):
        print(f"skipped: there is no {arguments.demo}")
        sys.exit(77)
    # The fake takes the "model" for the time that loading lasts.
    model = arguments.demo or "300"
    server = Server([arguments.server, "--port", "0", "--api-key", KEY, "-m", model] + arguments.options)
    try:
        seen = server.wait_until_ready()
        if arguments.demo:
            test_demo(server)
        else:
            assert 503 in seen, "the server did not answer while its model was loading"
            test_fake(server)
        server.end()
        if not arguments.demo:
            test_endings(arguments.server)
    finally:
        server.process.kill()
    print("vkinfer-tests: 1 passed, 0 failed, 0 skipped")


main()
