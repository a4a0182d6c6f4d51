"""Varies questions so that a small model learns to listen to their key words.

Everything here is deterministic for a given random.Random. The rewritings are general rules ("Which X" becomes "What X", "Name X"
becomes "List X"); none of them knows a fact. The caller rejects any result that contains a held-out wording (see `normalise`).
"""

import re

PREFIXES = ["Please tell me: ", "Hi! ", "Hello, ", "Tell me: ", "Quick question: ", "I want to know: ", "Hey, ", "One question: ",
            "Please answer: ", "Another question: ", "OK, ", "Next: ", "Now, ", "And "]
SUFFIXES = [" Please.", " Thanks.", " Thank you.", " Tell me.", " I forgot."]
DROPPABLE = {"the", "a", "an", "of", "do", "does", "is", "are", "in", "to", "i", "me", "that", "for", "my", "have", "has", "what",
             "which", "on", "with", "use", "vkinfer", "you", "where", "how", "name", "explain", "tell", "was", "were", "there", "by", "and", "list"}
SYNONYMS = {"license": ["licence"], "licence": ["license"], "large": ["big"], "folder": ["directory"], "choose": ["pick", "select"],
            "option": ["flag"], "shows": ["prints"], "lists": ["shows"], "sets": ["changes"], "use": ["take"], "supported": ["possible"],
            "which": ["what"], "explain": ["describe"], "name": ["list", "tell me"], "list": ["name"], "does": ["will"],
            "start": ["begin"], "place": ["location"], "called": ["named"], "have": ["use"], "default": ["standard"]}

KEY_FRAMES = ["{}", "{}?", "What about {}?", "Tell me about {}.", "Which {}?", "What is {}?", "Explain {}.", "How is {}?", "I mean {}.",
              "Where is {}?", "Name {}.", "{}, please."]

# (pattern, replacements): the first group is what the question is about.
FRAMES = [
    (r"^What is (.*)\?$", ["What's {}?", "Tell me {}.", "Do you know {}?", "I want to know {}.", "Can you tell me {}?", "{}?",
                           "Explain {}.", "Name {}.", "Could you tell me what {} is?"]),
    (r"^What are (.*)\?$", ["Tell me {}.", "Do you know {}?", "List {}.", "Can you tell me {}?", "{}?", "Explain {}.", "Name {}."]),
    (r"^Which (.*)\?$", ["What {}?", "Do you know which {}?", "Tell me which {}.", "Can you tell me what {}?"]),
    (r"^What (\w+ (?!is |are |does |do ).*)\?$", ["Which {}?", "Do you know what {}?", "Tell me what {}."]),
    (r"^Explain (.*)\.$", ["What is {}?", "Describe {}.", "Tell me about {}.", "Can you explain {}?", "What does {} mean?", "{}?"]),
    (r"^Name (.*)\.$", ["What is {}?", "List {}.", "Tell me {}.", "Can you name {}?", "What are {}?", "Give me {}."]),
    (r"^List (.*)\.$", ["What are {}?", "Name {}.", "Tell me {}.", "Can you list {}?", "Give me {}."]),
    (r"^Tell me (.*)\.$", ["I want to know {}.", "Do you know {}?", "Can you tell me {}?"]),
    (r"^How do I (.*)\?$", ["How can I {}?", "How to {}?", "Tell me how to {}.", "I want to {}. How?", "What do I do to {}?"]),
    (r"^Where is (.*)\?$", ["Where do I find {}?", "Where can I find {}?", "In which folder is {}?", "Tell me where {} is."]),
    (r"^What does (.*) do\?$", ["What is {} for?", "Explain {}.", "What is the use of {}?", "Tell me what {} does."]),
    (r"^What is (.*) for\?$", ["What does {} do?", "Explain {}.", "Why is there {}?", "When do I use {}?"]),
    (r"^With which option do I choose (.*)\?$", ["Which option chooses {}?", "How do I choose {}?", "What option is for {}?"]),
    (r"^What option do I use for (.*)\?$", ["Which option is for {}?", "How do I set {}?", "I need an option for {}."]),
    (r"^Which option sets (.*)\?$", ["How do I set {}?", "What option changes {}?", "Is there an option for {}?"]),
    (r"^What is (.*) set to by default\?$", ["What default does {} have?", "{} default?", "How high is {} by default?"]),
    (r"^Which library does vkinfer use for (.*)\?$", ["What library is for {}?", "Which library does {} come from?"]),
]


