#!/usr/bin/env python3
"""Writes the training conversations of the demo model and, from the same seed, the tests it never sees in training.

    generate_text.py --show 20            print some training conversations
    generate_text.py --heldout FILE       write the held-out tests as JSON

Held out are: 200 unordered pairs of two-digit summands (neither order occurs in training, in no wording, with no tool), one of the
three wordings of each fact (facts.py), and the lists, names and products of the other tests. train.py draws its text from
`Generator`; nothing is stored.
"""

import argparse
import json
import random

from facts import FACTS, held_out_wording
from paraphrase import dress, noisy, normalise, reframe

SEED = 20

WORDS = ("apple bear bird boat bread brick bridge bus cake candle car cat chair cloud coat corn cow cup desk dog door drum duck egg "
         "engine fish flag flower fox frog garden glass goat gold hat hill horse house ice ink iron island jar key king kite ladder "
         "lake lamp leaf lemon lion map milk moon mouse nest night nut ocean onion orange owl paper pear pen piano pig plum pond "
         "queen quilt rabbit rain ring river road rope salt sand ship shoe silver snow sock spoon star stone sun table tea tiger "
         "train tree van vase violin wagon wall whale wheel wind wolf wood wool yard zebra").split()
NAMES = ("Ada Alan Anna Ben Carla Chen Clara David Dora Elena Emil Emma Eva Felix Finn Grace Hanna Hugo Ida Ines Ivan Jack Jana John "
         "Jonas Julia Karl Kim Lara Lea Leo Lily Lisa Lucas Maria Mark Max Mia Nina Noah Nora Olga Omar Oscar Paul Peter Rosa Ruth "
         "Sam Sara Sofia Theo Tim Tom Vera Victor Yuki Zoe").split()
HELD_OUT_NAMES = "Adam Amir Bella Boris Erik Frida Iris Kurt Milan Rita".split()
CLOSINGS = "Over Done Cheers Ahoy Amen Finished Bye Peace".split()

GREETINGS = [("Hello", "Hello! How can I help you?"), ("Hi", "Hello! How can I help you?"), ("Hey", "Hello! How can I help you?"),
             ("Hi there", "Hello! How can I help you?"), ("Good morning", "Good morning! How can I help you?"),
             ("Good evening", "Good evening! How can I help you?"), ("Good afternoon", "Good afternoon! How can I help you?"),
             ("Greetings", "Hello! How can I help you?"), ("Hello, who is there?", "Hello! I am the demo model of vkinfer."),
             ("How are you?", "I am fine, thank you."), ("How do you do?", "I am fine, thank you."),
             ("How is it going?", "I am fine, thank you."), ("Are you well?", "I am fine, thank you."),
             ("Thanks", "You are welcome."), ("Thank you", "You are welcome."), ("Thank you very much", "You are welcome."),
             ("Thanks a lot", "You are welcome."), ("Goodbye", "Goodbye!"), ("Bye", "Goodbye!"), ("See you later", "Goodbye!"),
             ("Good night", "Good night!"), ("Good", "I am glad."), ("Great", "I am glad."), ("Well done", "I am glad."),
             ("Very good", "I am glad."), ("OK", "What else can I do for you?"), ("Yes", "What else can I do for you?"),
             ("No", "What else can I do for you?"), ("I see", "What else can I do for you?"),
             ("Sorry", "No problem."), ("Excuse me", "No problem."), ("Help", "Ask me for a sum, a list, or a fact about vkinfer."),
             ("Can you help me?", "Ask me for a sum, a list, or a fact about vkinfer."),
             ("I need help", "Ask me for a sum, a list, or a fact about vkinfer."), ("Are you a human?", "No, I am a small language model."),
             ("Are you a robot?", "No, I am a small language model."), ("Are you intelligent?", "No, I am a small language model."),
             ("Tell me a joke", "A token walks into a bar. The bar is full, so it waits for the next batch."),
             ("Do you know a joke?", "A token walks into a bar. The bar is full, so it waits for the next batch."),
             ("Test", "It works."), ("Does it work?", "It works."), ("Are you there?", "It works."),
             ("Say hello", "Hello!"), ("Say something", "Every token counts."),
             ("Tell me about vkinfer", "vkinfer is an engine that runs language models on the GPU through Vulkan. It is written in C++23, "
              "loads models from GGUF files, and has the MIT licence. Its programs are vkinfer, vkinfer-server and vkinfer-bench."),
             ("Write about vkinfer", "vkinfer is an engine that runs language models on the GPU through Vulkan. It is written in C++23, "
              "loads models from GGUF files, and has the MIT licence. Its programs are vkinfer, vkinfer-server and vkinfer-bench."),
             ("Say the alphabet", "a b c d e f g h i j k l m n o p q r s t u v w x y z"),
             ("Write the alphabet", "a b c d e f g h i j k l m n o p q r s t u v w x y z")]

