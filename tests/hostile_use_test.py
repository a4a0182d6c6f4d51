"""What goes wrong for users of vkinfer-server, with the real engine: broken files, broken requests, clients that hang up.

    hostile_use_test.py --server PROGRAM --demo MODEL.gguf

Each case has to give one clear error and leave everything else working. Under the address sanitizer the exit status of the
server also tells about leaks.
"""

import argparse
import http.client
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "support"))
import py_totals

TIMEOUT_S = 300
QUESTION = {"messages": [{"role": "user", "content": "What is 17 + 25?"}]}


def arguments():
    parser = argparse.ArgumentParser()
    for name in ("server", "demo"):
        parser.add_argument("--" + name, required=True)
    options, rest = parser.parse_known_args()
    sys.argv[1:] = rest
    return options


OPTIONS = arguments()


def setUpModule():
    global CACHE, ENVIRONMENT
    if not os.path.exists(OPTIONS.demo):
        raise unittest.SkipTest("there is no demo model")
    CACHE = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(CACHE.cleanup)
    ENVIRONMENT = {**os.environ, "XDG_CACHE_HOME": CACHE.name}


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def tensor_file(dims, offset, data_bytes):
    """A GGUF with one f32 tensor that claims `dims` and `offset`."""
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + text("general.architecture") + struct.pack("<I", 8) + text("llama")
    head += text("token_embd.weight") + struct.pack("<I", len(dims)) + b"".join(struct.pack("<Q", d) for d in dims)
    head += struct.pack("<IQ", 0, offset)
    return head + bytes(-len(head) % 32 + data_bytes)


class Files(unittest.TestCase):
    def refused(self, data, *words):
        path = os.path.join(CACHE.name, "broken.gguf")
        with open(path, "wb") as out:
            out.write(data)
        done = subprocess.run([OPTIONS.server, "-m", path, "--port", "0"], capture_output=True, text=True, timeout=TIMEOUT_S,
                              env=ENVIRONMENT)
        self.assertEqual(done.returncode, 1, done.stderr)
        errors = [line for line in done.stderr.splitlines() if path in line]
        self.assertEqual(len(errors), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_truncated(self):
        with open(OPTIONS.demo, "rb") as demo:
            whole = demo.read()
        for size in (0, 3, 20, 1000, 50_000, len(whole) // 2, len(whole) - 1):
            with self.subTest(size):
                self.refused(whole[:size])

    def test_wrong_magic(self):
        self.refused(b"GGML" + bytes(1000), "GGUF")

    def test_offset_beyond_the_file(self):
        self.refused(tensor_file([32, 32], 1 << 40, 4096), "token_embd.weight")

    def test_a_dimension_of_2_to_the_60(self):
        self.refused(tensor_file([1 << 60, 32], 0, 4096), "token_embd.weight")


class Server(unittest.TestCase):
    """One server for all the cases, in any order: each of them ends with an answer to a good question."""

    @classmethod
    def setUpClass(cls):
        cls.lines = []
        cls.process = subprocess.Popen([OPTIONS.server, "-m", OPTIONS.demo, "--port", "0", "-np", "2"], stderr=subprocess.PIPE,
                                       text=True, env=ENVIRONMENT)
        cls.port = None
        for line in cls.process.stderr:
            cls.lines.append(line)
            if "listens on " in line:
                cls.port = int(line.rsplit(":", 1)[1])
            if "ready" in line:
                break
        assert cls.port, "".join(cls.lines)
        cls.reader = threading.Thread(target=lambda: cls.lines.extend(cls.process.stderr))
        cls.reader.start()

    @classmethod
    def tearDownClass(cls):
        cls.process.send_signal(signal.SIGTERM)
        status = cls.process.wait(timeout=TIMEOUT_S)
        cls.reader.join()
        cls.process.stderr.close()
        assert status == 0, f"exit status {status}\n" + "".join(cls.lines)

    def post(self, body, path="/v1/chat/completions"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        data = body if isinstance(body, (bytes, str)) else json.dumps(body)
        try:
            connection.request("POST", path, data, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def tearDown(self):
        status, answer = self.post(QUESTION)
        self.assertEqual(status, 200, answer)
        self.assertIn("42", answer["choices"][0]["message"]["content"])

    def refused(self, body, *words, status=400):
        got, answer = self.post(body)
        self.assertEqual(got, status, answer)
        self.assertEqual(answer["error"]["type"], "invalid_request_error")
        for word in words:
            self.assertIn(word, answer["error"]["message"])

    def test_not_json(self):
        for body in ("", "{", "17 + 25", b"\xff\xfe{}", "[" * 100_000, '{"messages": [}'):
            with self.subTest(body[:20]):
                self.refused(body)

    def test_numbers_out_of_range(self):
        self.refused({**QUESTION, "max_tokens": -5}, "max_tokens")
        self.refused({**QUESTION, "temperature": -1}, "temperature")
        self.refused('{"messages": [{"role": "user", "content": "x"}], "temperature": NaN}')
        self.refused('{"messages": [{"role": "user", "content": "x"}], "temperature": 1e999}')
        self.refused({**QUESTION, "top_p": "much"}, "top_p")

    def test_a_prompt_longer_than_the_context(self):
        self.refused({"messages": [{"role": "user", "content": "word " * 100_000}]}, "context")

    def test_clients_that_hang_up(self):
        body = json.dumps({"messages": [{"role": "user", "content": "Count from 1 to 99."}], "stream": True, "max_tokens": 400})
        request = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        for received in (0, 1, 400):  # before the answer, at its beginning, in the middle
            with self.subTest(received):
                with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S) as client:
                    client.sendall(request)
                    got = b""
                    while len(got) < received:
                        got += client.recv(200)
                self.tearDown()


if __name__ == "__main__":
    py_totals.main()
