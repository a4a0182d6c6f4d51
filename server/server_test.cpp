// The whole server over sockets: what clients do, and what they should not do.
#include "server/server.h"

#include "base/error.h"
#include "server/testing/fake_generator.h"
#include "server/testing/raw_client.h"

#include <csignal>
#include <doctest/doctest.h>
#include <format>
#include <thread>
#include <unistd.h>

using namespace vkinfer;
using namespace vkinfer::server;
using namespace std::chrono_literals;

namespace {

struct Rig {
    std::shared_ptr<FakeGenerator> model;
    Server server;
    uint16_t port;
    std::jthread thread;

    explicit Rig(ServerConfig config = {}, FakeConfig fake = {})
        : model(std::make_shared<FakeGenerator>(fake)), server(on_free_port(std::move(config)), Log()) {
        server.set_model(model);
        server.listen();
        port = server.port();
        thread = std::jthread([this] { server.run(); });
    }
    ~Rig() {
        server.stop();
        thread.join();
        CHECK(wait_for([&] { return model->n_running() == 0; }));
    }

    static ServerConfig on_free_port(ServerConfig config) {
        config.port = 0;
        config.n_threads = 3;
        return config;
    }

    template<class Condition>
    static bool wait_for(Condition condition, std::chrono::milliseconds timeout = 10s) {
        const auto end = std::chrono::steady_clock::now() + timeout;
        while (!condition()) {
            if (std::chrono::steady_clock::now() > end) return false;
            std::this_thread::sleep_for(1ms);
        }
        return true;
    }

    /// Ends the server and says whether run() returned in time.
    bool ends_within(std::chrono::milliseconds timeout) {
        std::atomic<bool> ended = false;
        std::jthread waiter([&] {
            thread.join();
            ended = true;
        });
        const bool in_time = wait_for([&] { return ended.load(); }, timeout);
        if (!in_time) server.stop();
        waiter.join();
        thread = std::jthread([] {});
        return in_time;
    }
};

ServerConfig with(void (*change)(Limits&)) {
    ServerConfig config;
    change(config.limits);
    return config;
}

std::string prompt(std::string_view text, bool stream = false) {
    return std::format(R"({{"prompt":"{}","stream":{}}})", text, stream);
}

constexpr const char* kPath = "/v1/completions";

} // namespace

TEST_CASE("one connection carries many requests") {
    Rig rig;
    RawClient client(rig.port);
    for (int i = 0; i < 3; ++i) {
        const RawResponse health = client.get("/health");
        CHECK(health.status == 200);
        CHECK(health.headers.at("connection") == "keep-alive");
        CHECK(health.headers.at("content-type").starts_with("application/json"));
        CHECK(health.headers.contains("access-control-allow-origin"));
        const RawResponse answer = client.post(kPath, prompt("count 3"));
        CHECK(answer.status == 200);
        CHECK(answer.body.contains("1 2 3 "));
        const RawResponse stream = client.post(kPath, prompt("count 3", true));
        CHECK(stream.status == 200);
        CHECK(stream.complete);
        CHECK(stream.headers.at("content-type") == "text/event-stream");
        CHECK(stream.body.ends_with("data: [DONE]\n\n"));
        CHECK(client.get("/nowhere").status == 404);
        CHECK(client.get(kPath).status == 405);
    }
    const RawResponse last = client.get("/health", "Connection: close\r\n");
    CHECK(last.headers.at("connection") == "close");
    CHECK(client.is_closed_within(5s));
}

