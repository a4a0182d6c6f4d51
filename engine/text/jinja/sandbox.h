// What a template may use up. A template comes out of a model file, so it is hostile until shown otherwise.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vkinfer::text::jinja {

/// The defaults leave room for a conversation of some megabytes and end a hostile template within a second or two.
struct Limits {
    uint64_t steps = 20'000'000;            ///< nodes evaluated, plus one for every 64 bytes or item touched
    size_t output_bytes = size_t{64} << 20; ///< text rendered
    size_t live_bytes = size_t{256} << 20;  ///< strings, lists and dicts alive at a time
    size_t stack_bytes = size_t{1} << 20;   ///< native stack below render(), whatever recurses
    int call_depth = 200;                   ///< macros, loops and callers inside each other
    int value_depth = 600;                  ///< lists and dicts inside each other, and nested calls that walk them
};

constexpr int kMaxParseDepth = 200; ///< blocks and brackets inside each other
constexpr int kMaxChain = 1000;     ///< operators, attributes and filters in a row (a left-deep tree)
constexpr size_t kMaxTemplateBytes = size_t{4} << 20;
constexpr int64_t kMaxRange = 100'000; ///< items of range(), as in Jinja's own sandbox

/// Counts the steps done and the bytes of values that are alive. One is active per rendering thread; values made
/// while none is active (constants of a compiled template) are not counted.
class Meter {
public:
    explicit Meter(const Limits& limits);
    ~Meter();
    Meter(const Meter&) = delete;
    Meter& operator=(const Meter&) = delete;

    static Meter* active();
    void add(size_t bytes); ///< throws Failure{limit}
    void remove(size_t bytes) { live_bytes_ -= bytes; }
    void spend(uint64_t steps) {
        if (steps > steps_left_) out_of_steps();
        steps_left_ -= steps;
    }

private:
    [[noreturn]] void out_of_steps();

    size_t limit_bytes_;
    size_t live_bytes_ = 0;
    uint64_t steps_left_;
    Meter* previous_;
};

/// Takes steps from the active meter; throws Failure{limit} when there are no more.
inline void charge_steps(uint64_t steps) {
    if (Meter* meter = Meter::active()) meter->spend(steps);
}

/// A share of the active meter, given back on destruction.
class Charge {
public:
    explicit Charge(size_t bytes = 0) { add(bytes); }
    ~Charge() {
        if (meter_ != nullptr) meter_->remove(bytes_);
    }
    Charge(const Charge&) = delete;
    Charge& operator=(const Charge&) = delete;

    void add(size_t bytes) {
        if (meter_ == nullptr) return;
        meter_->add(bytes);
        bytes_ += bytes;
    }

private:
    Meter* meter_ = Meter::active();
    size_t bytes_ = 0;
};

/// Ends recursion before the native stack does: throws Failure{limit} when the stack below `base` has grown too far.
class StackGuard {
public:
    /// Marks the caller's frame as the base for this thread until the scope ends.
    class Scope {
    public:
        explicit Scope(size_t limit_bytes);
        ~Scope();
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;

    private:
        const char* previous_base_;
        size_t previous_limit_;
    };

    static void check();
};

} // namespace vkinfer::text::jinja
