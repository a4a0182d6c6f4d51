// The program `vkinfer`: one table of subcommands; each lives in a file of its own.
#include "tools/chat_command.h"
#include "tools/command.h"
#include "tools/devices_command.h"
#include "tools/doctor_command.h"
#include "tools/file_commands.h"
#include "tools/info_command.h"
#include "tools/logits_command.h"
#include "tools/perplexity_command.h"
#include "tools/plan_command.h"
#include "tools/program.h"
#include "tools/run_command.h"
#include "tools/shaders_command.h"
#include "tools/tokenize_command.h"

#include <array>

namespace {

using namespace vkinfer::tools;

constexpr auto kCommands = std::to_array<Command>({
    {"chat", "chat with a model in the terminal", add_chat_command},
    {"run", "answer one prompt, from -p or standard input", add_run_command},
    {"info", "what a model file holds, and the memory it needs (no GPU is used)", add_info_command},
    {"plan", "where a model's memory goes, here or on a machine whose profile you have (no GPU is used)",
     add_plan_command},
    {"devices", "list the devices", add_devices_command},
    {"doctor", "what is known of a device, its driver and its memory, and what to change", add_doctor_command},
    {"logits", "write the logits of every position, to compare with other engines", add_logits_command},
    {"perplexity", "how well a model predicts a text, and how far weights or cache types move it",
     add_perplexity_command},
    {"shaders", "what the driver made of every pipeline: registers, spills, instructions", add_shaders_command},
    {"quantize", "make a quantised model of a float one", add_quantize_command},
    {"dequant", "decode raw blocks from standard input to float32, to compare with other engines", add_dequant_command},
    {"template", "render chat templates, one conversation a line, to compare with other engines", add_template_command},
    {"tokenize", "texts to token ids, line by line, to compare with other implementations", add_tokenize_command},
});

} // namespace

int main(int argc, char** argv) {
    return run_program("LLM inference on Vulkan", "vkinfer", kCommands, argc, argv);
}