TEST_CASE("requests may be sent before the answers are read") {
    Rig rig;
    RawClient client(rig.port);
    CHECK(client.send_post(kPath, prompt("slow 5", true)));
    CHECK(client.read_until("data: "));
    CHECK(client.send_post(kPath, prompt("count 2")));
    CHECK(client.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /v1/mod"));
    CHECK(client.send("els HTTP/1.1\r\nHost: x\r\n\r\n"));
    CHECK(client.read_response().body.ends_with("[DONE]\n\n"));
    CHECK(client.read_response().body.contains("1 2 "));
    CHECK(client.read_response().body == R"({"status":"ok"})");
    CHECK(client.read_response().body.contains("\"fake\""));
}

TEST_CASE("requests that arrive byte by byte") {
    Rig rig;
    RawClient client(rig.port);
    const std::string body = prompt("count 2");
    const std::string request =
        std::format("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{}", kPath, body.size(), body);
    for (const char c : request) {
        CHECK(client.send(std::string_view(&c, 1)));
        std::this_thread::sleep_for(1ms);
    }
    CHECK(client.read_response().body.contains("1 2 "));
}

TEST_CASE("a chunked request body, and one announced by Expect") {
    Rig rig;
    RawClient client(rig.port);
    CHECK(client.send(std::format("POST {} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", kPath)));
    CHECK(client.send("b\r\n{\"prompt\":\"\r\n9\r\ncount 2\"}\r\n0\r\n\r\n"));
    CHECK(client.read_response().body.contains("1 2 "));

    const std::string body = prompt("count 3");
    CHECK(client.send(std::format("POST {} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
                                  kPath, body.size())));
    CHECK(client.read_response().status == 100);
    CHECK(client.send(body));
    CHECK(client.read_response().body.contains("1 2 3 "));

    CHECK(client.send(
        std::format("POST {} HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\nContent-Length: 2\r\n\r\n", kPath)));
    CHECK(client.read_response().status == 417);
}

TEST_CASE("HEAD, OPTIONS and HTTP/1.0") {
    Rig rig;
    {
        RawClient client(rig.port);
        CHECK(client.send("HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n"));
        CHECK(client.read_response(true).headers.at("content-length") == "15");
        CHECK(client.send("OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: x\r\n\r\n"));
        const RawResponse preflight = client.read_response();
        CHECK(preflight.status == 204);
        CHECK(preflight.headers.at("access-control-allow-methods").contains("POST"));
        CHECK(client.get("/health").status == 200);
    }
    RawClient old(rig.port);
    const std::string body = prompt("count 3", true);
    CHECK(old.send(std::format("POST {} HTTP/1.0\r\nContent-Length: {}\r\n\r\n{}", kPath, body.size(), body)));
    const RawResponse stream = old.read_response();
    CHECK_FALSE(stream.headers.contains("transfer-encoding"));
    CHECK(stream.complete);
    CHECK(stream.body.ends_with("[DONE]\n\n"));
}

TEST_CASE("what is not HTTP gets 400 and the connection ends") {
    Rig rig;
    using namespace std::string_literals; // for the zero bytes
    for (const std::string& garbage :
         {"hello\r\n\r\n"s, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 tls?"s, "GET / HTTP/9.9\r\n\r\n"s,
          "GET /health HTTP/1.1\r\nbad header\r\n\r\n"s, "POST /v1/completions HTTP/1.1\r\nContent-Length: -3\r\n\r\n"s,
          "POST /v1/completions HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n"s,
          "POST /v1/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"s, "\0\0\0\0\r\n\r\n"s}) {
        CAPTURE(garbage);
        RawClient client(rig.port);
        CHECK(client.send(garbage));
        const RawResponse answer = client.read_response();
        CHECK(answer.status == 400);
        CHECK(answer.body.contains("\"error\""));
        CHECK(answer.headers.at("connection") == "close");
        client.close();
    }
    CHECK(RawClient(rig.port).get("/health").status == 200);
}

TEST_CASE("bodies and headers beyond their limits") {
    Rig rig(with([](Limits& limits) {
        limits.body_bytes = 100'000;
        limits.header_bytes = 4096;
        limits.linger_timeout = 500ms;
    }));
    {
        RawClient client(rig.port);
        client.send_post(kPath, std::string(3'000'000, 'x'));
        const RawResponse answer = client.read_response();
        CHECK(answer.status == 413);
        CHECK(answer.body.contains("100000"));
    }
    {
        RawClient client(rig.port); // too large, but only found out on the way
        client.send(std::format("POST {} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", kPath));
        const std::string piece = "4000\r\n" + std::string(0x4000, 'x') + "\r\n";
        for (int i = 0; i < 20; ++i) client.send(piece);
        CHECK(client.read_response().status == 413);
    }
    {
        RawClient client(rig.port);
        client.send("GET /health HTTP/1.1\r\nX: " + std::string(100'000, 'y') + "\r\n\r\n");
        CHECK(client.read_response().status == 431);
    }
    CHECK(RawClient(rig.port).post(kPath, "{\"x\":\"" + std::string(90'000, 'x') + "\"}").status == 400);
}

TEST_CASE("all bodies together have a limit") {
    Rig rig(with([](Limits& limits) { limits.all_bodies_bytes = 100'000; }));
    RawClient first(rig.port);
    first.send(std::format("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 90001\r\n\r\n", kPath));
    first.send(std::string(90'000, ' '));
    // The first one's bytes are counted when a second small one still fits and a large one does not.
    CHECK(Rig::wait_for([&] {
        const RawResponse answer = RawClient(rig.port).post(kPath, std::string(50'000, ' '));
        return answer.status == 503 && answer.headers.contains("retry-after");
    }));
    first.close();
    CHECK(Rig::wait_for([&] { return RawClient(rig.port).post(kPath, std::string(50'000, ' ')).status == 400; }));
}

TEST_CASE("slow clients are dropped") {
    Rig rig(with([](Limits& limits) {
        limits.idle_timeout = 200ms;
        limits.header_timeout = 200ms;
        limits.read_timeout = 200ms;
        limits.linger_timeout = 200ms;
    }));
    RawClient silent(rig.port);
    RawClient loris(rig.port);
    RawClient half(rig.port);
    loris.send("GET /health HTTP/1.1\r\n");
    half.send(std::format("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{", kPath));
    // A header line now and then does not help: the limit is for all headers.
    for (int i = 0; i < 20 && loris.send("X-A: b\r\n"); ++i) std::this_thread::sleep_for(30ms);
    CHECK(silent.is_closed_within(5s));
    CHECK(loris.is_closed_within(5s));
    CHECK(half.is_closed_within(5s));
    CHECK(RawClient(rig.port).get("/health").status == 200);
}

TEST_CASE("two streams progress at the same time") {
    Rig rig;
    RawClient first(rig.port);
    RawClient second(rig.port);
    first.send_post(kPath, prompt("slow 40", true));
    CHECK(first.read_until("\"1 \""));
    second.send_post(kPath, prompt("slow 5", true));
    CHECK(second.read_response().body.ends_with("[DONE]\n\n"));
    // The first began earlier, ends later, and went on in between.
    CHECK(rig.model->n_running() == 1);
    CHECK(first.read_until("\"5 \""));
    CHECK(RawClient(rig.port).get("/health").status == 200);
    const RawResponse answer = first.read_response();
    CHECK(answer.complete);
    CHECK(answer.body.contains("\"40 \""));
}

TEST_CASE("a client that leaves in mid-stream cancels its request") {
    Rig rig;
    for (const bool stream : {true, false}) {
        for (const bool reset : {true, false}) {
            CAPTURE(stream);
            CAPTURE(reset);
            const int before = rig.model->n_cancelled();
            RawClient client(rig.port);
            client.send_post(kPath, prompt(stream ? "slow 400" : "sleep 60000", stream));
            if (stream) {
                CHECK(client.read_until("\"2 \""));
            } else {
                CHECK(Rig::wait_for([&] { return rig.model->n_running() == 1; }));
            }
            reset ? client.reset() : client.close();
            CHECK(Rig::wait_for([&] { return rig.model->n_cancelled() == before + 1; }));
            CHECK(Rig::wait_for([&] { return rig.model->n_running() == 0; }));
        }
    }
    CHECK(RawClient(rig.port).get("/health").status == 200);
}

TEST_CASE("a client that does not read its stream is cancelled") {
    Rig rig(with([](Limits& limits) { limits.write_timeout = 300ms; }), {.n_ctx = 100'000'000});
    RawClient client(rig.port);
    client.limit_receive_buffer(4096);
    client.send_post(kPath, prompt("count 100000", true));
    CHECK(Rig::wait_for([&] { return rig.model->n_cancelled() == 1; }));
    CHECK(RawClient(rig.port).get("/health").status == 200);
}

TEST_CASE("a full backlog cancels the request") {
    Rig rig(with([](Limits& limits) { limits.backlog_bytes = 20'000; }), {.n_ctx = 100'000'000});
    RawClient client(rig.port);
    client.limit_receive_buffer(4096);
    client.send_post(kPath, prompt("count 100000", true));
    CHECK(Rig::wait_for([&] { return rig.model->n_cancelled() == 1; }));
    const RawResponse answer = client.read_response();
    CHECK(answer.complete);
    CHECK(answer.body.contains("reads too slowly"));
}

TEST_CASE("errors before and within a stream") {
    Rig rig;
    RawClient client(rig.port);
    const RawResponse at_once = client.post(kPath, prompt("fail now", true));
    CHECK(at_once.status == 500);
    CHECK(at_once.body.contains("device_lost"));
    const RawResponse within = client.post(kPath, prompt("fail", true));
    CHECK(within.status == 200);
    CHECK(within.complete);
    CHECK(within.body.contains("one "));
    CHECK(within.body.contains("data: {\"error\":{"));
    CHECK_FALSE(within.body.contains("[DONE]"));
    CHECK(client.post(kPath, prompt("fail")).status == 500);
    CHECK(client.get("/health").status == 200);
}

TEST_CASE("a stream that has nothing to say sends comments") {
    Rig rig(with([](Limits& limits) { limits.ping_interval = 50ms; }));
    RawClient client(rig.port);
    const RawResponse answer = client.post(kPath, prompt("sleep 300", true));
    CHECK(answer.body.starts_with(": ping\n\n"));
    CHECK(answer.body.contains("awake"));
    CHECK(answer.body.ends_with("[DONE]\n\n"));
}

TEST_CASE("a full queue") {
    Rig rig({}, {.max_queued = 1});
    RawClient first(rig.port);
    first.send_post(kPath, prompt("sleep 60000"));
    CHECK(Rig::wait_for([&] { return rig.model->n_running() == 1; }));
    RawClient second(rig.port);
    const RawResponse refused = second.post(kPath, prompt("count 1", true));
    CHECK(refused.status == 503);
    CHECK(refused.headers.at("retry-after") == "1");
    CHECK(second.get("/health").status == 200);
}

TEST_CASE("too many connections") {
    Rig rig(with([](Limits& limits) { limits.connections = 2; }));
    RawClient first(rig.port);
    RawClient second(rig.port);
    CHECK(first.get("/health").status == 200);
    CHECK(second.get("/health").status == 200);
    RawClient third(rig.port);
    CHECK(third.read_response().status == 503);
    first.close();
    second.close();
    third.close();
    CHECK(Rig::wait_for([&] { return RawClient(rig.port).get("/health").status == 200; }));
}

TEST_CASE("keys") {
    ServerConfig config;
    config.api_keys = {"secret"};
    Rig rig(config);
    RawClient client(rig.port);
    CHECK(client.get("/health").status == 200);
    CHECK(client.get("/v1/models").status == 401);
    CHECK(client.get("/v1/models", "Authorization: Bearer secret\r\n").status == 200);
    CHECK(client.post(kPath, prompt("count 1"), "X-Api-Key: secret\r\n").status == 200);
    // A body behind a wrong key is not read.
    client.send(std::format("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", kPath));
    CHECK(client.read_response().status == 401);
}

TEST_CASE("before a model is there") {
    Server server(Rig::on_free_port({}), Log());
    server.listen();
    std::jthread thread([&] { server.run(); });
    RawClient client(server.port());
    const RawResponse health = client.get("/health");
    CHECK(health.status == 503);
    CHECK(health.body == R"({"error":{"code":503,"message":"Loading model","type":"unavailable_error"}})");
    CHECK(client.post(kPath, prompt("count 1")).status == 503);
    server.set_model(std::make_shared<FakeGenerator>());
    CHECK(client.get("/health").status == 200);
    CHECK(client.post(kPath, prompt("count 1")).status == 200);
    server.stop();
}

TEST_CASE("a port that is taken") {
    Rig rig;
    ServerConfig config;
    config.port = rig.port;
    Server second(config, Log());
    CHECK_THROWS_AS(second.listen(), Error);
    ServerConfig elsewhere;
    elsewhere.host = "203.0.113.1"; // an address for documentation, so not ours
    Server third(elsewhere, Log());
    CHECK_THROWS_AS(third.listen(), Error);
}

TEST_CASE("drain finishes what runs and takes nothing new") {
    Rig rig;
    RawClient idle(rig.port);
    CHECK(idle.get("/health").status == 200);
    RawClient busy(rig.port);
    busy.send_post(kPath, prompt("slow 30", true));
    CHECK(busy.read_until("\"1 \""));
    rig.server.drain();
    CHECK(idle.is_closed_within(5s));
    CHECK(RawClient(rig.port).get("/health").status == 0);
    const RawResponse answer = busy.read_response();
    CHECK(answer.complete);
    CHECK(answer.body.contains("\"30 \""));
    CHECK(answer.body.ends_with("[DONE]\n\n"));
    busy.close();
    CHECK(rig.ends_within(5s));
    CHECK(rig.model->n_cancelled() == 0);
}

TEST_CASE("drain has an end") {
    Rig rig(with([](Limits& limits) { limits.drain_timeout = 200ms; }));
    RawClient busy(rig.port);
    busy.send_post(kPath, prompt("sleep 60000", true));
    CHECK(Rig::wait_for([&] { return rig.model->n_running() == 1; }));
    rig.server.drain();
    CHECK(rig.ends_within(5s));
    CHECK(Rig::wait_for([&] { return rig.model->n_cancelled() == 1; }));
}

TEST_CASE("signals drain, then stop") {
    ServerConfig config;
    config.handle_signals = true;
    Rig rig(config);
    RawClient busy(rig.port);
    busy.send_post(kPath, prompt("sleep 60000", true));
    CHECK(Rig::wait_for([&] { return rig.model->n_running() == 1; }));
    CHECK(RawClient(rig.port).get("/health").status == 200);
    ::kill(::getpid(), SIGTERM);
    CHECK(Rig::wait_for([&] { return RawClient(rig.port).get("/health").status == 0; }));
    CHECK(rig.model->n_running() == 1);
    ::kill(::getpid(), SIGINT);
    CHECK(rig.ends_within(5s));
    CHECK(Rig::wait_for([&] { return rig.model->n_cancelled() == 1; }));
}

TEST_CASE("many clients at once, some of which misbehave") {
    Rig rig;
    std::atomic<int> n_good = 0;
    {
        std::vector<std::jthread> clients;
        for (int c = 0; c < 12; ++c) {
            clients.emplace_back([&, c] {
                for (int i = 0; i < 8; ++i) {
                    RawClient client(rig.port);
                    const int kind = (c + i) % 4;
                    if (kind == 0) {
                        client.send_post(kPath, prompt("slow 100", true));
                        client.read_until("\"1 \"");
                        client.reset();
                    } else if (kind == 1) {
                        client.send("POST /v1/completions HTTP/1.1\r\nContent-Length: 50\r\n\r\n{");
                    } else if (kind == 2) {
                        n_good += client.post(kPath, prompt("count 50", true)).body.contains("\"50 \"");
                    } else {
                        n_good += client.post(kPath, prompt("count 20")).body.contains("19 20 ");
                        n_good += client.get("/v1/models").status == 200;
                    }
                }
            });
        }
    }
    CHECK(n_good == 12 * 8 * 3 / 4);
}
