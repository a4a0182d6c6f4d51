// The terminal chat over a pipe and a toy engine.
#include "tools/chat_command.h"

#include "runtime/fake_engine.h"
#include "tools/answer.h"
#include "tools/interrupt.h"

#include <array>
#include <atomic>
#include <csignal>
#include <doctest/doctest.h>
#include <thread>
#include <unistd.h>

using namespace vkinfer;
using namespace vkinfer::tools;
using namespace vkinfer::runtime::test;

namespace {

/// A pipe whose reading end a LineReader takes.
struct Pipe {
    Pipe() { REQUIRE(::pipe(ends.data()) == 0); }
    ~Pipe() {
        close_input();
        ::close(ends[0]);
    }
    void write(std::string_view text) {
        REQUIRE(::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    }
    void close_input() {
        if (ends[1] >= 0) ::close(ends[1]);
        ends[1] = -1;
    }
    std::array<int, 2> ends{-1, -1};
};

/// Answers the number of messages it has seen: the toy template puts the whole conversation in front of '>'.
runtime::Token count_messages(const std::vector<runtime::Token>& tokens) {
    int n = 0;
    std::string text;
    for (const auto token : tokens) text.push_back(static_cast<char>(token));
    for (size_t i = text.find("\"role\""); i != std::string::npos; i = text.find("\"role\"", i + 1)) ++n;
    return text.ends_with('>') ? static_cast<runtime::Token>('0' + n) : kEnd;
}

std::string converse(std::string_view input, const ChatOptions& options, FakeRunner::Next next, int* status = nullptr) {
    const auto engine = fake_engine({.n_ctx = 4096, .max_sequences = 1, .max_batch = 512}, std::move(next));
    Pipe pipe;
    pipe.write(input);
    pipe.close_input();
    LineReader reader(pipe.ends[0]);
    std::string output;
    ChatOptions used = options;
    used.sampling.temperature = 0;
    const int result = chat(*engine, used, reader, [&](std::string_view text) { output += text; });
    if (status != nullptr) *status = result;
    return output;
}

} // namespace

TEST_CASE("chat: each line is a message, and the conversation goes on") {
    CHECK(converse("hello\nagain\nand again", {}, count_messages) == "1\n3\n5\n");
    CHECK(converse("hello\n/reset\nanew\n/exit\nnever\n", {}, count_messages) == "1\n1\n");
    CHECK(converse("hello\n/system be brief\nanew\n", {.system = "be long"}, count_messages) == "2\n2\n");
    CHECK(converse("", {}, count_messages).empty());
    CHECK(converse("\n\n", {}, count_messages).empty());
    CHECK(converse("one\\\ntwo\n", {}, count_messages) == "1\n"); // one message of two lines
}

TEST_CASE("chat: an error ends the message and not the chat") {
    int status = -1;
    CHECK(converse("REFUSE this\nhello\n", {}, count_messages, &status) == "1\n"); // the refused one is not remembered
    CHECK(status == 0);
    CHECK(converse("REFUSE this\n", {}, count_messages, &status).empty());
    CHECK(status == 1);
}

TEST_CASE("chat: a terminal gets a prompt") {
    const std::string output = converse("hello\n", {.is_terminal = true}, count_messages);
    CHECK(output == "/help lists the commands.\n> 1\n> \n");
}

TEST_CASE("chat: Ctrl-C stops the answer, twice at the prompt leaves") {
    catch_interrupts();
    // Endless and slow, until it is stopped; then one that ends at once.
    const auto next = [](const std::vector<runtime::Token>& tokens) -> runtime::Token {
        const std::string text(tokens.begin(), tokens.end());
        if (text.contains("stop now")) return text.ends_with('>') ? '!' : kEnd;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        return 'x';
    };
    const auto engine = fake_engine({.n_ctx = 1 << 16, .max_sequences = 1, .max_batch = 512}, next);
    Pipe pipe;
    pipe.write("go on for ever\n");
    LineReader reader(pipe.ends[0]);
    std::string output;
    std::atomic<int> n_pieces = 0;
    std::atomic<bool> waits = false, has_left = false;
    const pthread_t chatter = pthread_self();
    std::thread user([&] {
        while (n_pieces < 4) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        ::raise(SIGINT); // to this thread: the answer is being waited for by condition variable
        pipe.write("stop now\n");
        // Two at the prompt, each to the thread that reads.
        while (!has_left) {
            if (waits) ::pthread_kill(chatter, SIGINT);
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
    });
    ChatOptions options{.is_terminal = true};
    options.sampling.temperature = 0;
    const int status = chat(*engine, options, reader, [&](std::string_view text) {
        output += text;
        ++n_pieces;
        if (output.contains("!\n> ")) waits = true;
    });
    has_left = true;
    user.join();
    ::signal(SIGINT, SIG_DFL);
    CHECK(status == 0);
    CHECK(output.contains("xx"));
    CHECK(output.contains(" [stopped]\n> !\n"));
    CHECK(output.contains("(Ctrl-C again or /exit to leave)"));
}

TEST_CASE("answers: timings and messages") {
    CHECK(timing_text({.prompt_tokens = 20,
                       .cached_tokens = 10,
                       .completion_tokens = 11,
                       .prompt_ms = 100,
                       .completion_ms = 500}) ==
          "[prompt 20 tokens (10 cached), 100.0 t/s; answer 11 tokens, 20.0 t/s]");
    Conversation conversation("be \"good\"");
    conversation.add("user", "line\none\t\x01");
    CHECK(conversation.json() ==
          R"([{"role":"system","content":"be \"good\""},{"role":"user","content":"line\none\u0009\u0001"}])");
    conversation.remove_last();
    conversation.set_system("");
    CHECK(conversation.json() == "[]");
}
