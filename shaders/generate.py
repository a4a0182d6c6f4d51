#!/usr/bin/env python3
"""Turns the shader manifest into build rules and C++.

    generate.py list  MANIFEST GENDIR           one line per variant for meson:  name;file;-DA_X=1 -IGENDIR/a.x -g0
    generate.py code  MANIFEST GENDIR           kernels.gen.h, one KERNEL.gen.glsl per kernel, and for each value of an
                                                axis in include_axes a folder AXIS.VALUE with the AXIS.glsl to include, and
                                                for weights the sizes of a tile and a folder weight.mixed of all types
    generate.py embed MANIFEST OUT.S OUT.cpp VAL SPIRV...
                                                checks every module with spirv-val (VAL), then writes an assembler file
                                                that includes them, the table that finds them by name, and the layouts
                                                of weight types

The manifest is the only place that lists kernels, variants, specialisation constants, push constants and bindings; the
GLSL and the C++ side of all of these are written here from it.
"""
import itertools
import json
import os
import subprocess
import sys

TYPES = {  # name: (C++ type, GLSL type, bytes)
    "u32": ("uint32_t", "uint", 4),
    "i32": ("int32_t", "int", 4),
    "f32": ("float", "float", 4),
    "u64": ("uint64_t", "uint64_t", 8),
}
WEIGHT_KEYS = {"tile", "granules", "scale_bytes", "int8"}
KERNEL_KEYS = {"name", "file", "about", "variants", "exclude", "spec", "push", "bind", "coopmat", "full_subgroups"}


def load(path):
    with open(path, encoding="utf-8") as f:
        manifest = json.load(f)
    weights = manifest["weights"]
    manifest["lists"] = {"weight": list(weights), "without_int8": [name for name, w in weights.items() if not w["int8"]]}
    for name, weight in weights.items():
        if set(weight) != WEIGHT_KEYS:
            sys.exit(f"manifest: weight {name}: needs the keys {sorted(WEIGHT_KEYS)}")
    for kernel in manifest["kernels"]:
        unknown = set(kernel) - KERNEL_KEYS
        if unknown:
            sys.exit(f"manifest: {kernel.get('name')}: unknown keys {sorted(unknown)}")
        offset = 0
        for name, kind in kernel.get("push", {}).items():
            size = TYPES[kind][2]
            if offset % size:
                sys.exit(f"manifest: {kernel['name']}: push constant {name} is not aligned: put u64 first")
            offset += size
        if offset > 128:
            sys.exit(f"manifest: {kernel['name']}: {offset} bytes of push constants, 128 are guaranteed")
    return manifest


def variants(manifest, kernel):
    """Yields (name, {axis: value}) for each variant of a kernel."""
    axes = kernel.get("variants", {})
    named = lambda v: manifest["lists"][v[1:]] if isinstance(v, str) else v
    values = [named(v) for v in axes.values()]
    for combination in itertools.product(*values):
        chosen = dict(zip(axes, combination))
        if any(all(chosen[a] in named(v) for a, v in rule.items()) for rule in kernel.get("exclude", [])):
            continue
        yield ".".join([kernel["name"], *combination]), chosen


def all_variants(manifest):
    for kernel in manifest["kernels"]:
        for name, chosen in variants(manifest, kernel):
            yield kernel, name, chosen


def pascal(name):
    return "".join(part.capitalize() for part in name.split("_"))


def command_list(manifest):
    for kernel, name, chosen in all_variants(manifest):
        defines = [f"-D{axis.upper()}_{value.upper()}=1" for axis, value in chosen.items()]
        defines += [f"-I{sys.argv[3]}/{axis}.{value}" for axis, value in chosen.items() if axis in manifest["include_axes"]]
        if chosen.get("weight") != "mixed":  # whose decoders are found by name (engine/kernels/spirv_functions.h)
            defines.append("-g0")
        print(";".join([name, kernel["file"], " ".join(defines)]))


