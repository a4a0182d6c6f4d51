// A tile of query rows of attention: rows are (token, grouped head) pairs of one sequence's tokens in this step.
// Two uvec4 each in the step buffer (graph::StepLayout):
//   { sequence, first token of the chunk in the step, tokens of the chunk, position of its first token }, { first row, -, -, - }
struct Tile {
    uint sequence;
    uint first_token;
    uint n_tokens;
    uint first_position;
    uint first_row; // row = token of the chunk * group + head of the group
};

Tile tile_of(uvec4 a, uvec4 b) { return Tile(a.x, a.y, a.z, a.w, b.x); }
