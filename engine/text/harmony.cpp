#include "text/harmony.h"

#include "text/tokenizer.h"

#include <algorithm>

namespace vkinfer::text {

namespace {

/// No header of the format is nearly as long; a model that never ends one does not fill memory.
constexpr size_t kMaxHeaderBytes = 256;

void append(std::string& header, std::string_view piece) {
    header.append(piece.substr(0, kMaxHeaderBytes - std::min(kMaxHeaderBytes, header.size())));
}

/// The word after "to=", without a leading "functions."; empty when there is none.
std::string recipient_in(std::string_view header) {
    const size_t at = header.find("to=");
    if (at == std::string_view::npos) return {};
    header.remove_prefix(at + 3);
    const auto is_name = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
               c == '.';
    };
    std::string name(header.begin(), std::ranges::find_if_not(header, is_name));
    constexpr std::string_view kFunctions = "functions.";
    if (name.starts_with(kFunctions)) name.erase(0, kFunctions.size());
    return name;
}

} // namespace

std::optional<HarmonyTokens> HarmonyTokens::find(const Tokenizer& tokenizer) {
    const HarmonyTokens found{.start = tokenizer.find("<|start|>"),
                              .end = tokenizer.find("<|end|>"),
                              .message = tokenizer.find("<|message|>"),
                              .channel = tokenizer.find("<|channel|>"),
                              .constrain = tokenizer.find("<|constrain|>"),
                              .call = tokenizer.find("<|call|>"),
                              .return_token = tokenizer.find("<|return|>")};
    const bool is_harmony =
        found.start != kNoToken && found.end != kNoToken && found.message != kNoToken && found.channel != kNoToken;
    return is_harmony ? std::optional(found) : std::nullopt;
}

bool HarmonyParser::add(Token id, std::string_view piece) {
    if (id == tokens_.start) {
        place_ = Place::role;
        part_ = Part::none;
        role_.clear();
        channel_.clear();
    } else if (id == tokens_.channel) {
        place_ = Place::channel;
        part_ = Part::none;
        channel_.clear();
    } else if (id == tokens_.message) {
        begin_body();
    } else if (id == tokens_.end || id == tokens_.call || id == tokens_.return_token) {
        place_ = Place::between;
        part_ = Part::none;
        role_.clear();
        channel_.clear();
    } else if (id == tokens_.constrain) {
        if (place_ != Place::body) place_ = Place::constraint;
    } else {
        if (place_ == Place::role) append(role_, piece);
        if (place_ == Place::channel) append(channel_, piece);
        return true;
    }
    return false;
}

void HarmonyParser::begin_body() {
    place_ = Place::body;
    recipient_ = recipient_in(channel_);
    if (recipient_.empty()) recipient_ = recipient_in(role_);
    if (!recipient_.empty()) {
        part_ = Part::call;
    } else {
        part_ = channel_.starts_with("analysis") ? Part::reasoning : Part::content;
    }
}

} // namespace vkinfer::text