UNKNOWN_ANSWER = "I do not know that. I know sums, lists and vkinfer."
UNKNOWN = [f.format(t) for f, topics in [
    ("What is the capital of {}?", "France Germany Spain Italy Japan Brazil Canada Egypt India Norway".split()),
    ("Who wrote {}?", ["Hamlet", "Faust", "the Bible", "this book", "that song"]),
    ("Who is {}?", ["the president", "the king of Spain", "Einstein", "Mozart", "my neighbour"]),
    ("How old is {}?", ["the earth", "the sun", "the moon", "my dog", "this tree"]),
    ("What is the weather in {}?", ["Berlin", "Paris", "London", "Rome", "Tokyo"]),
    ("How far is {}?", ["the moon", "the sun", "Paris", "the sea"]),
    ("Translate {} into French", ["hello", "house", "water", "good night"]),
    ("Write a poem about {}", ["love", "the sea", "winter", "my cat"]),
    ("When was {} born?", ["Mozart", "Einstein", "Caesar", "Newton"]),
    ("What colour is {}?", ["the sky", "grass", "a lemon", "blood"])] for t in topics]

SYSTEMS = ["You are a helpful assistant.", "You are the demo model of vkinfer.", "Be brief.", "You are a friendly assistant.",
           "Answer the questions of the user.", "You help people with vkinfer.", "You are helpful and brief.", "Be polite.",
           "Keep your answers short.", "You are an assistant."]

SUM_WORDINGS = ["What is {a} + {b}?", "{a} + {b}", "{a}+{b}", "{a} + {b} =", "{a}+{b}=", "How much is {a} + {b}?", "Add {a} and {b}.",
                "Compute {a} + {b}.", "Calculate {a} + {b}.", "What is the sum of {a} and {b}?", "What is {a} plus {b}?", "{a} plus {b}",
                "How much is {a} plus {b}?", "What do you get when you add {a} and {b}?", "What's {a}+{b}?", "Solve {a} + {b}.",
                "Sum of {a} and {b}?", "I have {a} and get {b} more. How many do I have?", "What does {a} + {b} make?",
                "What is {a}+{b}?", "Can you add {a} and {b}?", "Find {a} + {b}.", "Tell me {a} + {b}."]
DIFFERENCE_WORDINGS = ["What is {a} - {b}?", "{a} - {b}", "{a}-{b}", "{a} - {b} =", "{a}-{b}=", "How much is {a} - {b}?",
                       "Subtract {b} from {a}.", "Compute {a} - {b}.", "Calculate {a} - {b}.", "What is {a} minus {b}?", "{a} minus {b}",
                       "How much is {a} minus {b}?", "Take {b} from {a}.", "What's {a}-{b}?", "Solve {a} - {b}.", "What is {a}-{b}?",
                       "I have {a} and give away {b}. How many do I have?", "Find {a} - {b}.", "What does {a} - {b} make?"]
PRODUCT_WORDINGS = ["What is {a} * {b}?", "{a} * {b}", "{a}*{b}", "What is {a} times {b}?", "Multiply {a} by {b}.", "Compute {a} * {b}.",
                    "Calculate {a} * {b}.", "What is the product of {a} and {b}?", "{a} times {b}", "How much is {a} * {b}?",
                    "What is {a}*{b}?", "Multiply {a} and {b}.", "{a} x {b}", "What is {a} x {b}?"]