def write_if_changed(path, text):
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            if f.read() == text:
                return
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def glsl_of(kernel):
    lines = ["// Written by shaders/generate.py from shaders/manifest.json."]
    for i, (name, (kind, default)) in enumerate(kernel.get("spec", {}).items()):
        value = {"f32": f"{float(default)}", "u32": f"{default}u", "i32": f"{default}"}[kind]
        lines.append(f"layout(constant_id = {i}) const {TYPES[kind][1]} {name} = {value};")
    if kernel.get("push"):
        lines.append("layout(push_constant, scalar) uniform Push {")
        lines += [f"    {TYPES[kind][1]} {name};" for name, kind in kernel["push"].items()]
        lines.append("} push;")
    for i, binding in enumerate(kernel.get("bind", [])):
        lines.append(f"#define BIND_{binding.split(':')[0].upper()} {i}")
    return "\n".join(lines) + "\n"


def tile_of(weight):
    """The sizes of a tile: 16 rows of a block of the file."""
    sizes = {"kTileElements": weight["tile"], "kTileCodeBytes": 256 * weight["granules"],
             "kTileScaleBytes": 16 * weight["scale_bytes"]}
    return "".join(f"const uint {name} = {value}u;\n" for name, value in sizes.items())


def mixed_weights(manifest):
    """All types in one module: the decoders of each under names of its own, and those that choose by weight_type."""
    names = list(manifest["weights"])
    lines = ["// Written by shaders/generate.py from shaders/manifest.json: every type of weight in one module. weight_type says which is",
             "// decoded: a number of kernels::weight_type_number(), constant where it is set, so that the others vanish.",
             "uint weight_type;", "uint64_t weight_table;", "#define WEIGHT_TABLE weight_table",
             "bool weight_has_int8(uint type) {",
             "    return " + " || ".join(f"type == {i}u" for i, n in enumerate(names) if manifest["weights"][n]["int8"]) + ";",
             "}"]
    functions = ["weight_decode", "weight_decode_int8", "weight_decode_halves"]
    for name in names:
        lines += [f"#define {function} {name}_{function}" for function in functions]
        lines += [f'#include "weight/{name}.glsl"', '#include "weight_halves.glsl"']
        lines += [f"#undef {macro}" for macro in [*functions, "WEIGHT_CODES_SIGNED", "WEIGHT_HALVES_OWN"]]
    for function, results, used in [
            ("weight_decode", [("float", "w", "[32]")], names),
            ("weight_decode_int8", [("uint", "c", "[8]"), ("float", "d", ""), ("float", "m", "")],
             [n for n in names if manifest["weights"][n]["int8"]]),
            ("weight_decode_halves", [("f16vec2", "h", "[16]")], names)]:
        parameters = "".join(f", out {kind} {result}{size}" for kind, result, size in results)
        arguments = "".join(f", {result}" for _, result, _ in results)
        lines.append(f"void {function}(uint64_t codes, uint64_t scales, uint64_t tile, uint row{parameters}) {{")
        for name in used:
            lines.append(f"    if (weight_type == {names.index(name)}u) {name}_{function}(codes, scales, tile, row{arguments});")
        lines.append("}")
    return "\n".join(lines) + "\n"


def header_of(manifest):
    out = ["// Written by shaders/generate.py from shaders/manifest.json: typed push and specialisation structs.",
           "#pragma once", "", "#include <array>", "#include <bit>", "#include <cstdint>", "",
           "namespace vkinfer::kernels::shader {", ""]
    for kernel in manifest["kernels"]:
        name = pascal(kernel["name"])
        out.append(f"// {kernel['about']}")
        push = kernel.get("push", {})
        out.append(f"struct {name}Push {{")
        out += [f"    {TYPES[kind][0]} {field} = 0;" for field, kind in push.items()]
        out.append("};")
        size = sum(TYPES[kind][2] for kind in push.values())
        wide = any(kind == "u64" for kind in push.values())
        padded = (size + 7) // 8 * 8 if wide else size
        if push:
            out.append(f"static_assert(sizeof({name}Push) == {padded});")
        out.append(f"inline constexpr uint32_t k{name}PushBytes = {size};")
        spec = kernel.get("spec", {})
        out.append(f"struct {name}Spec {{")
        for field, (kind, default) in spec.items():
            text = f"{float(default)}f" if kind == "f32" else str(default)
            out.append(f"    {TYPES[kind][0]} {field} = {text};")
        words = ", ".join(f"std::bit_cast<uint32_t>({field})" for field in spec)
        out.append(f"    std::array<uint32_t, {len(spec)}> words() const {{ return {{{words}}}; }}")
        out.append("};")
        out.append("")
    out += ["} // namespace vkinfer::kernels::shader", ""]
    return "\n".join(out)


