// What an endpoint handler gets and gives: a request in, a response or a generation to run out. Handlers know neither
// sockets nor threads; connection.cpp runs the generation and sends what its formatter makes of each event.
#pragma once

#include "runtime/types.h"
#include "server/http.h"

#include <memory>
#include <string>
#include <variant>

namespace vkinfer::server {

/// Turns the events of one generation into the bytes of an answer.
class AnswerFormatter {
public:
    virtual ~AnswerFormatter() = default;
    /// Bytes to send now; may be empty. A formatter of a whole answer gives its body at the last event and nothing
    /// before. Never sees an event whose result is an error or a cancellation: those become an error answer.
    virtual std::string feed(const runtime::GenerationEvent& event) = 0;
};

struct Generation {
    runtime::GenerationRequest request;
    std::unique_ptr<AnswerFormatter> formatter;
    bool stream = false; ///< server-sent events as they come, or one JSON body at the end
};

using Reply = std::variant<Response, Generation>;

struct Context {
    runtime::Generator* model = nullptr; ///< null only for endpoints that answer while the model loads
};

using Handler = Reply (*)(const Context&, const Request&);

} // namespace vkinfer::server
