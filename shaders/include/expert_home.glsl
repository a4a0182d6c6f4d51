// Where the matrices of an expert lie. With is_split some experts of the layer are in other memory than the rest (spilled to the
// host): places below n_near are in the matrix of the push constants, the others in that of `far`, counted from n_near on.
// Routing writes an expert's place beside it (expert_tiles.glsl).
// The includer declares push.{expert_strips, n_near} and the constant is_split.
layout(buffer_reference, scalar, buffer_reference_align = 8) readonly buffer AddrFarExperts { // kernels::FarExperts
    uint64_t codes;
    uint64_t scales;
    uint64_t row_scales;
    uint up_strips;
};

uint64_t codes_at, scales_at, row_scales_at;
uint expert_strip; // its first one in that matrix
uint expert_up;    // strips from gate to up rows

void find_matrix(uint64_t codes, uint64_t scales, uint64_t row_scales, uint64_t far_at, uint up_strips, uint expert, uint place) {
    codes_at = codes;
    scales_at = scales;
    row_scales_at = row_scales;
    expert_up = up_strips;
    uint at = expert;
    if (is_split != 0) {
        at = place;
        if (place >= push.n_near) {
            AddrFarExperts far = AddrFarExperts(far_at);
            codes_at = far.codes;
            scales_at = far.scales;
            row_scales_at = far.row_scales;
            expert_up = far.up_strips;
            at = place - push.n_near;
        }
    }
    expert_strip = at * push.expert_strips;
}

#define WEIGHT_CODES codes_at
#define WEIGHT_SCALES scales_at
#define WEIGHT_ROW_SCALES row_scales_at