def code(manifest, directory):
    os.makedirs(directory, exist_ok=True)
    for kernel in manifest["kernels"]:
        write_if_changed(os.path.join(directory, kernel["name"] + ".gen.glsl"), glsl_of(kernel))
    for axis in manifest["include_axes"]:
        for value in manifest["lists"][axis]:
            folder = os.path.join(directory, f"{axis}.{value}")
            os.makedirs(folder, exist_ok=True)
            write_if_changed(os.path.join(folder, f"{axis}.glsl"), f'#include "{axis}/{value}.glsl"\n')
    for name, weight in manifest["weights"].items():
        write_if_changed(os.path.join(directory, f"weight.{name}", "weight_tile.glsl"), tile_of(weight))
    os.makedirs(os.path.join(directory, "weight.mixed"), exist_ok=True)
    write_if_changed(os.path.join(directory, "weight.mixed", "weight.glsl"), mixed_weights(manifest))
    write_if_changed(os.path.join(directory, "kernels.gen.h"), header_of(manifest))


def embed(manifest, assembly, table, validator, modules):
    by_name = {os.path.basename(m)[:-len(".spv")]: m for m in modules}
    rows = sorted(all_variants(manifest), key=lambda row: row[1])
    asm = ["    .section .rodata"]
    out = ["// Written by shaders/generate.py: the table of embedded SPIR-V modules, sorted by name.",
           '#include "kernels/shader_library.h"', '#include "kernels/weight_layout.h"', "", "extern \"C\" {"]
    entries = []
    for i, (kernel, name, _) in enumerate(rows):
        path = os.path.abspath(by_name[name])
        done = subprocess.run([validator, "--target-env", "vulkan1.3", "--scalar-block-layout", path],
                              capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"spirv-val: {name}: {done.stdout}{done.stderr}")
        asm += [f"    .balign 4", f"    .globl vkinfer_spirv_{i}", f"    .hidden vkinfer_spirv_{i}",
                f"vkinfer_spirv_{i}:", f"    .incbin \"{path}\""]
        out.append(f"extern const uint32_t vkinfer_spirv_{i}[];")
        words = os.path.getsize(path) // 4
        push = sum(TYPES[kind][2] for kind in kernel.get("push", {}).values())
        bindings = []
        for binding in kernel.get("bind", []):
            field, access = binding.split(":")
            flag = {"r": "Access::read", "w": "Access::write", "rw": "Access::read_write"}[access]
            bindings.append(f'{{"{field}", {flag}}}')
        entries.append(
            f'    {{.name = "{name}", .kernel = "{kernel["name"]}", .spirv = {{vkinfer_spirv_{i}, {words}}}, '
            f'.push_bytes = {push}, .n_spec = {len(kernel.get("spec", {}))}, '
            f'.coopmat = {str(bool(kernel.get("coopmat"))).lower()}, '
            f'.full_subgroups = {str(bool(kernel.get("full_subgroups"))).lower()}, '
            f'.bindings = {{{{{", ".join(bindings)}}}}}, .n_bindings = {len(bindings)}}},')
    asm.append('    .section .note.GNU-stack,"",%progbits')
    out += ["}", "", "namespace vkinfer::kernels {", "", "const std::span<const ShaderInfo> all_shaders() {",
            "    static const ShaderInfo table[] = {", *["    " + e for e in entries], "    };",
            "    return table;", "}", "", "std::span<const WeightLayout> all_weight_layouts() {",
            "    static constexpr WeightLayout table[] = {",
            *[f'        {{format::TensorType::{name}, "{name}", {w["tile"]}, {w["granules"]}, {w["scale_bytes"]}, '
              f'{str(w["int8"]).lower()}}},' for name, w in manifest["weights"].items()],
            "    };", "    return table;", "}", "", "} // namespace vkinfer::kernels", ""]
    with open(assembly, "w", encoding="utf-8") as f:
        f.write("\n".join(asm) + "\n")
    with open(table, "w", encoding="utf-8") as f:
        f.write("\n".join(out))


def main():
    manifest = load(sys.argv[2])
    if sys.argv[1] == "list":
        command_list(manifest)
    elif sys.argv[1] == "code":
        code(manifest, sys.argv[3])
    elif sys.argv[1] == "embed":
        embed(manifest, sys.argv[3], sys.argv[4], sys.argv[5], sys.argv[6:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