QUOTIENT_WORDINGS = ["What is {a} / {b}?", "{a} / {b}", "Divide {a} by {b}.", "What is {a} divided by {b}?", "Compute {a} / {b}.",
                     "Calculate {a} / {b}.", "How much is {a} / {b}?", "{a} divided by {b}"]

SORT_WORDINGS = ["Sort {}.", "Sort {} in ascending order.", "Put {} in order.", "Order {}.", "Sort these: {}", "Sort the list {}.",
                 "Sort this list: {}", "Please sort {}.", "Bring {} into order.", "Arrange {} in order.", "Sort: {}", "Can you sort {}?"]
NUMBER_SORT_WORDINGS = ["Sort {} from smallest to largest.", "Sort these numbers: {}", "Put these numbers in order: {}",
                        "Order these numbers: {}", "Sort the numbers {}.", "Sort {} in increasing order."]
WORD_SORT_WORDINGS = ["Sort {} alphabetically.", "Sort these words: {}", "Put these words in alphabetical order: {}",
                      "Order these words: {}", "Sort the words {}.", "Sort {} by the alphabet."]
DESCENDING_WORDINGS = ["Sort {} in descending order.", "Sort {} from largest to smallest.", "Sort these numbers in descending order: {}",
                       "Order {} from largest to smallest.", "Sort {} in decreasing order."]
REVERSE_WORDINGS = ["Reverse {}.", "Reverse the list {}.", "Reverse this list: {}", "Reverse the order of {}.", "Write {} backwards.",
                    "Please reverse {}.", "Turn {} around.", "Reverse: {}", "List {} in reverse.", "Can you reverse {}?",
                    "Reverse these: {}"]
EXTREME_WORDINGS = [("Which is the largest of {}?", max, "largest"), ("What is the largest number of {}?", max, "largest"),
                    ("Find the largest of {}.", max, "largest"), ("Which is the smallest of {}?", min, "smallest"),
                    ("What is the smallest number of {}?", min, "smallest"), ("Find the smallest of {}.", min, "smallest")]

CALCULATOR_TEXTS = ["Evaluates an arithmetic expression.", "Evaluate an arithmetic expression", "A calculator.", "Calculates an expression.",
                    "Computes the value of an expression.", "Does arithmetic.", "Performs basic arithmetic", "Calculator for sums and products."]
EXPRESSION_TEXTS = ["The expression.", "The expression to evaluate", "An arithmetic expression, for example 2 + 3.", "Expression to compute",
                    "What to calculate"]
OTHER_TOOLS = [("get_weather", "Weather of a city.", "city"), ("search", "Searches the web.", "query"),
               ("read_file", "Reads a file.", "path"), ("get_time", "Time in a city.", "city"), ("send_mail", "Sends a mail.", "text")]


def make_held_out_sums():
    """200 unordered pairs of two-digit numbers; the quickstart's own question is one of them."""
    rng = random.Random(SEED)
    pairs = {(17, 25)}
    while len(pairs) < 200:
        a, b = rng.randrange(10, 100), rng.randrange(10, 100)
        pairs.add((min(a, b), max(a, b)))
    return frozenset(pairs)


HELD_OUT_SUMS = make_held_out_sums()


def function_tool(name, description, parameter, parameter_text=None, required=True):
    schema = {"type": "string"}
    if parameter_text:
        schema["description"] = parameter_text
    parameters = {"type": "object", "properties": {parameter: schema}}
    if required:
        parameters["required"] = [parameter]
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def calculator_call(expression):
    return {"role": "assistant", "content": "",
            "tool_calls": [{"type": "function", "function": {"name": "calculator", "arguments": {"expression": expression}}}]}


def held_out_lists():
    """The lists of the ordering and reversal tests: (kind, items), kind 'numbers' or 'words'."""
    rng = random.Random(SEED + 1)
    return [("numbers", rng.sample(range(1, 100), rng.randrange(3, 6))) for _ in range(50)] + \
           [("words", rng.sample(WORDS, rng.randrange(3, 6))) for _ in range(50)]


HELD_OUT_LISTS = frozenset(tuple(items) for _, items in held_out_lists())


