#include "runtime/sampler.h"

#include "runtime/sampling_math.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <format>
#include <limits>
#include <utility>

namespace vkinfer::runtime {

namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

// Scans compare this many logits at once and look closer only where one of them passes: the compiler makes vector
// comparisons of it, and nearly all blocks of a vocabulary fail.
constexpr size_t kBlock = 16;

/// Calls visit(logit, id) for every logit above `threshold`, in ascending order of ids; visit may raise the threshold.
/// NaN never passes.
template<class Visit>
void for_each_above(std::span<const float> logits, float& threshold, Visit visit) {
    size_t i = 0;
    for (; i + kBlock <= logits.size(); i += kBlock) {
        int32_t n_above = 0;
        for (size_t j = 0; j < kBlock; ++j) n_above += logits[i + j] > threshold ? 1 : 0;
        if (n_above == 0) continue;
        for (size_t j = i; j < i + kBlock; ++j) {
            if (logits[j] > threshold) visit(logits[j], static_cast<Token>(j));
        }
    }
    for (; i < logits.size(); ++i) {
        if (logits[i] > threshold) visit(logits[i], static_cast<Token>(i));
    }
}

/// The largest logit, the first of equal ones; id -1 when none is above -infinity.
std::pair<float, Token> find_best(std::span<const float> logits) {
    float best = kNever;
    Token id = -1;
    for_each_above(logits, best, [&](float logit, Token token) {
        best = logit;
        id = token;
    });
    return {best, id};
}

/// Calls visit(weight, i) for all logits in order: their weights relative to `best`, at distances multiplied by
/// `scale`; 0 where the weight at the distance itself is below `least`. visit returns whether to go on.
template<class Visit>
void for_each_weight(std::span<const float> logits, float best, float scale, uint32_t least, Visit visit) {
    const auto weight_of = [&](float logit) { return exp_weight((logit - best) * scale); };
    const auto is_kept = [&](float logit) { return exp_weight(logit - best) >= least; };
    size_t i = 0;
    for (; i + kBlock <= logits.size(); i += kBlock) {
        uint32_t weights[kBlock];
        for (size_t j = 0; j < kBlock; ++j) weights[j] = weight_of(logits[i + j]);
        if (least > 0) {
            for (size_t j = 0; j < kBlock; ++j) weights[j] = is_kept(logits[i + j]) ? weights[j] : 0;
        }
        for (size_t j = 0; j < kBlock; ++j) {
            if (!visit(weights[j], i + j)) return;
        }
    }
    for (; i < logits.size(); ++i) {
        if (!visit(least == 0 || is_kept(logits[i]) ? weight_of(logits[i]) : 0, i)) return;
    }
}

} // namespace

Result<void> SamplingParams::validate() const {
    const auto refuse = [](const char* field, double value, const char* allowed) {
        return fail(ErrorKind::invalid_input, std::format("{} is {}; it must be {}.", field, value, allowed));
    };
    // Written so that NaN fails.
    if (!(temperature >= 0 && std::isfinite(temperature))) return refuse("temperature", temperature, "0 or more");
    if (!(top_k >= -1)) return refuse("top_k", top_k, "0 or more (0: off)");
    if (!(top_p >= 0 && top_p <= 1)) return refuse("top_p", top_p, "between 0 and 1");
    if (!(min_p >= 0 && min_p <= 1)) return refuse("min_p", min_p, "between 0 and 1");
    if (!(repeat_penalty > 0 && std::isfinite(repeat_penalty)))
        return refuse("repeat_penalty", repeat_penalty, "above 0 (1: off)");
    if (!(repeat_last_n >= -1)) return refuse("repeat_last_n", repeat_last_n, "-1 (whole context) or more");
    if (!std::isfinite(presence_penalty)) return refuse("presence_penalty", presence_penalty, "a finite number");
    if (!std::isfinite(frequency_penalty)) return refuse("frequency_penalty", frequency_penalty, "a finite number");
    for (const auto& [token, bias] : logit_bias) {
        if (token < 0) return refuse("logit_bias token", token, "0 or more");
        if (!std::isfinite(bias) && bias != kNever) return refuse("logit_bias", bias, "finite or -infinity");
    }
    return {};
}

