#include "tools/cli_args.h"

#include <algorithm>

namespace vkinfer::tools {

std::vector<std::string> rewrite_long_names(int argc, const char* const* argv,
                                            std::span<const std::string_view> long_names) {
    std::vector<std::string> rewritten;
    bool options_ended = false;
    for (int i = 1; i < argc; ++i) {
        std::string argument = argv[i];
        options_ended = options_ended || argument == "--";
        if (!options_ended && argument.size() > 2 && argument[0] == '-' && argument[1] != '-') {
            const std::string_view name = std::string_view(argument).substr(1, argument.find('=') - 1);
            if (std::ranges::find(long_names, name) != long_names.end()) argument.insert(0, 1, '-');
        }
        rewritten.push_back(std::move(argument));
    }
    return rewritten;
}

std::vector<std::string> cli11_arguments(int argc, const char* const* argv,
                                         std::span<const std::string_view> long_names) {
    std::vector<std::string> arguments = rewrite_long_names(argc, argv, long_names);
    std::ranges::reverse(arguments);
    return arguments;
}

} // namespace vkinfer::tools
