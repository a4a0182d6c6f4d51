#version 460
// Activations (n_cols, x_stride) f32 -> int8 codes and (d, d * sum of codes) per block of 32; d = max|x| / 127.
// Codes in packed order: of every 8 elements the first word holds (0, 4, 1, 5), the second (2, 6, 3, 7): the order in
// which (word & 0x0f0f0f0f) and (word >> 4) of repacked 4-bit weights come out. Rounds half away from zero like Q8_0.
// A count stands for rows_per_count rows: the slots of a token among experts.
#include "common.glsl"
#include "quantize_act.gen.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_X, scalar) readonly restrict buffer X { vec4 x[]; };
layout(binding = BIND_CODES, scalar) writeonly restrict buffer Codes { uvec4 codes[]; };
layout(binding = BIND_SCALES, scalar) writeonly restrict buffer Scales { vec2 scales[]; };

void main() {
    const uint column = gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y;
    const uint block = gl_GlobalInvocationID.x;
    if (column >= counts[count_index] * rows_per_count || block >= push.n_blocks) return;
    vec4 v[8];
    float largest = 0.0;
    [[unroll]] for (uint i = 0; i < 8; i++) {
        v[i] = x[column * (push.x_stride / 4) + block * 8 + i];
        const vec4 a = abs(v[i]);
        largest = max(largest, max(max(a.x, a.y), max(a.z, a.w)));
    }
    const float d = largest / 127.0;
    const float inverse = d > 0.0 ? 1.0 / d : 0.0;
    uint words[8];
    int sum = 0;
    [[unroll]] for (uint g = 0; g < 4; g++) {
        int q[8];
        [[unroll]] for (uint e = 0; e < 8; e++) {
            const float scaled = v[2 * g + e / 4][e % 4] * inverse;
            q[e] = int(trunc(scaled + (scaled < 0.0 ? -0.5 : 0.5)));
            sum += q[e];
        }
        words[2 * g] = (q[0] & 255) | ((q[4] & 255) << 8) | ((q[1] & 255) << 16) | (q[5] << 24);
        words[2 * g + 1] = (q[2] & 255) | ((q[6] & 255) << 8) | ((q[3] & 255) << 16) | (q[7] << 24);
    }
    const uint at = column * push.n_blocks + block;
    codes[2 * at] = uvec4(words[0], words[1], words[2], words[3]);
    codes[2 * at + 1] = uvec4(words[4], words[5], words[6], words[7]);
    scales[at] = vec2(d, d * float(sum));
}
