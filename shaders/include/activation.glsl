// Activations of gated products; the numbers are those of kernels::Activation.
const uint kActivationNone = 0u;
const uint kActivationSilu = 1u;
const uint kActivationClampedSilu = 2u; // gpt-oss: clamps first, then gate * sigmoid(1.702 gate) * (up + 1)

float gated(uint kind, float gate, float up) {
    if (kind == kActivationClampedSilu) {
        gate = min(gate, 7.0);
        up = clamp(up, -7.0, 7.0);
        return gate / (1.0 + exp(-1.702 * gate)) * (up + 1.0);
    }
    return gate / (1.0 + exp(-gate)) * up;
}
