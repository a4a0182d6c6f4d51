// Every workgroup writes how many there are: what an indirect dispatch does not know when it is recorded.
#version 460
layout(local_size_x = 1) in;
layout(std430, binding = 0) writeonly buffer Y { uvec4 y[]; };

void main() {
    const uvec3 n = gl_NumWorkGroups, id = gl_WorkGroupID;
    y[(id.z * n.y + id.y) * n.x + id.x] = uvec4(n, 1);
}
