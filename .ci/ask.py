"""Asks a running server `What is 17 + 25?` with OpenAI's client, whole and streamed, and expects 42.

    ask.py BASE_URL        for example http://127.0.0.1:8080/v1
"""

import sys

import openai

QUESTION = [{"role": "user", "content": "What is 17 + 25?"}]


def whole(client, model):
    answer = client.chat.completions.create(model=model, messages=QUESTION, max_tokens=64)
    assert answer.usage.completion_tokens > 0, answer
    assert answer.choices[0].finish_reason == "stop", answer
    return answer.choices[0].message.content


def streamed(client, model):
    text, finish, pieces = "", None, 0
    for chunk in client.chat.completions.create(model=model, messages=QUESTION, max_tokens=64, stream=True):
        if chunk.choices:
            text += chunk.choices[0].delta.content or ""
            finish = chunk.choices[0].finish_reason or finish
            pieces += 1
    assert finish == "stop" and pieces > 1, (finish, pieces)
    return text


def main():
    client = openai.OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0, timeout=120)
    passed = failed = 0
    for ask in (whole, streamed):
        try:
            answer = ask(client, client.models.list().data[0].id)
            assert "42" in answer, f"the answer is {answer!r}"
            print(f"{ask.__name__}: {answer}")
            passed += 1
        except Exception as error:  # whatever goes wrong, the other way of asking is still tried
            print(f"{ask.__name__}: failed: {type(error).__name__}: {error}")
            failed += 1
    print(f"vkinfer-tests: {passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
