// Adds one to every element behind a 64-bit address.
#version 460
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
layout(local_size_x = 8) in;
layout(buffer_reference, std430, buffer_reference_align = 4) buffer Values { uint v[]; };
layout(push_constant) uniform Push {
    Values values;
    uint n;
    uint unused;
};

void main() {
    const uint i = gl_GlobalInvocationID.x;
    if (i < n) values.v[i] += 1;
}