Sampler::Sampler(SamplingParams params, uint64_t seed, std::vector<Token> suppressed)
    : params_(std::move(params)), seed_(seed) {
    for (const auto& [token, bias] : params_.logit_bias) edits_.push_back({token, bias});
    for (const Token token : suppressed) edits_.push_back({token, kNever});
    // One for each token, the sum of its own in the order given.
    std::ranges::stable_sort(edits_, {}, &Edit::token);
    size_t n = 0;
    for (const Edit& edit : edits_) {
        if (n > 0 && edits_[n - 1].token == edit.token)
            edits_[n - 1].bias += edit.bias;
        else
            edits_[n++] = edit;
    }
    edits_.resize(n);
}

Token Sampler::sample(std::span<const float> logits, std::span<const Token> history, SamplerScratch& scratch) {
    if (changes_logits(history)) {
        change_logits(logits, history, scratch);
        logits = scratch.logits;
    }
    if (is_greedy()) return find_best(logits).second;

    const bool has_top_k = params_.top_k > 0 && static_cast<size_t>(params_.top_k) < logits.size();
    if (!has_top_k && params_.top_p >= 1) return draw_from_all(logits);
    if (has_top_k) {
        select_top_k(logits, scratch.candidates);
    } else {
        select_by_probability(logits, scratch.candidates);
    }
    return draw(scratch.candidates);
}

bool Sampler::has_penalties() const {
    return params_.repeat_last_n != 0 &&
           (params_.repeat_penalty != 1.0f || params_.presence_penalty != 0.0f || params_.frequency_penalty != 0.0f);
}

std::span<const Token> Sampler::window(std::span<const Token> history) const {
    if (params_.repeat_last_n < 0) return history;
    return history.last(std::min(static_cast<size_t>(params_.repeat_last_n), history.size()));
}

bool Sampler::changes_logits(std::span<const Token> history) const {
    return (has_penalties() && !history.empty()) || !edits_.empty();
}

void Sampler::change_logits(std::span<const float> logits, std::span<const Token> history,
                            SamplerScratch& scratch) const {
    std::vector<float>& changed = scratch.logits;
    changed.assign(logits.begin(), logits.end());
    const auto is_known = [&](Token token) { return token >= 0 && static_cast<size_t>(token) < changed.size(); };

    for (const Edit& edit : edits_) {
        if (is_known(edit.token)) changed[static_cast<size_t>(edit.token)] += edit.bias;
    }
    if (!has_penalties()) return;

    if (scratch.counts.size() < changed.size()) scratch.counts.resize(changed.size());
    scratch.distinct.clear();
    for (const Token token : window(history)) {
        if (is_known(token) && scratch.counts[static_cast<size_t>(token)]++ == 0) scratch.distinct.push_back(token);
    }
    const float inverse = 1.0f / params_.repeat_penalty;
    for (const Token token : scratch.distinct) {
        float& logit = changed[static_cast<size_t>(token)];
        int32_t& count = scratch.counts[static_cast<size_t>(token)];
        // Dividing a negative logit would reward the repetition.
        logit = logit > 0 ? logit * inverse : logit * params_.repeat_penalty;
        logit -= static_cast<float>(count) * params_.frequency_penalty + params_.presence_penalty;
        count = 0;
    }
}

// Better candidates come first: higher logit, then lower id.
static constexpr auto kBetter = [](const auto& a, const auto& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
};

void Sampler::select_top_k(std::span<const float> logits, std::vector<Candidate>& best) const {
    const auto k = static_cast<size_t>(params_.top_k);
    best.clear();
    // A heap with the worst of the k best in front; what is not above it cannot be among them (of equal logits the
    // lower ids are kept, and ids ascend).
    float threshold = kNever;
    for_each_above(logits, threshold, [&](float logit, Token id) {
        if (best.size() == k) {
            std::ranges::pop_heap(best, kBetter);
            best.pop_back();
        }
        best.push_back({logit, id});
        std::ranges::push_heap(best, kBetter);
        if (best.size() == k) threshold = best.front().logit;
    });
    std::ranges::sort_heap(best, kBetter);

    uint64_t total = 0;
    for (const Candidate& candidate : best) total += exp_weight(candidate.logit - best.front().logit);
    cut(best, total);
}