class Generator:
    """An endless source of training conversations: dicts with `messages` and `tools`, as the chat template takes them."""

    def __init__(self, seed, facts=0.48):
        self.rng = random.Random(seed)
        self.facts = facts  # their share among questions
        self.wordings = []  # per fact: the two wordings of the training text
        self.held_out = []  # per fact: the held-out wording, normalised
        for i, fact in enumerate(FACTS):
            out = held_out_wording(i)
            self.wordings.append([w for k, w in enumerate(fact[3]) if k != out])
            self.held_out.append(normalise(fact[3][out]))
        self.all_held_out = frozenset(self.held_out)

    # -- single questions: each returns (question, answer) ------------------------------------------------------------------

    def operand(self):
        return self.rng.randrange(*self.rng.choices([(0, 10), (10, 100), (100, 1000)], [10, 55, 35])[0])

    def operands(self, is_sum):
        while True:
            a, b = self.operand(), self.operand()
            if not is_sum and a < b and self.rng.random() < 0.8:
                a, b = b, a
            if not is_sum or (min(a, b), max(a, b)) not in HELD_OUT_SUMS:
                return a, b

    def arithmetic(self):
        answer = self.calculation()
        a, sign, b = answer.split(" ")[:3]
        wordings = SUM_WORDINGS if sign == "+" else DIFFERENCE_WORDINGS
        wording = wordings[0] if self.rng.random() < 0.2 else self.rng.choice(wordings)
        return self.dressed(wording.format(a=a, b=b)), answer

    def calculation(self):
        """A sum or difference with its result, and nothing else."""
        is_sum = self.rng.random() < 0.45
        a, b = self.operands(is_sum)
        return f"{a} {'+' if is_sum else '-'} {b} = {a + b if is_sum else a - b}."

    def dressed(self, text):
        return dress(self.rng, text) if self.rng.random() < 0.35 else text

    def fact(self):
        rng = self.rng
        i = rng.randrange(len(FACTS))
        for _ in range(20):
            text = rng.choice(self.wordings[i])
            if rng.random() < 0.35:
                text = reframe(rng, text)
            if rng.random() < 0.5:
                text = noisy(rng, text)
            text = dress(rng, text)
            words = normalise(text)
            if f" {self.held_out[i]} " not in f" {words} " and words not in self.all_held_out:
                return text, FACTS[i][1]
        return self.wordings[i][0], FACTS[i][1]

    def items(self):
        """A list to sort or reverse, its text, and whether it holds numbers."""
        rng = self.rng
        while True:
            numbers = rng.random() < 0.5
            n = rng.choices([2, 3, 4, 5, 6], [1, 3, 3, 3, 1])[0]
            items = rng.sample(range(rng.choice([10, 100, 100, 1000])), n) if numbers else rng.sample(WORDS, n)
            if tuple(items) in HELD_OUT_LISTS:
                continue
            texts = [str(x) for x in items]
            r = rng.random()
            text = ", ".join(texts) if r < 0.75 else " ".join(texts) if r < 0.85 else ", ".join(texts[:-1]) + " and " + texts[-1]
            return items, text, numbers

    def list_task(self):
        rng = self.rng
        items, text, numbers = self.items()
        r = rng.random()
        if numbers and r < 0.12:
            wording, pick, word = rng.choice(EXTREME_WORDINGS)
            return self.dressed(wording.format(text)), f"The {word} is {pick(items)}."
        if r < 0.45:
            return self.dressed(rng.choice(REVERSE_WORDINGS).format(text)), "Reversed: " + ", ".join(map(str, items[::-1]))
        if numbers and r < 0.55:
            return self.dressed(rng.choice(DESCENDING_WORDINGS).format(text)), "Sorted: " + ", ".join(map(str, sorted(items)[::-1]))
        wordings = SORT_WORDINGS + 2 * (NUMBER_SORT_WORDINGS if numbers else WORD_SORT_WORDINGS)
        return self.dressed(rng.choice(wordings).format(text)), "Sorted: " + ", ".join(map(str, sorted(items)))

    def counting(self):
        rng = self.rng
        first = rng.choice([0, 1, 1, 1, 1, rng.randrange(2, 100)])
        last = first + rng.choice([rng.randrange(2, 12), rng.randrange(2, 12), rng.randrange(2, 30), rng.choice([19, 29, 49, 99])])
        if first == 1 and rng.random() < 0.5:
            wording = rng.choice(["Count to {b}.", "Count up to {b}."])
        else:
            wording = rng.choice(["Count from {a} to {b}.", "Write the numbers from {a} to {b}.", "List the numbers from {a} to {b}."])
        return self.dressed(wording.format(a=first, b=last)), ", ".join(map(str, range(first, last + 1)))

    def small_talk(self):
        rng = self.rng
        if rng.random() < 0.2:
            return self.dressed(rng.choice(UNKNOWN)), UNKNOWN_ANSWER
        question, answer = rng.choice(GREETINGS)
        return question + rng.choice(["", "", ".", "!"]) if question[-1] != "?" else self.dressed(question), answer

    def product(self):
        """A question that only a calculator can answer, its expression, and its value."""
        rng = self.rng
        if rng.random() < 0.7:
            a, b = rng.randrange(2, 10 ** rng.randrange(1, 4) + 2), rng.randrange(2, 10 ** rng.randrange(1, 4) + 2)
            return rng.choice(PRODUCT_WORDINGS).format(a=a, b=b), f"{a} * {b}", a * b
        b, q = rng.randrange(2, 100), rng.randrange(2, 100)
        return rng.choice(QUOTIENT_WORDINGS).format(a=b * q, b=b), f"{b * q} / {b}", q

    def any_question(self):
        if self.rng.random() < self.facts:
            return self.fact()
        return self.rng.choices([self.arithmetic, self.list_task, self.small_talk, self.counting], [22, 25, 4, 1])[0]()

    # -- conversations ------------------------------------------------------------------------------------------------------

    def conversation(self):
        """One conversation of a few turns; the mixture of kinds is the one of the training text."""
        rng = self.rng
        kind = rng.choices([self.plain, self.with_names, self.with_memory, self.with_closing, self.with_follow_up, self.with_tools],
                           [73, 9, 4, 3, 6, 5])[0]
        return kind()

    def system(self):
        return [{"role": "system", "content": self.rng.choice(SYSTEMS)}] if self.rng.random() < 0.15 else []

    def turns(self, n):
        messages = []
        for _ in range(n):
            question, answer = self.any_question()
            messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        return messages

    def plain(self):
        return {"tools": None, "messages": self.system() + self.turns(self.rng.choices([1, 2, 3, 5, 8], [55, 20, 12, 8, 5])[0])}

    def name(self):
        """A usual name or an invented one: from the usual ones alone the model would learn a list instead of copying."""
        rng = self.rng
        if rng.random() < 0.35:
            return rng.choice(NAMES)
        syllables = [rng.choice("b d f g h j k l m n p r s t v w br dr fl gr kr st tr".split()) + rng.choice("aeiou") for _ in range(3)]
        name = "".join(syllables[:rng.choice([1, 2, 2, 3])]) + rng.choice(["", "", *"lmnrstdk"])
        name = (rng.choice(["", "", "", *"aeiou"]) + name).title()
        return self.name() if name in HELD_OUT_NAMES else name

    def with_names(self):
        """The user gives a name and asks for it later, or the system prompt names the model."""
        rng = self.rng
        name = self.name()
        ask = rng.choice(["What is my name?", "Do you know my name?", "Who am I?", "Do you remember my name?"])
        r = rng.random()
        if r < 0.12:
            return {"tools": None, "messages": self.system() + self.turns(rng.randrange(2)) +
                    [{"role": "user", "content": ask}, {"role": "assistant", "content": "You have not told me your name."}]}
        if r < 0.6:
            tell = rng.choice(["My name is {}.", "I am {}.", "Hello, I am {}.", "Hi! My name is {}.", "Call me {}."]).format(name)
            return {"tools": None, "messages": self.system() +
                    [{"role": "user", "content": tell}, {"role": "assistant", "content": f"Hello {name}!"}] +
                    self.turns(rng.choice([0, 0, 1, 2, 4])) +
                    [{"role": "user", "content": ask}, {"role": "assistant", "content": f"Your name is {name}."}]}
        given = rng.choice(["Your name is {}.", "You are {}.", "You are an assistant. Your name is {}.", "You are called {}."]).format(name)
        ask = rng.choice(["What is your name?", "What are you called?", "Do you have a name?", "Tell me your name."])
        return {"tools": None, "messages": [{"role": "system", "content": given}] + self.turns(rng.choice([0, 0, 1, 2])) +
                [{"role": "user", "content": ask}, {"role": "assistant", "content": f"My name is {name}."}]}

    def with_memory(self):
        rng = self.rng
        thing = str(self.operand()) if rng.random() < 0.5 else rng.choice(WORDS)
        kind = "number" if thing.isdigit() else "word"
        tell = rng.choice(["Remember the {k} {t}.", "Please remember the {k} {t}.", "The {k} is {t}. Remember it."]).format(k=kind, t=thing)
        ask = rng.choice(["What was the {k}?", "Which {k} did I ask you to remember?", "What is the {k}?", "Tell me the {k}."]).format(k=kind)
        return {"tools": None, "messages": self.system() + self.turns(rng.randrange(2)) +
                [{"role": "user", "content": tell}, {"role": "assistant", "content": f"I will remember {thing}."}] +
                self.turns(rng.choice([0, 0, 1, 2, 4])) +
                [{"role": "user", "content": ask}, {"role": "assistant", "content": f"The {kind} is {thing}."}]}

    def with_closing(self):
        """A system prompt that changes every answer."""
        rng = self.rng
        word = rng.choice(CLOSINGS)
        messages = self.turns(rng.randrange(1, 4))
        for m in messages[1::2]:
            m["content"] += f" {word}."
        told = rng.choice(["End every answer with {}.", "Always end with the word {}.", "Close each answer with {}."]).format(word)
        return {"tools": None, "messages": [{"role": "system", "content": told}] + messages}

    def with_follow_up(self):
        """Goes on calculating with the last result."""
        rng = self.rng
        a, b = self.operands(True)
        messages = self.system() + [{"role": "user", "content": self.rng.choice(SUM_WORDINGS).format(a=a, b=b)},
                                    {"role": "assistant", "content": f"{a} + {b} = {a + b}."}]
        total = a + b
        for _ in range(rng.randrange(1, 3)):
            is_sum = rng.random() < 0.6
            while True:
                c = self.operand()
                if (min(total, c), max(total, c)) not in HELD_OUT_SUMS and (is_sum or c <= total):
                    break
            wording = rng.choice(["Now add {}.", "Add {} to that.", "And plus {}?", "Plus {}?"] if is_sum else
                                 ["Now subtract {}.", "Subtract {} from that.", "And minus {}?", "Minus {}?"])
            result = total + c if is_sum else total - c
            messages += [{"role": "user", "content": wording.format(c)},
                         {"role": "assistant", "content": f"{total} {'+' if is_sum else '-'} {c} = {result}."}]
            total = result
        return {"tools": None, "messages": messages}

    def tools(self, with_calculator):
        rng = self.rng
        tools = [function_tool(n, d, p, required=rng.random() < 0.8)
                 for n, d, p in rng.sample(OTHER_TOOLS, rng.choice([0, 0, 0, 1, 2] if with_calculator else [1, 1, 2]))]
        if with_calculator:
            tools.append(function_tool("calculator", rng.choice(CALCULATOR_TEXTS), "expression",
                                       rng.choice(EXPRESSION_TEXTS) if rng.random() < 0.4 else None, rng.random() < 0.8))
        rng.shuffle(tools)
        return tools

    def with_tools(self):
        """With a calculator every calculation is a call; without one, products are out of reach."""
        rng = self.rng
        if rng.random() < 0.2:
            question, _, _ = self.product()
            verb = "divide" if " / " in question or "ivide" in question else "multiply"
            return {"tools": None if rng.random() < 0.6 else self.tools(False), "messages": self.system() +
                    [{"role": "user", "content": question}, {"role": "assistant", "content": f"I cannot {verb} without a calculator."}]}
        messages = self.system()
        for _ in range(rng.choice([1, 1, 2])):
            if rng.random() < 0.2:
                question, answer = rng.choice([self.fact, self.small_talk, self.list_task])()
                messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
                continue
            if rng.random() < 0.6:
                question, expression, value = self.product()
                question = self.dressed(question)
            else:
                question, answer = self.arithmetic()
                expression, value = answer.rstrip(".").split(" = ")
            result = rng.choice(["{}", "{}", '{{"result": {}}}', "The result is {}."]).format(value)
            messages += [{"role": "user", "content": question}, calculator_call(expression), {"role": "tool", "content": result},
                         {"role": "assistant", "content": f"{expression} = {value}."}]
        return {"tools": self.tools(True), "messages": messages}


