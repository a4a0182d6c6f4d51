// Writes the subgroup size that the shader sees, and a sum over the subgroup.
#version 460
#extension GL_KHR_shader_subgroup_arithmetic : require
layout(local_size_x_id = 0) in;
layout(std430, binding = 0) writeonly buffer Y { uint y[]; };

void main() {
    const uint sum = subgroupAdd(1u);
    if (gl_LocalInvocationIndex == 0) {
        y[0] = gl_SubgroupSize;
        y[1] = sum;
    }
}