void Sampler::select_by_probability(std::span<const float> logits, std::vector<Candidate>& best) const {
    best.clear();
    // Only the head of the order is needed. How far it reaches shows a histogram of the weights over the distance to
    // the best, so that one sort of little more than the head is enough.
    constexpr int32_t kPerUnit = 8;
    constexpr size_t kBins = 22 * kPerUnit; // further away all weights are 0
    const auto [highest, highest_id] = find_best(logits);
    if (highest_id < 0) return;
    if (std::isinf(highest)) { // no weight is a number
        best.push_back({highest, highest_id});
        return;
    }
    std::array<uint64_t, kBins> bins{};
    for_each_weight(logits, highest, 1.0f, 0, [&](uint32_t weight, size_t i) {
        if (weight > 0) bins[static_cast<size_t>((highest - logits[i]) * static_cast<float>(kPerUnit))] += weight;
        return true;
    });
    uint64_t total = 0;
    for (const uint64_t weight : bins) total += weight;

    const uint64_t wanted = wanted_weight(total);
    uint64_t sum = 0;
    size_t n_bins = 0;
    while (n_bins < kBins && sum < wanted) sum += bins[n_bins++];
    if (params_.min_p > 0) {
        const uint32_t least = least_weight();
        size_t n_above = 0;
        while (n_above < kBins && exp_weight(-static_cast<float>(n_above) / kPerUnit) >= least) ++n_above;
        n_bins = std::min(n_bins, n_above);
    }
    // One bin more, as distances were rounded.
    float threshold = n_bins + 1 < kBins ? highest - static_cast<float>(n_bins + 1) / kPerUnit : kNever;
    for_each_above(logits, threshold, [&](float logit, Token id) { best.push_back({logit, id}); });
    std::ranges::sort(best, kBetter);
    cut(best, total);
}

/// The probability of top_p as a weight; all of it without top_p.
uint64_t Sampler::wanted_weight(uint64_t total) const {
    return params_.top_p < 1 ? multiply_high(uint64_t{top_p_fraction()} << 32, total) : total;
}

uint32_t Sampler::top_p_fraction() const {
    return static_cast<uint32_t>(static_cast<double>(params_.top_p) * 0x1p32);
}

uint32_t Sampler::least_weight() const {
    return static_cast<uint32_t>(std::ceil(static_cast<double>(params_.min_p) * kFullWeight));
}

// Both limits keep a beginning of the order, so they need not know of the candidates behind it.
void Sampler::cut(std::vector<Candidate>& sorted, uint64_t total) const {
    if (sorted.empty()) return;
    const auto weight = [&](size_t i) { return exp_weight(sorted[i].logit - sorted.front().logit); };
    if (params_.top_p < 1) {
        // The smallest beginning with at least top_p of the probability; one candidate at least.
        const uint64_t wanted = wanted_weight(total);
        uint64_t sum = 0;
        for (size_t i = 0; i < sorted.size(); ++i) {
            sum += weight(i);
            if (sum >= wanted) {
                sorted.resize(i + 1);
                break;
            }
        }
    }
    if (params_.min_p > 0) {
        const uint32_t least = least_weight();
        size_t n = 1;
        while (n < sorted.size() && weight(n) >= least) ++n;
        sorted.resize(n);
    }
}

Token Sampler::draw(std::span<const Candidate> candidates) {
    if (candidates.empty()) return -1;
    const float best = candidates.front().logit;
    const float scale = 1.0f / params_.temperature;
    uint64_t total = 0;
    for (const Candidate& candidate : candidates) total += exp_weight((candidate.logit - best) * scale);
    const uint64_t target = multiply_high(random_bits(seed_, n_drawn_++), total);
    uint64_t sum = 0;
    for (const Candidate& candidate : candidates) {
        sum += exp_weight((candidate.logit - best) * scale);
        if (sum > target) return candidate.id;
    }
    return candidates.front().id; // only when the best logit is +infinity and no weight is a number
}

Token Sampler::draw_from_all(std::span<const float> logits) {
    const auto [best, best_id] = find_best(logits);
    if (best_id < 0) return -1;
    const float scale = 1.0f / params_.temperature;
    const uint32_t least = least_weight();
    uint64_t total = 0;
    for_each_weight(logits, best, scale, least, [&](uint32_t weight, size_t) {
        total += weight;
        return true;
    });
    const uint64_t target = multiply_high(random_bits(seed_, n_drawn_++), total);
    uint64_t sum = 0;
    Token chosen = best_id; // stays when the best logit is +infinity and no weight is a number
    for_each_weight(logits, best, scale, least, [&](uint32_t weight, size_t i) {
        sum += weight;
        if (sum <= target) return true;
        chosen = static_cast<Token>(i);
        return false;
    });
    return chosen;
}

} // namespace vkinfer::runtime
