// y in f32, or in f16 where all that read it round it to that anyway (kernels::half_output): the same numbers, half the bytes.
// The includer has the binding and the constant y_is_half. (Not restrict: y may lie where a residual does.)
layout(binding = BIND_Y, scalar) writeonly buffer Y { float y[]; };
layout(binding = BIND_Y, scalar) writeonly buffer YHalves { float16_t y_halves[]; };
layout(binding = BIND_Y, scalar) writeonly buffer YPairs { f16vec2 y_pairs[]; };

void store_y(uint at, float value) {
    if (y_is_half != 0) {
        y_halves[at] = float16_t(value); // to nearest; packHalf2x16 truncates on RADV
    } else {
        y[at] = value;
    }
}

// Two neighbours from at + constant on, both even: the compiler joins stores of pairs at constants from one place, none of halves.
void store_y_pair(uint at, uint constant, float first, float second) {
    if (y_is_half != 0) {
        y_pairs[at / 2 + constant / 2] = f16vec2(vec2(first, second));
    } else {
        y[at + constant] = first;
        y[at + constant + 1] = second;
    }
}
