// Strict reading of JSON objects: every field is asked for by name and type, whatever is left over is an error, and
// every error names the path of the field. Internal to engine/memory.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace vkinfer::memory {

class JsonObject {
public:
    /// `path`: how messages name the object ("strix.json: heaps[0]"). Throws Error{invalid_input} when it is none.
    JsonObject(const boost::json::value& value, std::string path);

    bool has(std::string_view key) const { return object_->contains(key); }
    std::string text(std::string_view key);
    uint64_t number(std::string_view key, uint64_t high = ~uint64_t{0});
    uint32_t number32(std::string_view key) { return static_cast<uint32_t>(number(key, ~uint32_t{0})); }
    int64_t signed_number(std::string_view key);
    double real(std::string_view key);
    bool boolean(std::string_view key);
    const boost::json::array& array(std::string_view key);
    std::vector<std::string> texts(std::string_view key);
    JsonObject object(std::string_view key);
    /// Marks a field as known without reading it.
    void ignore(std::string_view key) { used_.emplace(key); }

    /// Throws when there are fields that nobody asked for.
    void finish() const;
    [[noreturn]] void refuse(std::string_view key, const std::string& what) const;
    const std::string& path() const { return path_; }

private:
    const boost::json::value& field(std::string_view key);

    const boost::json::object* object_ = nullptr;
    std::string path_;
    std::set<std::string, std::less<>> used_;
};

/// Parses a text; throws Error{invalid_input} with line and reason.
boost::json::value parse_json(std::string_view text, std::string_view file_name);

/// With line breaks and indentation; arrays of plain values on one line.
std::string pretty_json(const boost::json::value& value, int indent = 0);

} // namespace vkinfer::memory