# Words that may stand in any question without changing what it asks.
FILLERS = ("really actually exactly just now here today again usually normally please currently maybe anyway simply generally still "
           "then well basically quickly briefly once precisely in_short by_the_way in_fact for_example as_far_as_you_know at_all "
           "I_wonder you_know right_now in_vkinfer with_vkinfer of_vkinfer that_vkinfer_has that_is_used that_I_need understands "
           "should_be when_needed for_that of_this these those its some any").split()


def normalise(text: str) -> str:
    """Words only, lower case: two texts that differ in case and punctuation are the same wording."""
    return " ".join(re.findall(r"[a-z0-9+/_.:-]*[a-z0-9]", text.lower().replace("'s ", " is ")))


def reframe(rng, text: str) -> str:
    """Another frame around the same subject, when a rule matches."""
    matching = [(m, outs) for pattern, outs in FRAMES if (m := re.match(pattern, text))]
    if not matching:
        return text
    match, outs = rng.choice(matching)
    result = rng.choice(outs).format(match.group(1))
    return result[0].upper() + result[1:]


def noisy(rng, text: str) -> str:
    """Drops or inserts small words, swaps synonyms, or makes a typing error."""
    words = text.split(" ")
    if rng.random() < 0.3:  # the key words alone, in any order, in any frame
        words = [w for w in re.findall(r"[\w/.+-]*\w", text) if w.lower() not in DROPPABLE] or words
        if rng.random() < 0.4:
            rng.shuffle(words)
        return rng.choice(KEY_FRAMES).format(" ".join(words))
    if rng.random() < 0.4:
        words = [rng.choice(SYNONYMS[w.lower()]) if w.lower() in SYNONYMS and rng.random() < 0.5 else w for w in words]
    if rng.random() < 0.4:
        kept = [w for w in words if w.lower() not in DROPPABLE or rng.random() > 0.4]
        words = kept if len(kept) >= 2 else words
    if rng.random() < 0.3:
        for _ in range(rng.choice([1, 1, 2])):
            words.insert(rng.randrange(len(words) + 1), rng.choice(FILLERS).replace("_", " "))
    if len(words) > 3 and rng.random() < 0.06:
        i = rng.randrange(len(words) - 1)
        words[i], words[i + 1] = words[i + 1], words[i]
    if rng.random() < 0.06:
        i = rng.randrange(len(words))
        w = words[i]
        if len(w) > 4 and w.isalpha():
            k = rng.randrange(1, len(w) - 1)
            words[i] = w[:k] + rng.choice([w[k + 1:], w[k + 1] + w[k] + w[k + 2:]])
    return " ".join(words)


def dress(rng, text: str) -> str:
    """Case, punctuation, and something polite around a question: changes no word of it."""
    r = rng.random()
    if r < 0.25:
        text = text.lower()
    elif r < 0.27:
        text = text.upper()
    r = rng.random()
    if r < 0.2:
        text = text.rstrip("?.")
    elif r < 0.25:
        text = text.rstrip("?.") + rng.choice(["??", "!", " ?", "?!"])
    if rng.random() < 0.15:
        text = rng.choice(PREFIXES) + text
    if rng.random() < 0.06:
        text = text + ("" if text[-1] in ".?!" else ".") + rng.choice(SUFFIXES)
    return text
