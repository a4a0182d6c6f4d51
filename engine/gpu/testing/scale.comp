// y[i] = x[i] * factor + kAdd: bindings, push constants and specialisation constants in one small shader.
#version 460
layout(local_size_x_id = 0) in;
layout(constant_id = 1) const int kAdd = 0;
layout(push_constant) uniform Push {
    uint n;
    float factor;
};
layout(std430, binding = 0) readonly buffer X { float x[]; };
layout(std430, binding = 1) writeonly buffer Y { float y[]; };

void main() {
    const uint i = gl_GlobalInvocationID.x;
    if (i < n) y[i] = x[i] * factor + float(kAdd);
}