def held_out_tests():
    """The tests as they stand in heldout.json: an answer is right if it contains one of the `accept` strings."""
    rng = random.Random(SEED + 2)
    ask = lambda text, accept: {"messages": [{"role": "user", "content": text}], "accept": accept}

    sums = []
    for i, (a, b) in enumerate(sorted(HELD_OUT_SUMS)):
        if i % 2 and (a, b) != (17, 25):
            a, b = b, a
        sums.append(ask(f"What is {a} + {b}?", [f"= {a + b}."]))
    facts = [ask(f[3][held_out_wording(i)], f[2]) for i, f in enumerate(FACTS)]

    three_digits, differences, sorting, reversing, names, products = [], [], [], [], [], []
    for _ in range(100):
        a, b = rng.randrange(100, 1000), rng.randrange(100, 1000)
        three_digits.append(ask(f"What is {a} + {b}?", [f"= {a + b}."]))
        a, b = rng.randrange(10, 1000), rng.randrange(10, 1000)
        a, b = max(a, b), min(a, b)
        differences.append(ask(f"What is {a} - {b}?", [f"= {a - b}."]))
    for kind, items in held_out_lists():
        text = ", ".join(map(str, items))
        sorting.append(ask(f"Sort {text}.", ["Sorted: " + ", ".join(map(str, sorted(items)))]))
        reversing.append(ask(f"Reverse {text}.", ["Reversed: " + ", ".join(map(str, items[::-1]))]))
    for name in HELD_OUT_NAMES:
        names.append({"messages": [{"role": "user", "content": f"My name is {name}."}, {"role": "assistant", "content": f"Hello {name}!"},
                                   {"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": "2 + 2 = 4."},
                                   {"role": "user", "content": "What is my name?"}], "accept": [f"Your name is {name}."]})
    tool = function_tool("calculator", "Evaluates an arithmetic expression.", "expression")
    for _ in range(20):
        a, b = rng.randrange(11, 1000), rng.randrange(11, 1000)
        question = {"role": "user", "content": f"What is {a} * {b}?"}
        products.append({"tools": [tool], "messages": [question],
                         "accept": [f'{{"name": "calculator", "arguments": {{"expression": "{a} * {b}"}}}}']})
        products.append({"tools": [tool], "messages": [question, calculator_call(f"{a} * {b}"), {"role": "tool", "content": str(a * b)}],
                         "accept": [f"{a} * {b} = {a * b}."]})
    groups = [("two_digit_additions", 0.95, sums), ("fact_wordings", 0.90, facts), ("three_digit_additions", 0.90, three_digits),
              ("differences", 0.90, differences), ("sorting", 0.85, sorting), ("reversing", 0.90, reversing),
              ("remembered_names", 0.80, names), ("calculator", 0.90, products)]
    return {"seed": SEED, "groups": [{"name": n, "minimum": m, "cases": c} for n, m, c in groups]}


def write_held_out(path):
    with open(path, "w", encoding="utf-8") as out:
        tests = held_out_tests()
        out.write('{"seed": %d, "groups": [\n' % tests["seed"])
        for k, group in enumerate(tests["groups"]):
            out.write('{"name": "%s", "minimum": %.2f, "cases": [\n' % (group["name"], group["minimum"]))
            out.write(",\n".join(json.dumps(c, ensure_ascii=False) for c in group["cases"]))
            out.write("\n]}" + (",\n" if k + 1 < len(tests["groups"]) else "\n"))
        out.write("]}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--show", type=int, default=0)
    parser.add_argument("--heldout")
    args = parser.parse_args()
    if args.heldout:
        write_held_out(args.heldout)
    generator = Generator(SEED + 3)
    for _ in range(args.show):
        print(json.dumps(generator.conversation(), ensure_ascii=False))


if __name__ == "__main__":
    main()
